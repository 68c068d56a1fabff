/** What threads that serve streams of one log, and the one that has the registry, say to each other: lists of these, in their order. */
import type { MessagePort } from 'node:worker_threads'
import type { Reply } from '../exchange.js'
import type { MadeState } from '../stream-state.js'

/** What a thread is given to serve the same streams, as it travels. */
export interface StreamsPort {
  /** The transfer list that has to go with it. */
  readonly ports: readonly MessagePort[]
}

/** To the registry. */
export type ThreadMessage =
  | { readonly kind: 'find'; readonly number: number; readonly topic: string }
  | { readonly kind: 'change'; readonly number: number; readonly change: PassedChange }
  /** A copy has been used. */
  | { readonly kind: 'used'; readonly topic: string }
  /** Nothing is done any more by a copy that was recalled. */
  | { readonly kind: 'returned'; readonly topic: string }

/** To a thread. */
export type RegistryMessage =
  /** The stream, and in front of it those that it is forked from; none: there is no such stream. */
  | { readonly kind: 'found'; readonly number: number; readonly topic: string; readonly chain: readonly GivenState[] }
  | { readonly kind: 'answer'; readonly number: number; readonly reply: Reply }
  | { readonly kind: 'refused'; readonly number: number; readonly topic: string; readonly refusal: RefusedAnswer }
  | { readonly kind: 'recall'; readonly topic: string }

export interface GivenState {
  readonly topic: string
  readonly state: MadeState
  /** Ms since it was used. */
  readonly idleMs: number
}

export interface RefusedAnswer {
  readonly status: number
  readonly message: string
  readonly headers: Record<string, string>
}

export interface PassedChange {
  readonly topic: string
  readonly control: string | undefined
  readonly source: string | undefined
  readonly method: string
  readonly path: string
  readonly client: string | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array
}
