/** The control plane: what the application's thread may ask of writer and reaper. Plain data both ways. */
import type { MessagePort } from 'node:worker_threads'
import type { OffsetRange } from '../collections/offset-ranges.js'
import type { SegmentInfo, SegmentNeed } from '../engine/stats.js'
import type { BackupReport, Compress, IdSpan, Retention, TopicIndex } from '../engine/terms.js'
import type { GroupState } from '../format/group-layout.js'
import type { MemoryKind } from '../memory/memory.js'
import type { MovedTopic } from '../storage/append/topic-mover.js'
import type { TailState, TopicState } from '../storage/append/topic-state.js'
import type { LockedFile } from '../storage/files/ownership.js'
import type { DiskWatermarks } from '../storage/life/retention.js'
import type { OwnThread } from './own-threads.js'
import type { LogRead, ReadAnswer } from './reader/reader.js'
import type { SharedMemory } from './shared-memory.js'

/** What the reaper has the writer do before segments are deleted; one at a time. */
export type Order =
  | {
      kind: 'forget'
      /** Topics that are declared in segments below this one only are declared anew. */
      below: number
      /** First readable offsets of topics whose older messages go with their segments. */
      firsts: [topic: number, first: number][]
    }
  | { kind: 'move'; moved: MovedTopic }
  | {
      kind: 'raise'
      /** First readable offsets of topics whose older messages go from the middle of the log: declared there, so that followers hear of it. */
      firsts: [topic: number, first: number][]
    }

export interface ReaperData extends OwnThread {
  shared: SharedMemory
  /** Orders to the writer; none for a log that is opened read-only. */
  orders: MessagePort | undefined
  /** Rare news (rolls, retirements, errors) for the application's thread. */
  events: MessagePort
}

export interface OpenRequest {
  /** Of a log that is to be created; an existing one keeps its own. */
  segmentBytes: number | undefined
  readOnly: boolean
  mapTtlMs: number
  flushIntervalMs: number
  /** Of topics that have none of their own. */
  retention: Retention
  diskWatermarks: DiskWatermarks
  /** Pages of the active segment are kept from being swapped out. */
  lockActive: boolean
  /** Sealed segments are packed; undefined: they are not. */
  compress: Compress | undefined
  /** What an owner has to lock; the descriptors belong to the whole process. None for a log opened read-only. */
  locks: LockedFile[]
}

export interface GroupName {
  id: number
  topic: string
  name: string
}

export interface OpenedGroup extends GroupName {
  /** With all that transactions have acknowledged. */
  state: GroupState
  /** What of it is not in the file: so much of it is in the group's journal below `next`. */
  journal?: { next: number; ranges: OffsetRange[] }
}

/** What a new reaper has to know to go on where one has died. */
export interface TakeOverRequest {
  request: OpenRequest
  opened: OpenedLog
  /** What was said of single topics since the log was opened. */
  retained: [topic: string, retention: Retention][]
  indexed: [topic: string, index: TopicIndex][]
  /** The groups that the application knows, all of them durable, and those whose removal it has not heard of. */
  groups: GroupName[]
}

export interface OpenedLog {
  /** Of the log. */
  id: string
  segmentBytes: number
  epoch: number
  io: MemoryKind
  /** Why segments are not mapped, where nobody has asked for that and the native part is to blame. */
  missingNative: string | undefined
  topics: TopicState[]
  tail: TailState
  /** What was read of sealed segments: see storage/index/handed-footers.ts. */
  footers: SharedArrayBuffer
  tornBytes: number
  damages: { from: number; to: number }[]
  groups: OpenedGroup[]
  /** What was found damaged beside the segments' data, in words. */
  otherDamages: string[]
  /** Pages of the active segment are to be locked in memory. */
  lockActive: boolean
  /** What the owner has locked. */
  locks: LockedFile[]
}

export interface SegmentPages {
  segment: number
  /** The mappings of the segment: by which thread, how many of its pages are in memory (-1: not known). */
  mappings: { threadId: number; access: 'read' | 'write'; residentPages: number }[]
}

export interface KeptSegment
  extends Omit<SegmentInfo, 'position' | 'file' | 'bytes' | 'diskBytes' | 'state' | 'mappedBy' | 'needs'> {
  segment: number
  /** Names of groups are known elsewhere. */
  needs: KeptNeed[]
}

export interface KeptNeed extends Omit<SegmentNeed, 'group'> {
  /** It waits for groups. */
  isUnconsumed: boolean
}

/** Cells of the groups file that have a journal, and the offset at which each goes on: whatever group gets one of them begins behind that. */
export type Journals = readonly (readonly [cell: number, next: number])[]

export interface ReaperControl {
  /** Takes the locks there are, and makes a log where there is none. False: another owner has one of them. */
  create(request: Pick<OpenRequest, 'segmentBytes' | 'locks'>): boolean
  /** Takes the lock, recovers, prepares segments and starts the clockwork. False: another owner has the lock. */
  open(request: OpenRequest): Promise<OpenedLog | false>
  /** Instead of `open`, in a thread that replaces one that has died. */
  takeOver(request: TakeOverRequest): Promise<void>
  /** Some topic was trimmed: look what can be deleted. @param isAwaited answers when the trim is on the device */
  trimmed(isAwaited: boolean): Promise<void>
  /** From now on the topic of that name is kept as said, whatever the log's own retention. */
  retain(topic: string, retention: Retention): void
  /** From now on the topic of that name is indexed by all of this. */
  index(topic: string, index: TopicIndex): void
  /** The oldest `limit` segments, and why each is there. */
  segments(limit: number): Promise<KeptSegment[]>
  /** A reader thread has ended: what it had mapped and pinned is taken over. */
  ownerDied(threadId: number): void
  residency(): SegmentPages[]
  /** Reads in a reader's place, while there is none. */
  read(task: LogRead): Promise<ReadAnswer>
  /** Makes a group, durably; answers with its id. The caller knows of none of that name. */
  createGroup(topic: string, name: string, committed: number, journals: Journals): Promise<number>
  /** Forgets a group, durably. Nothing of it may be under way. */
  removeGroup(id: number): Promise<void>
  /** Copies the log into a directory; see storage/backup.ts. The word raised ends it. */
  backup(target: string, abort: SharedArrayBuffer): Promise<BackupReport>
  /** Flushes, marks the log clean (if asked) and stops. */
  close(isClean: boolean): Promise<void>
}

export interface WriterData extends OwnThread {
  shared: SharedMemory
  /** Frames that do not fit the ring arrive here, before the ring announces them. */
  bulk: MessagePort
  /** Orders of the reaper arrive here, before the word that announces them. */
  orders: MessagePort
}

/** Of ids that are handed over in parts; `only`: the first and the last. */
export type IdsPart = 'first' | 'more' | 'last' | 'only'

export interface WriterControl {
  start(opened: OpenedLog): void
  /** Messages of the topic below `before` cannot be read any more when this is answered. */
  trim(topic: number, before: number): void
  /** Ids of a topic's messages, read out of the log by somebody else, packed: see threads/writer/id-windows.ts. */
  learnIds(topic: number, span: IdSpan, part: IdsPart, packed: Uint8Array): void
  /** The reaper has died. Called before the next one begins, whose orders come through this port. */
  meetReaper(orders: MessagePort): void
  /** Another thread appends from now on through this ring, and sends what does not fit it through this port. */
  attach(lane: number, ring: SharedArrayBuffer, bulk: MessagePort): void
  /** Appends what the rings still hold, gives its windows back and ends the loop. */
  close(): void
}
