import type { ContenderName } from './contenders/catalogue.js'
import type { Level } from './contenders/contender.js'
import type { QueueJobKind } from './jobs/cases.js'
import type { ServerJobKind } from './servers/cases.js'

/** What a child process is told to do: one case, one contender, once. Sent as a message, so plain data only. */
export interface Job {
  readonly kind: JobKind
  readonly contender: ContenderName
  readonly directory: string
  readonly packageDirectory: string
  /** Of a contender, and of a workload, from outside. */
  readonly contenderModule?: string
  readonly workloadModule?: string
  readonly level: Level
  readonly messages: number
  readonly messageBytes: number
  /** What the case varies besides the size: writers, topics, readers, groups, threads, batch, bytes of backlog; 0 where nothing. */
  readonly parameter: number
  /** Done first and not measured, in the same process. */
  readonly warmupMessages: number
  /** Work that can be done again is, for so long, before it is measured. */
  readonly warmupSeconds: number
  /** How long a case lasts that goes by time, and at which rate messages are due in it. */
  readonly seconds: number
  readonly ratePerSecond: number
  readonly segmentBytes?: number
  readonly mapTtlMs?: number
  /** Of the job's process and the page cache of its files. */
  readonly memoryBytes?: number
}

/** `fill` writes the data for a case, `fill-queue` the backlog of a queue; the `-and-wait` form waits to be killed. */
export type JobKind =
  | 'append'
  | 'append-batches'
  | 'append-topics'
  | 'in-flight'
  | 'latency'
  | 'paced'
  | 'follow'
  | 'read'
  | 'read-batches'
  | 'scan'
  | 'get'
  | 'get-many'
  | 'mixed'
  | 'append-expected'
  | 'append-version'
  | 'append-numbered'
  | 'append-id'
  | 'transact'
  | 'find-key'
  | 'find-time'
  | 'find-group'
  | 'find-cost'
  | 'find-append'
  | 'entries'
  | 'open'
  | 'idle'
  | 'queue'
  | 'queue-backlog'
  | 'fan-out'
  | 'process'
  | 'process-paced'
  | 'threads'
  | 'threads-json'
  | 'threads-lone'
  | 'threads-fair'
  | 'threads-read'
  | 'threads-consume'
  | 'follower'
  | 'follower-idle'
  | 'followers'
  | ServerJobKind
  | QueueJobKind
  | 'jobs-pending'
  | 'transfer-file'
  | 'transfer-unix'
  | 'transfer-tcp'
  | 'cold-read'
  | 'idle-memory'
  | 'workload'
  | 'fill'
  | 'fill-queue'
  | 'fill-finding'
  | 'fill-state'
  | 'fill-pending'
  | 'fill-and-wait'

/** What a job measured: figures by name, the unit last in the name. */
export type Figures = Readonly<Record<string, number>>

export interface Outcome {
  readonly figures: Figures
  /** Latencies in microseconds: an HDR histogram in its compressed, portable form. */
  readonly histogram?: string
}

/** The child's one answer. */
export type Answer = Outcome | { readonly unavailable: string } | { readonly failure: string }
