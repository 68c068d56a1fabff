/** What a crew and its members say to each other: plain data. */
import type { ContenderName } from '../contenders/catalogue.js'

export type Order =
  /** Values of so many bytes, or made as JSON, until the last is published. */
  | { readonly work: 'append'; readonly messages: number; readonly messageBytes: number }
  | { readonly work: 'append-json'; readonly messages: number }
  /** Until the phase is `over`; what was accepted while it was `counted` is counted. */
  | { readonly work: 'flood'; readonly messageBytes: number }
  /** One awaited append after the other, with a pause in between; each is timed. */
  | { readonly work: 'append-alone'; readonly messages: number; readonly messageBytes: number }
  /** Everything that is there, a batch at a time. */
  | { readonly work: 'read' }
  /** Makes a group that has everything before it: that is flushed, and is not what consuming costs. */
  | { readonly work: 'make-group'; readonly group: string }
  /** With all others of the crew, until `messages` are acknowledged. */
  | { readonly work: 'consume'; readonly group: string; readonly messages: number }
  | { readonly work: 'leave' }

/** How many messages it worked off, and how long each took where that was asked for. */
export interface Done {
  readonly messages: number
  readonly us?: readonly number[]
}

/** The first answer of a member is that it is there. */
export type Report = Done | { readonly failure: string }

export interface Enlistment {
  readonly contender: ContenderName
  readonly pass: unknown
  /** Of the whole crew, see `phaseWord` and `settledWord`. */
  readonly words: Int32Array
}

export const phaseWord = 0
export const phases = { begun: 0, counted: 1, over: 2 } as const
/** Messages that the crew has acknowledged, in the order that is worked on. */
export const settledWord = 1
