/** The words that the public face and every engine share: types and nothing else. */

import type { MessagePort } from 'node:worker_threads'
import type { EngineGroup, EngineLease } from './group-seat.js'

/**
 * What an acknowledged append survives. `process`: the death of this process, `kill -9` included, but not a power cut. `replicated`: the loss
 * of any one machine, where several have it. `disk`: a power cut (of all machines), since it was flushed to the device first.
 */
export type Durability = 'process' | 'replicated' | 'disk'

/** What of a topic may be deleted. Each part suffices; nothing is deleted where none is given. */
export interface Retention {
  /** Messages may go once the newest of their segment is older than this, ms: by its stored time, unless that lies in the future. */
  maxAgeMs?: number
  /** Messages may go while later sealed segments hold this many bytes of the topic. */
  maxBytes?: number
  /** Messages may go once every group of the topic is past them, and it has one. */
  consumed?: boolean
  /**
   * Messages that may go stand in one file with messages of other topics that may not. When they are this part of it, the file is
   * written anew without them: above 0, at most 1, of the bytes of all messages in it. 0.5 by default. With `compact`, what is
   * superseded counts as well.
   */
  minDirty?: number
  /**
   * Only the latest message of each key counts: in sealed segments, those before it go in time. Offsets stay as they are, and so do
   * messages without a key. See `supports.compaction`.
   */
  compact?: boolean
  /**
   * With `compact`: a tombstone that is the latest of its key goes when it is older than this, ms, every group is past it, and nothing older
   * of its key is left in the log. A day by default.
   */
  tombstoneMs?: number
}

/** By what messages of a topic are to be found fast; whatever it names, and `{}` too, they are by time: `offsetAt`, and dates as bounds. */
export interface TopicIndex {
  /** By key: `last` and `byKey`. */
  keys?: boolean
  /** By the values of these headers: `where`. At most 16. */
  headers?: readonly string[]
}

/** What a finished backup holds. */
export interface BackupReport {
  /** The copy holds the log up to here. */
  position: number
  /** Segments it has. */
  segments: number
  /** Size of the copy. */
  bytes: number
}

/** How sealed segments are packed. */
export interface Compress {
  /**
   * A segment is packed when its newest message is this old, ms: 0 or more. What is packed is read by unpacking 64 KiB at a time, and not
   * from memory at once: let messages be as old as those that are hardly looked up one by one any more.
   */
  afterMs: number
  /**
   * `deflate` packs on every Node; `zstd` packs closer and several times as fast, on Node 22.15 and later, and what it has packed earlier ones
   * cannot read. `auto`, which holds unless said: `zstd` where there is one.
   */
  codec?: 'auto' | 'deflate' | 'zstd'
}

/** Why a segment is kept: see {@link SegmentInfo.because}. */
export type KeptReason =
  | 'active'
  | 'prepared'
  | 'unflushed'
  | 'needed'
  | 'pinned'
  | 'order'
  | 'deleting'
  | 'damaged'
  | 'device'

/**
 * A value on its way in: bytes, or a string that stands for its UTF-8, with U+FFFD for each surrogate that has no other half. A string
 * lets an engine encode it where it goes.
 */
export type Payload = Uint8Array | string

/** Key and headers of a message, encoded. */
export interface Extras {
  key: Uint8Array | undefined
  /** A JSON object of strings in UTF-8, as chunks carry it; undefined without headers. */
  headers: Uint8Array | undefined
  /** When the message counts no more, ms since the epoch: it stands in the headers too. */
  expiresAt?: number | undefined
  /** The headers are this id and nothing else, without an escape: whoever writes them where they go needs no bytes of their own. */
  readonly plainId?: string | undefined
}

/** What has to hold for an append, or it is refused with `BOOKEND_CONFLICT`, and nothing is written. */
export interface Condition {
  /** The offset that the first message is to get. */
  readonly expectedOffset?: number | undefined
  /** What the last message with the key of the first one has to be. */
  readonly expectedVersion?: ExpectedVersion | undefined
  /** Where something was appended to the topic under this id, nothing is, and that is the answer. It stands in a header too. */
  readonly id?: MessageId | undefined
  /** Where the id is known that is refused as well. */
  readonly isIdNew?: boolean | undefined
  /** So many messages of the topic come in front of that one in the same transaction. */
  readonly ahead?: number | undefined
  /** Instead of all that: the register, whose topic it is, has to be below this. */
  readonly below?: number | undefined
}

/** A version of a key is the offset of its last message in the topic; `none`: there is none; `exists`: there is one. */
export type ExpectedVersion = number | 'none' | 'exists'

/** The name that whoever appends a message has given it. */
export interface MessageId extends IdSpan {
  readonly text: string
}

/** How far back a topic remembers the ids of its messages. */
export interface IdSpan {
  readonly windowMs: number
  /** How many at most. */
  readonly max: number
}

/** Headers that a message has, and for each of them the values of which it has one. By names, each once and in order, as are the values. */
export type Filter = readonly { readonly name: string; readonly values: readonly string[] }[]

/** What a transaction has come to: the caller's own. */
export interface TransactionAnswer {
  /** Of its messages, in the order in which they were given. */
  offsets: number[]
}

/** What is written at one moment, or not at all. */
export interface TransactionParts {
  readonly messages: readonly {
    readonly topic: string
    readonly value: Payload
    readonly extras: Extras | undefined
    readonly condition: Condition | undefined
  }[]
  readonly registers: readonly {
    readonly kind: RegisterKind
    readonly name: string
    readonly value: number
    /** It has to be below this, if it was ever set. */
    readonly below: number | undefined
  }[]
  /** What is to be delivered later. Only where `Supports.schedules`. */
  readonly scheduled?: readonly PlannedMessage[]
}

/** A message that waits until it is due, and is then appended to its topic. */
export interface PlannedMessage {
  readonly topic: string
  readonly value: Payload
  /** As it will be delivered. */
  readonly extras: Extras | undefined
  /** Ms since the epoch, or from now on. */
  readonly due: { readonly at: number } | { readonly inMs: number }
  /** Under one id nothing is scheduled twice, as far back as the topic remembers; it stands in a header too. */
  readonly id: MessageId | undefined
}

/** When a message comes again and again. */
export interface RepeatRule {
  /** As croner reads it; in `timeZone`, that of the machine unless said. */
  readonly cron?: string | undefined
  readonly timeZone?: string | undefined
  readonly everyMs?: number | undefined
  /** What is due while nobody has the log open comes once then, or not at all. */
  readonly missed: 'once' | 'skip'
}

/** What is delivered at each time of a rule. There is one of a topic under one name. */
export interface Repeat extends Omit<PlannedMessage, 'due' | 'id'> {
  readonly name: string
  /** Topics in which it may have come by now: there it comes no more, from the same moment on. */
  readonly insteadOf?: readonly string[] | undefined
  readonly rule: RepeatRule
}

/** Names a scheduled message for as long as it waits. */
export interface Ticket {
  /** Of the log, for each message its own. */
  readonly id: string
  /** When it is due, ms since the epoch. */
  readonly deliverAt: number
}

/** A message that waits. */
export interface PendingMessage extends Ticket {
  readonly topic: string
  readonly key: Uint8Array | undefined
  readonly headers: Record<string, string> | undefined
  readonly value: Uint8Array
  /** Undefined: it comes once. */
  readonly repeat: Pick<Repeat, 'name' | 'rule'> | undefined
}

/** What a transaction acknowledges. */
export interface TransactionAcks {
  readonly leases: readonly EngineLease[]
  /** All below the offset is done. */
  readonly commits: readonly { readonly group: EngineGroup; readonly offset: number }[]
}

/** Each kind is a set of names: registers of the application, those of producers (`p`), and how far scheduled messages are delivered (`c`). */
export type RegisterKind = 'r' | 'p' | 'c'

/** A message that is ready to be appended, or scheduled. */
export interface EncodedMessage {
  readonly topic: string
  readonly value: Payload
  readonly extras: Extras | undefined
  readonly level: Durability
  /** When it is delivered. Only where `Supports.schedules`. Undefined: it is appended. */
  readonly due?: PlannedMessage['due']
}

/** First readable offset of a topic, and the offset of its next append. */
export interface Bounds {
  readonly first: number
  readonly next: number
}

/** A group of an open log, as `Log.groups()` lists it. */
export interface GroupInfo {
  /** Name of the topic. */
  topic: string
  /** Name of the group. */
  name: string
  /** All messages below are acknowledged. */
  committed: number
  /** Messages not acknowledged yet. */
  lag: number
  /** Consumers of this log that have asked for messages and have not ended. */
  consumers: number
  /** Processors of this log that have not ended, and the last one if it has failed and none was started since. */
  processors: {
    /** As `Processor.state`. */
    state: 'running' | 'paused' | 'stopped' | 'failed'
    /** What ended it, if it has failed. */
    error: Error | undefined
  }[]
}

/** Where the group stands. */
export interface GroupPosition {
  /** All messages below are acknowledged. */
  committed: number
  /** Offset of the topic's next append. */
  next: number
  /** Messages not acknowledged yet. */
  lag: number
  /** Messages that were deleted before the group had acknowledged them, since the log was opened. */
  skipped: number
}

/**
 * A way into an open log for one other thread of the process: goes there in `workerData` or a message, with `ports` as the transfer list.
 * It can be used once.
 */
export interface LogPort {
  /** The transfer list that has to go with it. */
  readonly ports: readonly MessagePort[]
}
