import { join } from 'node:path'
import { type StoreOptions, valueAt } from '../contenders/contender.js'
import { requirePackage } from '../peer-packages.js'
import { type Finder, keyOf } from './finder.js'

interface Database {
  put(key: number | string, value: Uint8Array | number): Promise<boolean>
  get(key: number | string): unknown
  close(): Promise<void>
}
interface Lmdb {
  open(options: Readonly<Record<string, unknown>>): Database
}

/** Puts between two awaits. */
const putsPerAwait = 10_000

/** Messages under their numbers, and in a second file the number of the newest under each key. */
export function openLmdbFinder(options: StoreOptions): Finder {
  const { open } = requirePackage<Lmdb>(options.packageDirectory, 'lmdb')
  const path = (file: string) => join(options.directory, file)
  const messages = open({ path: path('data.mdb'), encoding: 'binary', keyEncoding: 'uint32' })
  const newest = open({ path: path('keys.mdb') })
  return {
    async fill(count, values) {
      let last: Promise<unknown> | undefined
      for (let index = 0; index < count; index++) {
        last = Promise.all([messages.put(index, valueAt(values, index)), newest.put(keyOf(index, count), index)])
        if (index % putsPerAwait === 0) await last
      }
      await last
    },
    last(key) {
      const number = newest.get(key) as number | undefined
      return number === undefined ? undefined : (messages.get(number) as Uint8Array)
    },
    async close() {
      await messages.close()
      await newest.close()
    },
  }
}
