import { join } from 'node:path'
import { requirePackage } from '../peer-packages.js'
import { type QueueStore, type ReadCount, type Store, type StoreOptions, valueAt } from './contender.js'

/** The little of better-sqlite3 that is used here; its own types are not installed beside the root's. */
interface Statement {
  run(...values: unknown[]): unknown
  raw(enabled: boolean): Statement
  pluck(enabled: boolean): Statement
  get(...values: unknown[]): unknown
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

export const rowsPerTransaction = 1000
const everything = -1

/** A file of its own in the directory, in WAL mode; flushed at every commit at level `disk`. */
export function openDatabase(options: StoreOptions): Database {
  const Sqlite = requirePackage<Sqlite>(options.packageDirectory, 'better-sqlite3')
  const database = new Sqlite(join(options.directory, 'data.db'))
  database.pragma('journal_mode = WAL')
  database.pragma(`synchronous = ${options.level === 'disk' ? 'FULL' : 'NORMAL'}`)
  return database
}

/** SQLite through its fastest binding, one transaction for every 1,000 messages. */
export function openSqlite(options: StoreOptions): Store {
  const database = openDatabase(options)
  database.exec('CREATE TABLE IF NOT EXISTS messages (offset INTEGER PRIMARY KEY, value BLOB NOT NULL)')
  const insert = database.prepare('INSERT INTO messages (value) VALUES (?)')
  const select = database.prepare('SELECT offset, value FROM messages ORDER BY offset LIMIT ?').raw(true)
  const selectOne = database.prepare('SELECT value FROM messages WHERE offset = ?').pluck(true)
  const selectCount = database.prepare('SELECT coalesce(max(offset), 0) FROM messages').pluck(true)
  const insertMany = database.transaction((values: readonly Uint8Array[], from: number, to: number) => {
    for (let index = from; index < to; index++) insert.run(valueAt(values, index))
  })
  // Row ids begin at 1.
  const get = (offset: number) => selectOne.get(offset + 1) as Uint8Array | undefined

  async function appendBatches(messages: number, values: readonly Uint8Array[], batch: number): Promise<void> {
    for (let from = 0; from < messages; from += batch) insertMany(values, from, Math.min(from + batch, messages))
  }

  return {
    append: (messages, values) => appendBatches(messages, values, rowsPerTransaction),
    appendBatches,

    async appendTopics(messages, values, topics) {
      database.exec(
        'CREATE TABLE IF NOT EXISTS topics (topic INTEGER, offset INTEGER, value BLOB NOT NULL, PRIMARY KEY (topic, offset)) WITHOUT ROWID',
      )
      const insertTopic = database.prepare('INSERT OR REPLACE INTO topics VALUES (?, ?, ?)')
      const insertRange = database.transaction((from: number, to: number) => {
        for (let index = from; index < to; index++) {
          insertTopic.run(index % topics, Math.floor(index / topics), valueAt(values, index))
        }
      })
      for (let from = 0; from < messages; from += rowsPerTransaction) {
        insertRange(from, Math.min(from + rowsPerTransaction, messages))
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

    get,
    getMany: (offsets) => offsets.map(get),
    count: () => selectCount.get() as number,

    async close() {
      database.close()
    },
  }
}

/** The queue table that most people write: insert at the end, delete the smallest id and return it. */
export function openSqliteQueue(options: StoreOptions): QueueStore {
  const database = openDatabase(options)
  database.exec('CREATE TABLE IF NOT EXISTS queue (id INTEGER PRIMARY KEY, value BLOB NOT NULL)')
  const insert = database.prepare('INSERT INTO queue (value) VALUES (?)')
  const take = database.prepare('DELETE FROM queue WHERE id = (SELECT min(id) FROM queue) RETURNING value').pluck(true)
  const count = database.prepare('SELECT count(*) FROM queue').pluck(true)
  return {
    push(value) {
      insert.run(value)
      return undefined
    },
    pop: () => take.get() as Uint8Array | undefined,
    size: () => count.get() as number,
    async close() {
      database.close()
    },
  }
}
