import type { KeptReason } from './terms.js'

/** Figures of an open log. All are counted since it was opened unless they say otherwise. */
export interface LogStats {
  /** Messages appended and published. */
  messages: number
  /** Bytes of their values, keys and headers. */
  messageBytes: number
  /** Batches written: appends that came together share one. */
  batches: number
  /** Bytes of the log, from its beginning: every number is a position. */
  positions: {
    /** Readable up to here. */
    published: number
    /** Flushed to the device up to here. */
    durable: number
    /** Deleted below here. */
    trimmed: number
    /** Segments below this position carry their index. */
    indexed: number
  }
  /** The append ring, on the way to the writer. */
  ring: {
    /** Its size. */
    capacityBytes: number
    /** Handed over, and not yet taken by the writer. */
    usedBytes: number
    /** Appends that wait because the ring is full. */
    waiting: number
    /** Appends, flushes and disk acknowledgements not yet settled. */
    pending: number
  }
  /** The files of the log and their mappings. */
  segments: {
    /** Size of each file. */
    segmentBytes: number
    /** Files of the log, prepared ones included. */
    total: number
    /** Segments behind the active one that are ready to be filled. */
    prepared: number
    /** Mappings of all threads; one segment may have several. */
    mapped: number
    /** Address space that the mappings take; what of it is in memory is told by `Log.residency()`. */
    mappedBytes: number
    /** Mappings given back. */
    retired: number
    /** Files deleted. */
    deleted: number
    /** Bytes of records that were written anew further on, so that the segment that held them could go. */
    movedBytes: number
    /** How often a segment was written anew without messages that nobody needs any more: see `Retention.minDirty`. */
    rewrites: number
    /** Bytes of records that went so. */
    reclaimedBytes: number
    /** How many segments were packed: see `OpenOptions.compress`. */
    packed: number
    /** How many bytes less they take on the disk since. */
    packedAwayBytes: number
    /** Why the oldest segment is still there, see {@link SegmentInfo}; the others are there because it is. */
    oldestKeptBecause: KeptReason
    /** The topic that needs it, where it is `needed`. */
    oldestKeptBy: string | undefined
  }
  /** Flushes to the device, in the background and asked for. */
  flushes: {
    /** How many there were. */
    count: number
    /** How long all of them took together. */
    totalMs: number
    /** How long the last one took. */
    lastMs: number
  }
  /** The reader threads. */
  readers: {
    /** How many there are. */
    threads: number
    /** Tasks started. */
    tasks: number
    /** Tasks that run now. */
    running: number
    /** Lookups and chunks of streams that needed none: what they asked for was in memory, and read where they were called. */
    hot: number
  }
  /** Consumer groups. */
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
        /** Why it only looks. */
        because: string | undefined
      }
    | undefined
  /** What was found when the log was opened. */
  recovery: {
    /** Bytes of torn batches cut off when the log was opened. */
    tornBytes: number
    /** Ranges of positions found damaged when the log was opened. */
    damages: {
      /** First damaged byte. */
      from: number
      /** First byte behind the damage. */
      to: number
    }[]
    /** How many times the log has been opened for writing. */
    epoch: number
  }
  /** How segments are reached: `mmap-io` and `koffi` map them, `file` reads and writes them; `network`: they are elsewhere. */
  io: 'mmap-io' | 'koffi' | 'file' | 'network'
  /** Bytes of segments faulted in ahead of the writer. */
  prefaultedBytes: number
  /** Errors met in the background. */
  errors: {
    /** How many there were. */
    count: number
    /** A code of Bookend or of the system. */
    last: string | undefined
  }
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
  /** Path of the file. */
  file: string
  /** Its size. */
  bytes: number
  /** What of it takes space on the disk, as the file system counts; less than `bytes` where it was written anew or packed. -1: cannot be told. */
  diskBytes: number
  /** How often it was written anew, without messages that nobody needed any more, or packed. */
  rewrites: number
  /** Undefined: it is not packed: see `OpenOptions.compress`. */
  packed:
    | {
        /** With what. */
        codec: 'deflate' | 'zstd'
        /** How many times smaller what it holds is so. */
        ratio: number
      }
    | undefined
  /** Full, being filled, or ready to be filled. */
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
  /** How many topics need it. */
  neededByCount: number
  /** What keeps the messages of each of {@link neededBy}, in the same order. */
  needs: SegmentNeed[]
  /** Whether and when it will be written anew without what is dead in it. Undefined: it is not sealed, flushed and indexed, or is damaged. */
  rewriting: RewritingOutlook | undefined
  /** Whether and when it will be packed. Undefined: the same. */
  packing: PackingOutlook | undefined
  /** Time of its newest message, ms since the epoch: what `maxAgeMs` counts from. Undefined while it is not indexed. */
  lastTime: number | undefined
  /** Threads that have it mapped. */
  mappedBy: {
    /** What the thread does. */
    thread: 'writer' | 'reader' | 'reaper'
    /** Its number, as `node:worker_threads` has it. */
    threadId: number
    /** It is in the middle of a copy out of it. */
    isPinned: boolean
  }[]
}

/** What of a segment is mapped, and in memory. */
export interface SegmentResidency {
  /** Position of the segment's first byte. */
  position: number
  /** Path of the file. */
  file: string
  /** Its size. */
  bytes: number
  /** Full, being filled, or ready to be filled. */
  state: 'sealed' | 'active' | 'prepared'
  /** One for each thread that has it mapped. */
  mappings: {
    /** What the thread does. */
    thread: 'writer' | 'reader' | 'reaper'
    /** Its number, as `node:worker_threads` has it. */
    threadId: number
    /** Address space of the mapping. */
    mappedBytes: number
    /** Bytes of the mapping that are in memory now; -1 where the system cannot tell. */
    residentBytes: number
  }[]
}

/** What keeps the messages that a topic has in a segment: each part of its retention that says so would suffice to let them go. */
export interface SegmentNeed {
  /** Its name. */
  topic: string
  /** Time alone lets them go then, ms since the epoch: by `maxAgeMs`, or since all of them expire. Undefined: never, or that is not known. */
  until: number | undefined
  /** With `maxBytes`: so many bytes of the topic have to be sealed behind them still. */
  bytesToCome: number | undefined
  /** With `consumed`: a group is not past them, or there is none. The name of the one that is furthest behind; empty where there is none here. */
  group: string | undefined
  /** With `compact`: tombstones that are too young to go, or that a group or something older of their key needs. */
  tombstones: number
}

/** What becomes of a sealed segment that holds what nobody needs. */
export interface RewritingOutlook {
  /**
   * - `clean`: nothing in it is dead
   * - `few`: less than `leastBytes` is
   * - `due`: it is written anew at one of the next looks, unless it is deleted before; one segment at a time, and none while the log is copied
   * - `running`: it is being written anew
   * - `unfit`: it was found damaged when that was tried, and stays as it is
   */
  state: 'clean' | 'few' | 'due' | 'running' | 'unfit'
  /** Bytes of all messages in it. */
  messageBytes: number
  /**
   * Of messages that are trimmed, that retention lets go, that have expired, or that are superseded by a message in a sealed segment: as far as the
   * reaper has looked, and at least so many.
   */
  deadBytes: number
  /** From so many dead bytes on it is written anew: `minDirty` of `messageBytes`, 64 KiB at least. */
  leastBytes: number
  /** Where it is `due`: not before this time, ms since the epoch. */
  at: number | undefined
}

/** What becomes of a sealed segment in a log that is packed: see `OpenOptions.compress`. */
export interface PackingOutlook {
  /**
   * - `off`: this log is open without `compress`
   * - `packed`: it is
   * - `young`: its newest message is not as old as `afterMs`
   * - `due`: it is packed when it is its turn, the oldest first
   * - `running`: it is being packed
   * - `unfit`: it would save less than a tenth, or is damaged, and stays as it is
   */
  state: 'off' | 'packed' | 'young' | 'due' | 'running' | 'unfit'
  /** Where it is `young` or `due`: not before this time, ms since the epoch. */
  at: number | undefined
}
