import { join } from 'node:path'
import { requirePackage } from '../peer-packages.js'
import { type ReadCount, type Store, type StoreOptions, valueAt } from './contender.js'

/** The little of lmdb-js that is used here; its own types are not installed beside the root's. */
interface Lmdb {
  open(options: Readonly<Record<string, unknown>>): Database
}
interface Database {
  put(key: number, value: Uint8Array): Promise<boolean>
  getRange(options?: { limit?: number }): Iterable<{ key: number; value: Uint8Array }>
  close(): Promise<void>
}

/** Puts between two awaits: enough for large transactions, few enough that promises do not pile up in the heap. */
const putsPerAwait = 10_000

/** lmdb-js with asynchronous, batched puts under integer keys. */
export function openLmdb(options: StoreOptions): Store {
  const { open } = requirePackage<Lmdb>(options.packageDirectory, 'lmdb')
  const database = open({ path: join(options.directory, 'data.mdb'), encoding: 'binary', keyEncoding: 'uint32' })
  let nextKey = 0

  return {
    async append(messages, values) {
      let last: Promise<boolean> | undefined
      for (let index = 1; index <= messages; index++) {
        last = database.put(nextKey++, valueAt(values, index))
        if (index % putsPerAwait === 0) await last
      }
      await last
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

    close: () => database.close(),
  }
}
