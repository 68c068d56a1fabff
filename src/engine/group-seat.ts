/** The contract of groups: who consumes takes a seat, is given messages, and settles each of them. */
import type { RecordPlace } from '../messages/chunk-cursor.js'
import type { CodecName } from '../messages/codec.js'
import type { PaceLimit } from '../pace.js'
import type { Filter, GroupPosition } from './terms.js'

/** One group of a topic. It comes to be with the first {@link EngineGroup.subscribe} that asks for a message, or a seek. */
export interface EngineGroup {
  readonly name: string
  /**
   * From now on the group is given what matches, and passes the rest, until it is removed. It is not stored. Only where
   * `Supports.filteredGroups`.
   * @throws TypeError if it has another filter, or is at work without one; an engine that has to ask for that may say it with the first use
   */
  filter(filter: Filter): void
  /**
   * A seat for one consumer.
   * @param make makes what the consumer is given out of the message and its lease, so that one object can be both; what it throws is told
   *   to the consumer, and the message goes back as it came
   */
  subscribe<D extends object>(
    make: (record: RecordPlace, lease: EngineLease) => D,
    options: SubscribeOptions,
  ): Subscription<D>
  /** A group that was never used stands at the oldest readable message. */
  position(): Promise<GroupPosition>
  /** Goes on from `to`, which is within the topic's bounds. What is held means nothing any more. Resolves once it survives a crash. */
  seek(to: number): Promise<void>
  /** Forgets the group; its subscriptions and processors end. */
  remove(): Promise<void>
  /** First offset that nobody has acknowledged or holds; undefined: there is none. */
  peek(): Promise<number | undefined>
  /** As far as this process knows; by what it did itself, or saw at the last {@link peek}. */
  isDone(offset: number): boolean
  /** Starts a processor, which ends before the log does. Its dead letters go to another topic. */
  process(module: string, settings: ProcessSettings): EngineProcessor
}

export interface SubscribeOptions {
  /** Where a group starts that has never been used. */
  readonly from: 'first' | 'next'
  /** The most messages held at a time. */
  readonly prefetch: number
  /** What is held for so long without being settled goes to the next who asks, ms; Infinity: never. */
  readonly ackTimeoutMs: number
  /** Gives the seat up when it aborts. */
  readonly signal: AbortSignal | undefined
}

/** One consumer. What it holds and has not settled goes back when it closes, or after `ackTimeoutMs`. */
export interface Subscription<D extends object> {
  /** False once {@link close} was called, or the group was removed: then nothing more comes. */
  readonly isOpen: boolean
  /**
   * The next message: without a promise where it is at hand, otherwise as soon as there is one and everybody who asked before is served.
   * Undefined: none came before the deadline (as `performance.now()`), the seat was given up, or the group was removed.
   * @throws the signal's reason; `BOOKEND_CORRUPT` at damage; `BOOKEND_CLOSED`. Nothing is taken then
   */
  next(deadlineMs: number, signal: AbortSignal | undefined): D | Promise<D | undefined>
  /**
   * Acknowledges a message that {@link next} has thrown `BOOKEND_CORRUPT` for: it was told elsewhere. Nothing happens if that is long ago. Undefined where nothing is damaged.
   */
  passDamaged?(offset: number): Promise<void>
  /** Gives the seat up, and back what is held; whoever waits is told. */
  close(): void
}

/** A message held. Valid after its time has run out: a late acknowledgement says the truth as well. */
export interface EngineLease {
  readonly offset: number
  /** 1 for the first delivery. */
  readonly attempt: number
  /** Resolves once the message does not come again, whatever dies. Idempotent. @throws (at once) `BOOKEND_CLOSED` */
  acknowledge(): Promise<void>
  /**
   * For whoever asks then, not before `delayMs`. Nothing happens if it is not held any more.
   * @param attempt that it comes as: the next one unless said
   */
  giveBack(delayMs: number, attempt?: number): void
  /** Still at work: `ackTimeoutMs` starts anew. Nothing happens if it is not held any more. */
  extend(): void
}

/** What a processor does: handles messages, rests, has ended because it was asked to, or by itself. */
export type ProcessorState = 'running' | 'paused' | 'stopped' | 'failed'

/** In which order a processor handles messages: see `ProcessOptions.order`. */
export type ProcessOrder = 'topic' | 'key' | 'none'

/** Whether handlers get copies of messages, or see them where the log has them. */
export type HandlerViews = 'copied' | 'mapped'

/** How to process, complete and checked. */
export interface ProcessSettings {
  /** undefined: as many as there are reader threads. */
  readonly concurrency: number | undefined
  readonly batchSize: number
  readonly order: ProcessOrder
  readonly views: HandlerViews
  /** Of the topic; undefined: handlers get bytes. */
  readonly codec: CodecName | undefined
  /** Attempts after the first one. */
  readonly retries: number
  /** The pause after the first attempt, ms; doubled with each further one. */
  readonly backoffMs: number
  /** A message that failed is acknowledged and scheduled anew. Only where `Supports.schedules`. */
  readonly durableRetries: boolean
  /** Messages begun in any stretch of time. */
  readonly limiter: PaceLimit | undefined
  /** Topic that is told what becomes of each message. Of functions only. */
  readonly results: string | undefined
  readonly timeoutMs: number
  readonly deadLetter: string | undefined
  readonly maxHeapMb: number | undefined
  readonly from: 'first' | 'next'
  readonly signal: AbortSignal | undefined
  /** For the handler: structured-cloneable. */
  readonly data: unknown
}

/** A processor at work. */
export interface EngineProcessor extends AsyncDisposable {
  readonly stats: { readonly processed: number; readonly failed: number; readonly deadLettered: number }
  /** Resolves when it has ended because it was asked to; rejects with what ended it otherwise. */
  readonly finished: Promise<void>
  readonly state: ProcessorState
  /** What ended it by itself. */
  readonly error: Error | undefined
  /** Resolves when no call of the handler is under way. */
  pause(): Promise<void>
  resume(): void
  idle(): Promise<void>
  stop(): Promise<void>
}
