import { join } from 'node:path'
import { requirePackage } from '../peer-packages.js'
import { type QueueStore, type ReadCount, type Store, type StoreOptions, valueAt } from './contender.js'

/** The little of lmdb-js that is used here; its own types are not installed beside the root's. */
interface Lmdb {
  open(options: Readonly<Record<string, unknown>>): Database
}
type Key = number | readonly [number, number]
interface Database {
  put(key: Key, value: Uint8Array): Promise<boolean>
  remove(key: Key): Promise<boolean>
  get(key: Key): Uint8Array | undefined
  getRange(options?: { limit?: number }): Iterable<{ key: number; value: Uint8Array }>
  getKeys(options: { limit: number; reverse?: boolean }): Iterable<number>
  getCount(): number
  transaction<R>(work: () => R): Promise<R>
  close(): Promise<void>
}

/** Puts between two awaits: enough for large transactions, few enough that promises do not pile up in the heap. */
const putsPerAwait = 10_000

function openDatabase(options: StoreOptions, file = 'data.mdb', keyEncoding = 'uint32'): Database {
  const { open } = requirePackage<Lmdb>(options.packageDirectory, 'lmdb')
  const isDisk = options.level === 'disk'
  const path = join(options.directory, file)
  return open({ path, encoding: 'binary', keyEncoding, ...(isDisk ? { overlappingSync: false } : {}) })
}

/**
 * lmdb-js with asynchronous, batched puts under integer keys.
 * @param firstKey where several threads append: of this one; else behind the last that is there
 */
export function openLmdb(options: StoreOptions, firstKey?: number): Store {
  const database = openDatabase(options)
  let nextKey = firstKey ?? nextKeyOf(database)

  return {
    async append(messages, values) {
      let last: Promise<boolean> | undefined
      for (let index = 1; index <= messages; index++) {
        last = database.put(nextKey++, valueAt(values, index))
        if (index % putsPerAwait === 0) await last
      }
      await last
    },

    async appendBatches(messages, values, batch) {
      for (let done = 0; done < messages; done += batch) {
        const length = Math.min(batch, messages - done)
        await database.transaction(() => {
          for (let index = 0; index < length; index++) database.put(nextKey++, valueAt(values, done + index))
        })
      }
    },

    async appendTopics(messages, values, topics) {
      // Keys of several parts need a database without integer keys.
      const byTopic = openDatabase(options, 'topics.mdb', 'ordered-binary')
      let last: Promise<boolean> | undefined
      for (let index = 0; index < messages; index++) {
        last = byTopic.put([index % topics, Math.floor(index / topics)], valueAt(values, index))
        if (index % putsPerAwait === 0) await last
      }
      await last
      await byTopic.close()
    },

    appendOne: (value) => database.put(nextKey++, value),

    async read(limit): Promise<ReadCount> {
      let messages = 0
      let bytes = 0
      for (const { value } of database.getRange(limit === undefined ? {} : { limit })) {
        messages++
        bytes += value.length
      }
      return { messages, bytes }
    },

    get: (offset) => database.get(offset),
    getMany: (offsets) => offsets.map((offset) => database.get(offset)),
    count: () => nextKeyOf(database),
    close: () => database.close(),
  }
}

/** A queue over the same keys: the smallest one is taken out in a transaction of its own. */
export function openLmdbQueue(options: StoreOptions): QueueStore {
  const database = openDatabase(options)
  let nextKey = nextKeyOf(database)
  return {
    push: (value) => database.put(nextKey++, value),
    pop: () =>
      database.transaction(() => {
        for (const { key, value } of database.getRange({ limit: 1 })) {
          database.remove(key)
          return value
        }
        return undefined
      }),
    size: () => database.getCount(),
    close: () => database.close(),
  }
}

function nextKeyOf(database: Database): number {
  for (const key of database.getKeys({ limit: 1, reverse: true })) return key + 1
  return 0
}
