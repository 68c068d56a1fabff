/**
 * The contract: what the public face needs of a storage engine. Values are encoded already, arguments are valid, failures are
 * `BookendError`s. Nothing in here knows a file, a segment or a thread, and this folder imports types only.
 *
 * Messages travel as chunks (`messages/`): the form in which every engine hands them over, walked without an object per message.
 */
import type { ChunkCursor, RecordPlace } from '../messages/chunk-cursor.js'
import type { SelectionTerms } from '../messages/selection.js'
import type { EngineGroup } from './group-seat.js'
import type { LogStats, SegmentInfo, SegmentResidency } from './stats.js'
import type {
  BackupReport,
  Bounds,
  Condition,
  Durability,
  Extras,
  Filter,
  GroupInfo,
  LogPort,
  Payload,
  PendingMessage,
  PlannedMessage,
  RegisterKind,
  Repeat,
  Retention,
  Ticket,
  TopicIndex,
  TransactionAcks,
  TransactionAnswer,
  TransactionParts,
} from './terms.js'

/** What a log can do, as data: the rest is refused with `BOOKEND_UNSUPPORTED` before anything is done. */
export interface Supports {
  /** The levels that are kept here; weaker ones are never passed off as stronger ones. */
  readonly durabilities: readonly Durability[]
  /** `Topic.scan`: modules run beside the data. */
  readonly scan: boolean
  /** `Group.process`: modules run beside the data. */
  readonly process: boolean
  /** Messages may be deleted by age, size and consumption. */
  readonly retention: boolean
  /** `retention.compact`: of messages with one key only the latest need be kept. */
  readonly compaction: boolean
  /** The option `expectedOffset` of appends. */
  readonly expectedOffset: boolean
  /** The option `expectedVersion` of appends. */
  readonly expectedVersion: boolean
  /** The option `id` of appends. */
  readonly id: boolean
  /** The options `ttlMs` and `expiresAt` of appends. */
  readonly expiry: boolean
  /** `last` and `byKey`: messages are found by their keys. */
  readonly keys: boolean
  /** The option `index` of topics. */
  readonly indexes: boolean
  /** The option `where` of groups; that of reads, scans and counts is everywhere. */
  readonly filteredGroups: boolean
  /** `Log.transaction`, `Log.register` and `Log.producer`. */
  readonly transactions: boolean
  /** `Topic.schedule`, `Topic.cancel` and `Log.scheduled`. */
  readonly schedules: boolean
}

/** What does not change while a log is open. */
export interface EngineFacts {
  /** Where the log is, as words for people: a directory, or a URL without credentials. */
  readonly place: string
  /** What an append means that names no level. */
  readonly durability: Durability
  /** Longest value with key and headers; longer ones are refused before anything is written. */
  readonly maxMessageBytes: number
  /** What the option `maxMessageBytes` could be raised to at most, for this log. */
  readonly messageBytesLimit: number
  /** What to do about longer ones, as words for people. */
  readonly beyondLimit: string
  readonly isReadOnly: boolean
  /** Read-only, and yet going on: another process writes, and this log shows what it publishes. It may have groups of its own. */
  readonly isFollower?: boolean
}

/** One open log. */
export interface Engine {
  readonly facts: EngineFacts
  readonly supports: Supports
  /** What only an engine in this process with files of its own has; undefined elsewhere. */
  readonly local: LocalParts | undefined
  /** Undefined where {@link Supports.transactions} is false. */
  readonly transactions: EngineTransactions | undefined
  /** Undefined where {@link Supports.schedules} is false. */
  readonly schedules: EngineSchedules | undefined
  /** The same object for the same name. Makes no topic: it comes to be with its first append. */
  topic(name: string): EngineTopic
  /** Names of the topics that exist, in alphabetical order. */
  topicNames(): Promise<string[]>
  /** Every group that exists, by topic and name in alphabetical order. */
  groups(): Promise<GroupInfo[]>
  /** Everything handed over before the call, of all topics, and all acknowledgements have reached the level. */
  flush(level: Durability): Promise<void>
  stats(): LogStats
  /** What has ended a processor of the face by itself: it is counted, and told to whoever listens. */
  noteProcessorFailure(topic: string, group: string, error: Error): void
  /** False once {@link close} was called. */
  readonly isOpen: boolean
  /** @throws `BOOKEND_CLOSED` once {@link close} was called */
  checkOpen(): void
  /** @throws the same, and `BOOKEND_READ_ONLY` where nothing may be written */
  checkWritable(): void
  /** Ends readers, scans, subscriptions and processors, waits for appends, gives back what is leased. Idempotent. */
  close(): Promise<void>
}

/** What is written at one moment, in several places. */
export interface EngineTransactions {
  /**
   * All of it at one moment, or nothing. Where it is written the leases are settled, else they are held on. Does not hold on to values after it has returned.
   * @returns once all of it is as durable as asked
   */
  transact(parts: TransactionParts, acks: TransactionAcks, level: Durability): Promise<TransactionAnswer>
  /** The number of a register; undefined: it was never set. */
  register(kind: RegisterKind, name: string): Promise<number | undefined>
}

/** Messages that wait until they are due. */
export interface EngineSchedules {
  /** @returns once it is as durable as asked; that of the first where one with this id is remembered */
  schedule(message: PlannedMessage, level: Durability): Promise<Ticket>
  /** @returns false: it was delivered, is about to be, or never was */
  cancel(topic: string, ticket: Ticket, level: Durability): Promise<boolean>
  /** From now on it comes by its rule, in the place of what has come under its name; the same again changes nothing. @returns when it comes next */
  repeat(repeat: Repeat, level: Durability): Promise<Ticket>
  /** @returns false: none has that name */
  endRepeat(topic: string, name: string, level: Durability): Promise<boolean>
  /** The ticket of what waits to be delivered to the topic under that id, however long ago it was scheduled; or has failed there, and comes again. */
  waiting(topic: string, id: string): Promise<Ticket | undefined>
  /** True: nothing is due that is not in its topic, of what was scheduled before the call. */
  isUpToDate(): Promise<boolean>
  /** What waits, in the order in which it comes due, as of the first step. @param topic undefined: of all */
  pending(topic: string | undefined): AsyncIterableIterator<PendingMessage>
}

/** One for each offset that was asked for, in their order. */
export type AskedRecords = readonly (RecordPlace | undefined)[]

/** One topic of an open log. Nothing in here is checked again: offsets are integers from 0, sizes fit. */
export interface EngineTopic {
  readonly name: string
  /** False: no message of it expires. True where that is not known. */
  readonly mayExpire: boolean
  /**
   * @param condition judged in the place of the call in that order. Only where it is among {@link Supports}
   * @returns the offset, once the message is as durable as asked. Calls keep their order, {@link offer} among them. Does not hold on to
   *   `value` after it has returned.
   */
  append(value: Payload, extras: Extras | undefined, level: Durability, condition?: Condition): Promise<number>
  /** All or none, without others between them. @returns the first offset */
  appendMany(
    values: readonly Payload[],
    extras: Extras | undefined,
    level: Durability,
    condition?: Condition,
  ): Promise<number>
  /** False: no room now, nothing was taken. */
  offer(value: Payload, extras: Extras | undefined): boolean
  /** Resolves when the last refused {@link offer} can succeed. */
  ready(): Promise<void>
  /** As published at this moment: an append that has resolved here is counted. Zeros while the topic does not exist. */
  bounds(): Promise<Bounds>
  /** Reads messages in order. Nothing is asked for before the first {@link MessageReader.next}. */
  read(range: ReadRange): MessageReader
  /**
   * Messages in the order of `offsets`; undefined: not written yet, or trimmed away. Sees every append that has resolved here. Without a
   * promise where they are at hand.
   */
  records(offsets: readonly number[]): AskedRecords | Promise<AskedRecords>
  /** Some of the messages with that key, and where the others are to be looked for. Only where {@link Supports.keys}. */
  keyed(key: Uint8Array, range: KeyedRange): Promise<KeyedPart>
  /** First offset appended at or after that time, ms since the epoch; the next offset if there is none. */
  offsetAt(time: number): Promise<number>
  /** Runs a scan module beside the data. Only where {@link Supports.scan}. */
  scan(request: ScanRequest): Promise<unknown>
  /** Messages below are gone when it resolves, those included that were offered before. @throws RangeError above the next offset */
  trim(before: number): Promise<void>
  /** In force from now on, whether the topic exists yet or not. @param isAddition keeps what else was said of the topic */
  retain(retention: Retention, isAddition: boolean): void
  /**
   * No message goes because it is superseded from now on: who reads meanwhile has the state as it is now.
   * @returns to be called once that is read; after {@link keptStateMs} messages go all the same
   */
  keepState(): () => void
  /** By what messages are to be found fast from now on, beside what was said before. Only where {@link Supports.indexes}. */
  index(index: TopicIndex): void
  /** The same object for the same name. Makes no group: it comes to be with its first use. */
  group(name: string): EngineGroup
}

/** Where messages with a key are looked for. */
export interface KeyedRange {
  readonly from: number
  /** Exclusive. */
  readonly to: number
  /** The most that are wanted. */
  readonly max: number
  /** The newest first. */
  readonly isReverse: boolean
}

/** What was found of them. */
export interface KeyedPart {
  /** In the order in which they were wanted, at most so many. */
  readonly records: readonly RecordPlace[]
  /** What was not looked at yet: there may be more of them in `[from, to)`, and nowhere else. */
  readonly from: number
  readonly to: number
}

/** Which messages of a topic: of those, where some are named by {@link SelectionTerms}, the ones that are there. */
export interface ReadRange extends SelectionTerms {
  readonly from: number
  /** Exclusive; Infinity: without end. */
  readonly to: number
  /** Waits at the end of what is published; otherwise the reader ends there. */
  readonly follow: boolean
}

/** What a scan module is run over. */
export interface ScanRequest {
  readonly from: number
  /** Exclusive. */
  readonly to: number
  /** URL of the module. */
  readonly module: string
  /** Messages that do not match are as if they were not there; undefined: all match. */
  readonly filter: Filter | undefined
  /** What its `map` is given beside the batch; a module of the application is given nothing. */
  readonly argument?: unknown
  /** Ends the scan with its reason. */
  readonly signal: AbortSignal | undefined
}

/** Messages of a topic in order, chunk by chunk. One call at a time. */
export interface MessageReader {
  /**
   * The next chunk. Its cursor stands before the first message that is wanted, and is the caller's own, memory included. Under a filter it
   * may hold none: then nothing matches up to its end.
   * Undefined: the range is over, or {@link close} was called.
   * @param isBorrowed the caller is done with it before he asks for the next one: its memory may be used again for that
   * @throws `BOOKEND_TRIMMED` below the oldest readable offset, `BOOKEND_CORRUPT` (with `next`) at damage, `BOOKEND_CLOSED`
   */
  next(isBorrowed?: boolean): Promise<ChunkCursor | undefined>
  /** Ends waiting at once. */
  close(): void
}

/** What has a meaning for files of this process only. */
export interface LocalParts {
  /** As {@link Engine.flush}, blocking: for `exit` handlers. */
  flushSync(level: Durability): void
  /** Copies everything handed over so far, and perhaps more, into a directory that is empty or not there. */
  backup(target: string, signal: AbortSignal | undefined): Promise<BackupReport>
  /** For another thread, which then has an engine of its own on the same log. */
  port(): Promise<LogPort>
  segments(limit: number): Promise<SegmentInfo[]>
  residency(): Promise<SegmentResidency[]>
}
