/** What a thread that is attached to a log and the thread that owns it may ask of each other. Plain data both ways. */
import type { OffsetRange } from '../../collections/offset-ranges.js'
import type { PackedKeys } from '../../collections/packed-keys.js'
import type { DeskState, GivenLease } from '../../dispatcher/groups/desk-branch.js'
import type { LeasedRange } from '../../dispatcher/groups/lease.js'
import type { EngineFacts, KeyedRange, ScanRequest } from '../../engine/engine.js'
import type { ProcessorState, ProcessSettings } from '../../engine/group-seat.js'
import type { SegmentInfo, SegmentResidency } from '../../engine/stats.js'
import type {
  BackupReport,
  Durability,
  Filter,
  GroupInfo,
  GroupPosition,
  IdSpan,
  LogPort,
  PlannedMessage,
  Repeat,
  Retention,
  Ticket,
  TopicIndex,
  TransactionAnswer,
  TransactionParts,
} from '../../engine/terms.js'
import type { PortableError } from '../../errors.js'
import type { MemoryKind } from '../../memory/memory.js'
import type { SelectionTerms } from '../../messages/selection.js'
import type { ChunkAnswer, KeyedAnswer, NewestAnswer, RecordsAnswer } from '../../threads/reader/reader.js'
import type { SharedMemory } from '../../threads/shared-memory.js'
import type { AckShare, CommitShare } from '../group-transactions.js'
import type { LaneGrant } from '../lanes.js'
import type { CallParty, Transferred } from './calls.js'

/** What a thread gets when it connects. */
export interface Grant {
  readonly facts: EngineFacts
  readonly shared: SharedMemory
  /** Of the log. */
  readonly id: string
  readonly segmentBytes: number
  readonly io: MemoryKind
  /** As in `ReaderData`. */
  readonly footers: SharedArrayBuffer
  readonly epoch: number
  readonly tornBytes: number
  readonly damages: { from: number; to: number }[]
  /** A lane of its own. */
  readonly lane: LaneGrant
}

/** A group, as messages name it. */
export interface DeskName {
  readonly topic: string
  readonly group: string
}

/** What a group's books say at one moment. */
export interface BooksView {
  /** See `EngineGroup.peek`. */
  readonly offset: number | undefined
  readonly committed: number
  /** Done, above {@link committed}. */
  readonly ranges: readonly OffsetRange[]
}

/** As errors travel. */
export interface SentGroupInfo extends Omit<GroupInfo, 'processors'> {
  readonly processors: { state: ProcessorState; error: PortableError | undefined }[]
}

/** What can be sent of how to process: the signal stays with the caller. */
export type SentProcessSettings = Omit<ProcessSettings, 'signal'>

export interface ProcessorView {
  readonly stats: { readonly processed: number; readonly failed: number; readonly deadLettered: number }
  readonly state: ProcessorState
}

/** Asked of the owner. */
export interface OwnerCalls {
  connect(signal: AbortSignal): Promise<Transferred<Grant>>
  /** Everything of this thread is settled: it leaves. */
  detach(signal: AbortSignal): void
  port(signal: AbortSignal): Promise<Transferred<LogPort>>
  topicNames(signal: AbortSignal): Promise<string[]>
  groups(signal: AbortSignal): Promise<SentGroupInfo[]>
  flushGroups(signal: AbortSignal, level: Durability): Promise<void>
  trim(signal: AbortSignal, topic: string, before: number): Promise<void>
  transact(
    signal: AbortSignal,
    parts: TransactionParts,
    acks: readonly AckShare[],
    commits: readonly CommitShare[],
    level: Durability,
  ): Promise<TransactionAnswer>
  recallIds(signal: AbortSignal, topic: string, span: IdSpan): Promise<void>
  schedule(signal: AbortSignal, message: PlannedMessage, level: Durability): Promise<Ticket>
  repeat(signal: AbortSignal, repeat: Repeat, level: Durability): Promise<Ticket>
  endRepeat(signal: AbortSignal, topic: string, name: string, level: Durability): Promise<boolean>
  waiting(signal: AbortSignal, topic: string, id: string): Promise<Ticket | undefined>
  isUpToDate(signal: AbortSignal): Promise<boolean>
  cancelScheduled(signal: AbortSignal, topic: string, ticket: Ticket, level: Durability): Promise<boolean>
  retain(signal: AbortSignal, topic: string, retention: Retention, isAddition: boolean): void
  index(signal: AbortSignal, topic: string, index: TopicIndex): void
  backup(signal: AbortSignal, target: string): Promise<BackupReport>
  segments(signal: AbortSignal, limit: number): Promise<SegmentInfo[]>
  residency(signal: AbortSignal): Promise<SegmentResidency[]>
  /** By the reader threads of the owner. */
  chunk(
    signal: AbortSignal,
    topic: string,
    offset: number,
    to: number,
    resume: ChunkAnswer['resume'],
    wanted: SelectionTerms,
  ): Promise<Transferred<ChunkAnswer>>
  records(signal: AbortSignal, topic: string, offsets: readonly number[]): Promise<Transferred<RecordsAnswer[]>>
  offsetAt(signal: AbortSignal, topic: string, time: number): Promise<number>
  keyed(signal: AbortSignal, topic: string, key: Uint8Array, range: KeyedRange): Promise<Transferred<KeyedAnswer>>
  newest(signal: AbortSignal, topic: string, keys: PackedKeys): Promise<NewestAnswer>
  scan(signal: AbortSignal, topic: string, request: Omit<ScanRequest, 'signal'>): Promise<unknown>
  /** Groups. What they are given is said first, and again with each use. */
  filter(signal: AbortSignal, topic: string, group: string, filter: Filter): Promise<void>
  position(signal: AbortSignal, topic: string, group: string, filter: Filter | undefined): Promise<GroupPosition>
  seek(signal: AbortSignal, topic: string, group: string, to: number): Promise<void>
  remove(signal: AbortSignal, topic: string, group: string): Promise<void>
  view(signal: AbortSignal, topic: string, group: string, filter: Filter | undefined): Promise<BooksView>
  openDesk(signal: AbortSignal, name: DeskName, from: 'first' | 'next', filter: Filter | undefined): Promise<void>
  ask(signal: AbortSignal, name: DeskName, number: number, max: number, mayWait: boolean, ackTimeoutMs: number): void
  cancel(signal: AbortSignal, name: DeskName, number: number): void
  acknowledge(signal: AbortSignal, name: DeskName, generation: number, ranges: readonly OffsetRange[]): Promise<number>
  seats(signal: AbortSignal, name: DeskName, count: number): void
  giveBack(signal: AbortSignal, name: DeskName, range: LeasedRange, delayMs: number): void
  /** Processors, by numbers that the caller gives. */
  process(
    signal: AbortSignal,
    number: number,
    topic: string,
    group: string,
    module: string,
    settings: SentProcessSettings,
    filter: Filter | undefined,
  ): Promise<ProcessorView>
  finished(signal: AbortSignal, number: number): Promise<ProcessorView>
  pause(signal: AbortSignal, number: number): Promise<ProcessorView>
  resume(signal: AbortSignal, number: number): Promise<ProcessorView>
  idle(signal: AbortSignal, number: number): Promise<ProcessorView>
  stop(signal: AbortSignal, number: number): Promise<ProcessorView>
}

/** Asked of the attached thread. */
export interface AttachedCalls {
  /** The owner closes: everything that was called before is settled, then the thread leaves. */
  closing(signal: AbortSignal): void
  /** Appending has ended. */
  failed(signal: AbortSignal, error: PortableError): void
  given(signal: AbortSignal, name: DeskName, number: number, lease: GivenLease): void
  nothing(signal: AbortSignal, name: DeskName, number: number): void
  refused(signal: AbortSignal, name: DeskName, number: number, error: PortableError): void
  changed(signal: AbortSignal, name: DeskName, state: DeskState): void
  /** Answered by a thread that is there. */
  isThere(signal: AbortSignal): void
  withdrawn(signal: AbortSignal, name: DeskName, first: number, end: number): void
  processed(signal: AbortSignal, number: number, view: ProcessorView): void
}

/** The thread that owns the log, as an attached one speaks to it. */
export type OwnerParty = CallParty<AttachedCalls, OwnerCalls>
