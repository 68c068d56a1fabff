import { openDatabase, rowsPerTransaction } from '../contenders/better-sqlite3.js'
import { type StoreOptions, valueAt } from '../contenders/contender.js'
import { type ConditionalWrites, type ConditionStore, idOf } from './condition-store.js'

/** By its constraints, and its transactions: one for each write. */
export async function openSqliteConditions(options: StoreOptions): Promise<ConditionStore> {
  const database = openDatabase(options)
  database.exec(`
    CREATE TABLE IF NOT EXISTS plain (number INTEGER PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS expected (number INTEGER PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS named (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, value BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS input (number INTEGER PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS output (number INTEGER PRIMARY KEY, value BLOB NOT NULL)`)
  const inserts = (table: string, columns: string, insert: (index: number, value: Uint8Array) => unknown[]) => {
    const statement = database.prepare(
      `INSERT INTO ${table} (${columns}) VALUES (?${', ?'.repeat(columns.split(',').length - 1)})`,
    )
    const count = database.prepare(`SELECT count(*) FROM ${table}`).pluck(true)
    let next = count.get() as number
    const writes: ConditionalWrites = {
      write(value) {
        statement.run(...insert(next++, value))
        return undefined
      },
      written: () => count.get() as number,
    }
    return writes
  }
  const output = inserts('output', 'value', (_, value) => [value])
  const fill = inserts('input', 'value', (_, value) => [value])
  const take = database.prepare('DELETE FROM input WHERE number = (SELECT min(number) FROM input)')
  const transact = database.transaction((value: Uint8Array) => {
    take.run()
    output.write(value)
  })
  const fillMany = database.transaction((from: number, to: number, values: readonly Uint8Array[]) => {
    for (let index = from; index < to; index++) fill.write(valueAt(values, index))
  })
  return {
    plain: inserts('plain', 'value', (_, value) => [value]),
    expected: inserts('expected', 'number, value', (index, value) => [index, value]),
    named: inserts('named', 'id, value', (index, value) => [idOf(index), value]),
    transact: {
      async prepare(count, values) {
        for (let from = 0; from < count; from += rowsPerTransaction)
          fillMany(from, Math.min(from + rowsPerTransaction, count), values)
      },
      write(value) {
        transact(value)
        return undefined
      },
      written: output.written,
    },
    async close() {
      database.close()
    },
  }
}
