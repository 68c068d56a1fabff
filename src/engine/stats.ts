import type { KeptReason } from './terms.js'

/** Figures of an open log. All are counted since it was opened unless they say otherwise. */
export interface LogStats {
  /** Messages appended and published. */
  messages: number
  /** Bytes of their values, keys and headers. */
  messageBytes: number
  batches: number
  positions: {
    /** Bytes of log: readable, flushed to the device, deleted below. */
    published: number
    durable: number
    trimmed: number
    /** Segments below this position carry their index. */
    indexed: number
  }
  ring: {
    capacityBytes: number
    usedBytes: number
    /** Appends that wait because the ring is full. */
    waiting: number
    /** Appends, flushes and disk acknowledgements not yet settled. */
    pending: number
  }
  segments: {
    segmentBytes: number
    /** Files of the log, prepared ones included. */
    total: number
    /** Segments behind the active one that are ready to be filled. */
    prepared: number
    /** Mappings of all threads (one segment may have several), and the address space they take. */
    mapped: number
    mappedBytes: number
    retired: number
    deleted: number
    /** Bytes of records that were written anew further on, so that the segment that held them could go. */
    movedBytes: number
    /** Why the oldest segment is still there, see {@link SegmentInfo}; the others are there because it is. */
    oldestKeptBecause: KeptReason
    /** The topic that needs it, where it is `needed`. */
    oldestKeptBy: string | undefined
  }
  flushes: {
    count: number
    totalMs: number
    lastMs: number
  }
  readers: {
    threads: number
    tasks: number
    running: number
    /** Lookups and first chunks of streams that needed none: what they asked for was in memory, and read where they were called. */
    hot: number
  }
  groups: {
    /** Consumer groups of all topics. */
    count: number
    /** Their states written; several commits that come together are written once. */
    commits: number
  }
  /** Of a log opened with `follow`; undefined otherwise. */
  follower?:
    | {
        /**
         * How it hears of what is published. `bell`: its owner tells it at once. `looks`: it looks once a second, and `because` says why.
         * `left`: no owner has the log open; the next one is heard.
         */
        hears: 'bell' | 'looks' | 'left'
        because: string | undefined
      }
    | undefined
  recovery: {
    /** Bytes of torn batches cut off when the log was opened. */
    tornBytes: number
    /** Ranges of positions found damaged when the log was opened. */
    damages: { from: number; to: number }[]
    /** How many times the log has been opened for writing. */
    epoch: number
  }
  /** How segments are reached: `mmap-io` and `koffi` map them, `file` reads and writes them; `network`: they are elsewhere. */
  io: 'mmap-io' | 'koffi' | 'file' | 'network'
  prefaultedBytes: number
  /** Errors met in the background, the last one's code with them. */
  errors: { count: number; last: string | undefined }
  /** Of a log that servers keep; undefined for one in a directory. */
  connection?: {
    /** Ms since the epoch; undefined: it is there. */
    disconnectedSince: number | undefined
    /** How often the connection was lost. */
    losses: number
    /** Attempts after the first one, of whatever was asked for. */
    retries: number
    /** Batches that an earlier attempt had written, its answer lost. */
    found: number
    /** Messages that the replica that was asked did not know yet. */
    staleReads: number
  }
}

/** A segment and why it is kept. */
export interface SegmentInfo {
  /** Position of the segment's first byte. */
  position: number
  file: string
  bytes: number
  state: 'sealed' | 'active' | 'prepared'
  /**
   * - `needed`: some topic has messages in it that are not trimmed, and that its retention keeps; `neededBy` names them
   * - `order`: nobody needs it, but an older segment stays, and segments go the oldest first
   * - `damaged`: it is no segment any more, and nobody knows what it held; it goes with the one behind it
   * - `active`, `prepared`: it is being filled, or will be
   * - `unflushed`: it is sealed, but not yet flushed and indexed
   * - `deleting`: it goes as soon as what has to come before is durable
   * - `pinned`: it would go, but a reader is in the middle of a copy
   * - `device`: the device has failed, so nothing is deleted any more
   */
  because: KeptReason
  /** Names of topics that need it, eight at most. */
  neededBy: string[]
  neededByCount: number
  /** Time of its newest message, ms since the epoch: what `maxAgeMs` counts from. Undefined while it is not indexed. */
  lastTime: number | undefined
  /** Threads that have it mapped. */
  mappedBy: { thread: 'writer' | 'reader' | 'reaper'; threadId: number; isPinned: boolean }[]
}

export interface SegmentResidency {
  /** Position of the segment's first byte. */
  position: number
  file: string
  bytes: number
  state: 'sealed' | 'active' | 'prepared'
  mappings: {
    thread: 'writer' | 'reader' | 'reaper'
    threadId: number
    mappedBytes: number
    /** Bytes of the mapping that are in memory now; -1 where the system cannot tell. */
    residentBytes: number
  }[]
}
