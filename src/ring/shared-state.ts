/**
 * The words that all threads of one open log share. Those of a single appending thread are in lane-words.ts.
 *
 * A word is opened with the role of the calling thread, and that decides who may store: see word-table.ts.
 */
import type { KeptReason } from '../engine/terms.js'
import { type FeatureName, featureSet } from '../format/features.js'
import { bell, count, openWords, position, type Role, tableBytes, turn, type WordsOf, word } from './word-table.js'

const table = {
  /** The kernel's number for the thread, 0 before it has started: see memory/thread-task.ts. */
  writerTask: word('writer'),
  reaperTask: word('reaper'),
  /** See {@link writerState}. */
  writerState: word('writer'),
  writerErrno: word('writer'),
  /** Log position up to which everything may be read. */
  published: position('writer'),
  publishedRecords: position('writer'),
  /** Of values. */
  publishedBytes: position('writer'),
  publishedBatches: position('writer'),
  /** Time of the last batch. */
  publishedTime: position('writer'),
  /** Bytes of batches that went through the mapping, not past it. */
  storedBytes: position('writer'),
  /** Index of the segment that is being filled. */
  activeSegment: word('writer'),
  /** The writer waits for blocks up to this position; 0: it does not. */
  blocksWanted: position('writer'),
  /** What is to be written is of these features, which the log does not say yet that it has: see format/features.ts. It waits. */
  featuresWanted: word('writer'),
  /** Orders of the reaper that are carried out. */
  ordersDone: word('writer'),
  /** 1: the last order was carried out; 0: it could not be. */
  orderResult: word('writer'),
  /** Flushed up to this log position, and every segment up to there is there for good. */
  durable: position('flusher'),
  /** Segments below have a footer. */
  indexed: position('reaper'),
  /** Files below are deleted. */
  trim: position('reaper'),
  /** Segments up to this index exist, whole and durable, ready to be mapped. */
  prepared: word('reaper'),
  /** Log position up to which there are blocks: behind it nothing may be stored. */
  allocated: position('reaper'),
  /** The control file says so on the device: the log has these features. */
  featuresStated: word('reaper'),
  /** Why the next segment cannot be had. */
  allocateErrno: word('reaper'),
  /** Why the log turned read-only. */
  reaperErrno: word('reaper'),
  /** Orders sent to the writer: declare anew before a deletion, move records forward. */
  ordersGiven: word('reaper'),
  /** Appends are refused with this error, although there may be a segment. */
  refuseErrno: word('reaper'),
  /** Why the oldest segment is kept: a subscript of {@link keptReasons}. */
  keptReason: word('reaper'),
  /** For which topic. */
  keptTopic: word('reaper'),
  retiredCount: position('reaper'),
  deletedCount: position('reaper'),
  movedBytes: position('reaper'),
  /** How often a sealed segment was written anew, and what that has freed. */
  rewrites: word('reaper'),
  rewrittenBytes: position('reaper'),
  /** Those of {@link rewrites} that packed the segment, and what that has saved. */
  packs: word('reaper'),
  packedBytes: position('reaper'),
  flushCount: position('flusher'),
  flushMicros: position('flusher'),
  lastFlushMicros: position('flusher'),
  /**
   * Of writer and reaper one flushes at a time: the kernel tells of a failed flush once a file that is open, and one that was opened behind it hears nothing. Who
   * flushed meanwhile, or after, could take what is lost for flushed. So the turn in which a flush has failed, or whose thread has died in it, is kept: a reaper
   * that takes the place of another gives that one's back.
   */
  flushing: turn('flusher'),
  /** Why a flush of the writer's failed: the reaper tells everybody. */
  writerFlushErrno: word('writer'),
  prefaultedBytes: position('reaper'),
  /** Commits of groups are numbered, and handed over up to here: see group-mailboxes.ts; the four numbers are those of flush-way.ts. */
  commitRequest: position('application'),
  /** Commits up to here are written, or refused. */
  commitDone: position('writer'),
  /** Somebody waits for the device with commits up to here. */
  commitWished: position('application'),
  /** Commits up to here are on the device. */
  commitFlushed: position('reaper'),
  /** 0: nobody in another process follows the log; else another number whenever somebody has come, or files went. */
  followerCalls: word('reaper'),
  /** Of a follower: the log may have gone on, it is to be looked. */
  looksWanted: count('reader'),
  /** Looks up to that number of those that were wanted are behind it, and what they found is stored. */
  looksTaken: word('writer'),
  /** Of a follower: who takes in now what its owner has published, and stores as the writer would. */
  takingIn: turn('writer'),
  /** Of a follower: the epoch in which its owner's bell is believed; 0: it is not. */
  believedEpoch: word('writer'),
  /** Until then, as {@link sharedClockMs}. */
  believedUntil: word('writer'),
  /** Of a follower: the number of the bell file that the application's thread watches, or what {@link watchedBell} says. */
  watchedBell: word('application'),
  /** Of a follower: rings that the application's thread has heard and leaves to the other one. */
  ringsLeft: count('application'),
  /** When somebody began last to read the state of a topic, seconds since the epoch; 0: nobody has. See state-reads.ts. */
  stateAsked: word('application'),
  stateReadsBegun: count('application'),
  stateReadsEnded: count('application'),
  /** Control calls that wait at the writer's port. */
  control: word('application'),
  /** Readers close their windows, and count themselves in `closedReaders`. */
  closing: word('application'),
  closedReaders: count('reader'),
  /** Whether other threads may append still: see {@link logEnds}. */
  logEnd: word('application'),
  writer: bell('writer'),
  reaper: bell('reaper'),
  /** All readers sleep on this one. */
  retirements: bell('reader'),
}

/** The words of a log as a thread has them that plays the roles `R`; with none, to look at. */
export type SharedState<R extends Role = never> = WordsOf<typeof table, R>

/** Why a segment is not deleted: see `SegmentInfo`. */
export const keptReasons = [
  'active',
  'prepared',
  'unflushed',
  'needed',
  'pinned',
  'order',
  'damaged',
  'deleting',
  'device',
] as const satisfies readonly KeptReason[]

/** `died`: a bug, not a device; the thread has ended or is about to. */
export const writerState = { running: 0, noSpace: 1, failed: 2, died: 3 } as const

/** Why nothing that another thread hands over from now on is written. */
export const logEnds = { open: 0, closed: 1, writerDied: 2, reaperDied: 3 } as const

/** The log says that it has this: something of it may be there. */
export function hasFeature(state: Pick<SharedState, 'featuresStated'>, name: FeatureName): boolean {
  return (state.featuresStated.load() & featureSet(name)) !== 0
}

/** `undecided`: the application's thread is about to watch, or to say that it does not. Bells have numbers from 1 on. */
export const watchedBell = { undecided: 0, none: -1 } as const

export function allocateSharedState(): SharedArrayBuffer {
  return new SharedArrayBuffer(tableBytes(table))
}

/** The calling thread's accessors over the shared words. @param _roles what it is to the log */
export function openSharedState<R extends Role = never>(shared: SharedArrayBuffer, ..._roles: R[]): SharedState<R> {
  return openWords(table, shared)
}
