/** What a job and the processes that follow it say to each other: plain data. */
import type { ContenderName } from '../contenders/catalogue.js'

/** The only arguments of a follower's process, as JSON. */
export interface Assignment {
  readonly contender: ContenderName
  readonly directory: string
}

export type FollowerOrder =
  /** What came since the last report, as soon as the message is there that was due at `untilUs`. */
  | { readonly kind: 'report'; readonly untilUs: number }
  /** What it costs to do nothing. */
  | { readonly kind: 'idle'; readonly seconds: number }

/** The first answer of a follower is that it follows. */
export interface FollowerReport {
  /** From due to seen, of each message. */
  readonly us: readonly number[]
  /** Of the whole process. */
  readonly cpuMs: number
  readonly switches: number
}
