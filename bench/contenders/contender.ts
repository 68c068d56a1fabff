/** What the measurement needs of the product and of each peer, and nothing that only one of them has to offer. */

/** What an awaited append means; the same level is compared with the same. */
export type Level = 'process' | 'disk'

/** Where and how a store is opened. */
export interface StoreOptions {
  readonly directory: string
  /** Folder in which the peer's package is installed; unused by contenders that need none. */
  readonly packageDirectory: string
  readonly level: Level
  /** Smoke runs use small segments, so that their few bytes still make several files. */
  readonly segmentBytes?: number
  readonly readers?: number
  /** Of a contender from outside. */
  readonly module?: string
}

/** What a read saw. */
export interface ReadCount {
  readonly messages: number
  readonly bytes: number
}

/** An open store. The cases keep the time; an adapter only does the work, in the form its documentation recommends. */
export interface Store {
  /** Appends as fast as the store takes it; settles when the last message is visible to readers (see its settings). */
  append(messages: number, values: readonly Uint8Array[]): Promise<void>
  /** The same in groups that are there as a whole or not at all. */
  appendBatches?(messages: number, values: readonly Uint8Array[], batch: number): Promise<void>
  /** The same over many topics in turn. */
  appendTopics?(messages: number, values: readonly Uint8Array[], topics: number): Promise<void>
  /** Appends one message; awaited by the caller. Synchronous stores return when it is written. */
  appendOne?(value: Uint8Array): Promise<unknown> | undefined
  /** Reads in order, up to `limit` messages, each as bytes the application owns. */
  read?(limit?: number): Promise<ReadCount>
  /** The same, a batch at a time, where the store has such a form of its own. */
  readBatches?(limit?: number): Promise<ReadCount>
  /** Visits offsets `[from, to)` without bringing them to the application's thread. */
  scan?(from: number, to: number): Promise<ReadCount>
  /** One message by its offset. */
  get?(offset: number): Promise<Uint8Array | undefined> | Uint8Array | undefined
  /** Several at once. */
  getMany?(offsets: readonly number[]): Promise<(Uint8Array | undefined)[]> | (Uint8Array | undefined)[]
  /** Messages that are there. */
  count?(): Promise<number> | number
  close(): Promise<void>
}

/** A queue: every message is popped once, and is gone then. */
export interface QueueStore {
  push(value: Uint8Array): Promise<unknown> | undefined
  pop(): Promise<Uint8Array | undefined> | Uint8Array | undefined
  size(): Promise<number> | number
  close(): Promise<void>
}

/** Thrown where a contender cannot take part for a reason that is no fault: told in the report, not counted as a failure. */
export class Unavailable extends Error {}

/** Values are taken from the pool in turn; its size is a power of two. */
export function valueAt(values: readonly Uint8Array[], index: number): Uint8Array {
  return values[index & (values.length - 1)]!
}
