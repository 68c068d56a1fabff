/**
 * What the public face needs of a storage engine: values are bytes already, arguments are valid. The local engine is
 * the one there is; a distributed one can stand behind the same lines.
 */
import type { Durability } from '../dispatcher/append-side.js'
import type { Extras } from '../dispatcher/frame-encoder.js'
import type { Resume } from '../storage/topic-reader.js'
import type { ChunkAnswer } from '../threads/reader.js'
import type { LogStats, SegmentResidency } from './stats.js'

/** A topic of one open log; the same object for the same name. */
export interface EngineTopic {
  readonly name: string
  readonly id: number
}

export interface Engine {
  readonly directory: string
  /** Longest value; longer ones are refused before anything is written. */
  readonly maxMessageBytes: number
  readonly durability: Durability
  topic(name: string): EngineTopic
  topicNames(): string[]
  append(topic: EngineTopic, value: Uint8Array, extras: Extras | undefined, level: Durability): Promise<number>
  appendMany(
    topic: EngineTopic,
    values: readonly Uint8Array[],
    extras: Extras | undefined,
    level: Durability,
  ): Promise<number>
  offer(topic: EngineTopic, value: Uint8Array, extras: Extras | undefined): boolean
  ready(): Promise<void>
  trim(topic: EngineTopic, before: number): Promise<void>
  flush(level: Durability): Promise<void>
  flushSync(level: Durability): void
  /** First readable offset and offset of the next append, as published at this moment. */
  first(topic: EngineTopic): number
  next(topic: EngineTopic): number
  /**
   * Calls `resolve` once when the topic has a message at `offset` or the log closes, `reject` when there will never be
   * one. Returns a function that cancels.
   */
  whenNext(topic: EngineTopic, offset: number, resolve: () => void, reject: (error: unknown) => void): () => void
  /** A chunk with at least the record at `offset`, which must be published. */
  chunk(topic: EngineTopic, offset: number, to: number, resume: Resume | undefined): Promise<ChunkAnswer>
  /** A one-record chunk; of length 0 if it was trimmed meanwhile. */
  record(topic: EngineTopic, offset: number): Promise<{ bytes: Uint8Array; length: number }>
  records(topic: EngineTopic, offsets: number[]): Promise<{ bytes: Uint8Array; lengths: number[] }>
  offsetAt(topic: EngineTopic, time: number): Promise<number>
  scan(topic: EngineTopic, from: number, to: number, module: string, signal: AbortSignal | undefined): Promise<unknown>
  stats(): LogStats
  residency(): Promise<SegmentResidency[]>
  /** Fails with `BOOKEND_CLOSED` once {@link close} was called. */
  checkOpen(): void
  close(): Promise<void>
}
