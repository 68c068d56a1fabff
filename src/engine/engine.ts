/**
 * What the public face needs of a storage engine: values are bytes already, arguments are valid. The local engine is
 * the one there is; a distributed one can stand behind the same lines.
 */
import type { Durability } from '../dispatcher/appends/append-side.js'
import type { GroupCommits } from '../dispatcher/groups/group-commits.js'
import type { GroupDesk } from '../dispatcher/groups/group-desk.js'
import type { GroupProcessor, ProcessorOptions } from '../dispatcher/processing/processor.js'
import type { Extras } from '../format/frame-encoder.js'
import type { BackupReport } from '../storage/life/backup.js'
import type { Retention } from '../storage/life/retention.js'
import type { Resume } from '../storage/read/topic-reader.js'
import type { ChunkAnswer, RecordsAnswer } from '../threads/reader/reader.js'
import type { LogStats, SegmentInfo, SegmentResidency } from './stats.js'

/** A topic of one open log; the same object for the same name. */
export interface EngineTopic {
  readonly name: string
  readonly id: number
}

/** How to process, checked, but for what only the engine knows. */
export interface ProcessSettings extends Omit<ProcessorOptions, 'concurrency'> {
  /** undefined: as many as there are reader threads. */
  readonly concurrency: number | undefined
  readonly deadLetter: string | undefined
  readonly maxHeapMb: number | undefined
}

export interface Engine {
  readonly directory: string
  /** False: a log of somebody else, seen as it was when it was opened. Nothing can be written, and nothing new comes. */
  readonly isWritable: boolean
  /** Longest value; longer ones are refused before anything is written. */
  readonly maxMessageBytes: number
  /** What a segment holds at most: no log with segments of this size takes longer values. */
  readonly segmentMessageBytes: number
  readonly durability: Durability
  /** The consumer groups and how far they have come. */
  readonly groups: GroupCommits
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
  /** @throws RangeError above the next offset */
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
  /** One-record chunks, in one memory. */
  records(topic: EngineTopic, offsets: readonly number[]): Promise<RecordsAnswer[]>
  offsetAt(topic: EngineTopic, time: number): Promise<number>
  scan(topic: EngineTopic, from: number, to: number, module: string, signal: AbortSignal | undefined): Promise<unknown>
  /** The desk of a group, which need not exist yet; the same object for the same names. */
  group(topic: EngineTopic, name: string): GroupDesk
  /** Starts a processor with threads of its own, which ends before the log does. @throws RangeError */
  process(desk: GroupDesk, module: string, settings: ProcessSettings): GroupProcessor
  /** Copies everything handed over so far, and perhaps more, into a directory that is empty or not there. */
  backup(target: string, signal: AbortSignal | undefined): Promise<BackupReport>
  stats(): LogStats
  residency(): Promise<SegmentResidency[]>
  segments(limit: number): Promise<SegmentInfo[]>
  /** In force from now on, whether the topic exists yet or not. */
  retain(topic: string, retention: Retention, isAddition: boolean): void
  /** Called once each, when the log closes: for who would keep it in memory, or wait for ever. */
  readonly onClose: Set<() => void>
  /** False once {@link close} was called. */
  readonly isOpen: boolean
  /** Fails with `BOOKEND_CLOSED` once {@link close} was called. */
  checkOpen(): void
  /** The same, and with `BOOKEND_READ_ONLY` where nothing may be written. */
  checkWritable(): void
  close(): Promise<void>
}
