import type { MessagePort } from 'node:worker_threads'
import type { Log } from 'bookend'
import type { ContenderName } from '../contenders/catalogue.js'
import type { StoreOptions } from '../contenders/contender.js'

/** A store that several threads use at once, seen from the thread that opened it. */
export interface SharedStore {
  /** What one more thread needs to get in: for `workerData`, with its transfer list. Made once a thread. */
  entry(): Promise<Entry>
  close(): Promise<void>
}

export interface Entry {
  /** Of the contender's own making; only its own half in the thread reads it. */
  readonly pass: unknown
  readonly transferList: readonly MessagePort[]
}

/** The same store, from within one of the threads. */
export interface EnteredStore {
  /** Appends as fast as the store takes it; settles when the last message is visible to everybody. */
  append(messages: number, values: readonly Uint8Array[]): Promise<void>
  /** The product's; its peers only append. */
  readonly log?: Log
  close(): Promise<void>
}

/** Loads one contender's adapter in the thread that opens it. */
export async function share(name: ContenderName, options: StoreOptions): Promise<SharedStore> {
  switch (name) {
    case 'bookend':
      return (await import('./bookend.js')).shareBookend(options)
    case 'post-message':
      return (await import('./post-message.js')).sharePostMessage(options)
    case 'lmdb':
      return (await import('./lmdb.js')).shareLmdb(options)
    default:
      throw new Error(`${name} is not for several threads here`)
  }
}

/** The same in a thread that gets in. */
export async function enter(name: ContenderName, pass: unknown): Promise<EnteredStore> {
  switch (name) {
    case 'bookend':
      return (await import('./bookend.js')).enterBookend(pass)
    case 'post-message':
      return (await import('./post-message.js')).enterPostMessage(pass)
    case 'lmdb':
      return (await import('./lmdb.js')).enterLmdb(pass)
    default:
      throw new Error(`${name} is not for several threads here`)
  }
}
