/** What the measurement needs of the product and of each peer, and nothing that only one of them has to offer. */

/** Where and how a store is opened. */
export interface StoreOptions {
  readonly directory: string
  /** Folder in which the peer's package is installed; unused by the product, the bare loop and `write-sync`. */
  readonly packageDirectory: string
  /** Smoke runs use small segments, so that their few bytes still make several files. */
  readonly segmentBytes?: number
  readonly readers?: number
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
  /** Appends one message; awaited by the caller. Synchronous stores return when it is written. */
  appendOne?(value: Uint8Array): Promise<unknown> | undefined
  /** Reads in order, up to `limit` messages, each as bytes the application owns. */
  read?(limit?: number): Promise<ReadCount>
  /** The same, a batch at a time, where the store has such a form of its own. */
  readBatches?(limit?: number): Promise<ReadCount>
  /** Visits everything without bringing it to the application's thread. */
  scan?(): Promise<ReadCount>
  close(): Promise<void>
}

/** Values are taken from the pool in turn; its size is a power of two. */
export function valueAt(values: readonly Uint8Array[], index: number): Uint8Array {
  return values[index & (values.length - 1)]!
}
