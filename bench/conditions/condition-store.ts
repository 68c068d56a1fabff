/** What is asked of whoever writes under conditions, or several things at one moment. */
import type { StoreOptions } from '../contenders/contender.js'
import type { Job } from '../job.js'

/** Writes of one kind. */
export interface ConditionalWrites {
  /** So many are about to come that take something that is there. */
  prepare?(count: number, values: readonly Uint8Array[]): Promise<void>
  /** Undefined: it is written when the call returns. */
  write(value: Uint8Array): Promise<unknown> | undefined
  /** How many messages there are by now. */
  written(): Promise<number> | number
}

export interface ConditionStore {
  /** Without any. */
  readonly plain: ConditionalWrites
  /** Each only as the next message: at a number that the caller knows. */
  readonly expected: ConditionalWrites
  /** Each under an id, once however often it comes. */
  readonly named: ConditionalWrites
  /** Each with the end of the message that it comes of. */
  readonly transact: ConditionalWrites
  /** Each only where nothing has its key. Undefined: it has no such condition. */
  readonly versioned?: ConditionalWrites
  /** Each with a number that is above the last one. */
  readonly numbered?: ConditionalWrites
  close(): Promise<void>
}

export type ConditionKind = Exclude<keyof ConditionStore, 'plain' | 'close'>

export const idOf = (index: number) => `id-${index}`

export async function openConditionStore(job: Job, options: StoreOptions): Promise<ConditionStore> {
  switch (job.contender) {
    case 'bookend':
      return (await import('./bookend.js')).openBookendConditions(options)
    case 'lmdb':
      return (await import('./lmdb.js')).openLmdbConditions(options)
    case 'better-sqlite3':
      return (await import('./better-sqlite3.js')).openSqliteConditions(options)
    default:
      throw new Error(`${job.contender} writes under no conditions`)
  }
}
