import { join } from 'node:path'
import { requirePackage } from '../peer-packages.js'
import { type ReadCount, type Store, type StoreOptions, valueAt } from './contender.js'

/** The little of better-sqlite3 that is used here; its own types are not installed beside the root's. */
interface Statement {
  run(...values: unknown[]): unknown
  raw(enabled: boolean): Statement
  iterate(...values: unknown[]): Iterable<readonly [number, Uint8Array]>
}
interface Database {
  pragma(source: string): unknown
  exec(source: string): unknown
  prepare(source: string): Statement
  transaction<A extends unknown[]>(work: (...values: A) => void): (...values: A) => void
  close(): void
}
type Sqlite = new (path: string) => Database

const rowsPerTransaction = 1000
const everything = -1

/** SQLite through its fastest binding, one transaction for every 1,000 messages. */
export function openSqlite(options: StoreOptions): Store {
  const Sqlite = requirePackage<Sqlite>(options.packageDirectory, 'better-sqlite3')
  const database = new Sqlite(join(options.directory, 'data.db'))
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = NORMAL')
  database.exec('CREATE TABLE IF NOT EXISTS messages (offset INTEGER PRIMARY KEY, value BLOB NOT NULL)')
  const insert = database.prepare('INSERT INTO messages (value) VALUES (?)')
  const select = database.prepare('SELECT offset, value FROM messages ORDER BY offset LIMIT ?').raw(true)
  const insertMany = database.transaction((values: readonly Uint8Array[], from: number, to: number) => {
    for (let index = from; index < to; index++) insert.run(valueAt(values, index))
  })

  return {
    async append(messages, values) {
      for (let from = 0; from < messages; from += rowsPerTransaction) {
        insertMany(values, from, Math.min(from + rowsPerTransaction, messages))
      }
    },

    appendOne(value) {
      insert.run(value)
      return undefined
    },

    async read(limit = everything): Promise<ReadCount> {
      let messages = 0
      let bytes = 0
      for (const [, value] of select.iterate(limit)) {
        messages++
        bytes += value.length
      }
      return { messages, bytes }
    },

    async close() {
      database.close()
    },
  }
}
