/** What is asked of whoever finds messages by what they are: by key, by time. */
import type { StoreOptions } from '../contenders/contender.js'
import type { Job } from '../job.js'

export interface Finder {
  /** As fast as the store takes them; each with the key and the type that {@link keyOf} and {@link typeOf} say. Settles when all can be found. */
  fill(messages: number, values: readonly Uint8Array[]): Promise<void>
  /** The newest message with a key. */
  last(key: string): Promise<Uint8Array | undefined> | Uint8Array | undefined
  /** When the first message came, and the last, ms. */
  times?(): Promise<{ first: number; last: number }> | { first: number; last: number }
  /** Number of the first message at or after a time. */
  offsetAt?(time: number): Promise<number> | number
  close(): Promise<void>
}

/** One message in so many is what a filtered group is for. */
export const rareEvery = 100

export const keysOf = (messages: number) => Math.ceil(messages / 4)
export const keyOf = (index: number, messages: number) => `key-${index % keysOf(messages)}`
export const typeOf = (index: number) => (index % rareEvery === 0 ? 'rare' : 'usual')

export async function openFinder(job: Job, options: StoreOptions): Promise<Finder> {
  switch (job.contender) {
    case 'bookend':
      return (await import('./bookend.js')).openBookendFinder(job)
    case 'lmdb':
      return (await import('./lmdb.js')).openLmdbFinder(options)
    case 'better-sqlite3':
      return (await import('./better-sqlite3.js')).openSqliteFinder(options)
    default:
      throw new Error(`${job.contender} finds nothing`)
  }
}
