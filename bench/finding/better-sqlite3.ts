import { openDatabase, rowsPerTransaction } from '../contenders/better-sqlite3.js'
import { type StoreOptions, valueAt } from '../contenders/contender.js'
import { type Finder, keyOf } from './finder.js'

/** A table with an index on the key and one on the time. */
export function openSqliteFinder(options: StoreOptions): Finder {
  const database = openDatabase(options)
  database.exec(`
    CREATE TABLE IF NOT EXISTS messages (offset INTEGER PRIMARY KEY, time INTEGER NOT NULL, key TEXT, value BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS by_key ON messages (key);
    CREATE INDEX IF NOT EXISTS by_time ON messages (time)`)
  const insert = database.prepare('INSERT INTO messages (time, key, value) VALUES (?, ?, ?)')
  const select = database.prepare('SELECT value FROM messages WHERE key = ? ORDER BY offset DESC LIMIT 1').pluck(true)
  const selectTime = database
    .prepare('SELECT offset FROM messages WHERE time >= ? ORDER BY time, offset LIMIT 1')
    .pluck(true)
  const first = database.prepare('SELECT min(time) FROM messages').pluck(true)
  const last = database.prepare('SELECT max(time) FROM messages').pluck(true)
  const insertMany = database.transaction((from: number, to: number, count: number, values: readonly Uint8Array[]) => {
    for (let index = from; index < to; index++) insert.run(Date.now(), keyOf(index, count), valueAt(values, index))
  })
  return {
    async fill(count, values) {
      for (let from = 0; from < count; from += rowsPerTransaction)
        insertMany(from, Math.min(from + rowsPerTransaction, count), count, values)
    },
    last: (key) => select.get(key) as Uint8Array | undefined,
    times: () => ({ first: first.get() as number, last: last.get() as number }),
    // Row ids begin at 1.
    offsetAt: (time) => (selectTime.get(time) as number) - 1,
    async close() {
      database.close()
    },
  }
}
