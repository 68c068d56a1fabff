/** What a case says of itself. */
import type { ContenderName } from '../contenders/catalogue.js'
import type { Level } from '../contenders/contender.js'
import type { JobKind } from '../job.js'

/** How large a run is. */
export interface Scale {
  readonly isFull: boolean
  readonly sizes: readonly number[]
  /** Payload of a case whose length is not fixed otherwise. */
  readonly dataBytes: number
  /** Instead of `dataBytes`: so many messages, whatever their size. */
  readonly messages: number | undefined
  /** Length of cases that go by time. */
  readonly seconds: number
  readonly warmupSeconds: number
  /** Backlogs, in bytes; ascending. */
  readonly backlogs: readonly number[]
}

/** One place on a case's axes. */
export interface Point {
  readonly messageBytes: number
  readonly parameter: number
  readonly messages: number
  /** Messages that are there before, written by a process of its own. */
  readonly before?: number
}

export type Parameter =
  | 'batch'
  | 'writers'
  | 'topics'
  | 'readers'
  | 'groups'
  | 'consumers'
  | 'concurrency'
  | 'pending'
  | 'threads'
  | 'followers'
  | 'flush'
  | 'backlog'

export interface BenchCase {
  readonly name: string
  readonly section:
    | 'Append'
    | 'Latency'
    | 'Conditions'
    | 'Read'
    | 'Finding'
    | 'Larger than memory'
    | 'As the log grows'
    | 'Queues and groups'
    | 'Jobs'
    | 'Threads'
    | 'Processes'
    | 'Servers'
    | 'At rest'
    | 'Moving bytes'
    | 'Your own'
  readonly title: string
  readonly kind: JobKind
  readonly contenders: readonly ContenderName[]
  /** The figure that stands in tables, ratios and plots. */
  readonly headline: string
  readonly better: 'more' | 'less'
  readonly parameter?: Parameter
  readonly level?: Level
  /** Data written once per contender, or before every round where a round spoils it. */
  readonly fill?: { readonly kind: JobKind; readonly when: 'once' | 'every round' }
  /** Messages that are due a second, where the usual rate is not what the case is about. */
  readonly ratePerSecond?: number
  /** A job may use so much memory, the page cache of its files included; the cache is dropped before it. Linux, root. */
  readonly memoryBytes?: number
  /** Takes long: part of a full run, else only if it is named. */
  readonly isLong?: boolean
  readonly points: (scale: Scale) => readonly Point[]
}
