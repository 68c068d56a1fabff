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
    /** Why the oldest segment is still there. */
    oldestKeptBecause: 'active' | 'readable'
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
  }
  groups: {
    /** Consumer groups of all topics. */
    count: number
    /** Their states written; several commits that come together are written once. */
    commits: number
  }
  recovery: {
    /** Bytes of torn batches cut off when the log was opened. */
    tornBytes: number
    /** Ranges of positions found damaged when the log was opened. */
    damages: { from: number; to: number }[]
    /** How many times the log has been opened for writing. */
    epoch: number
  }
  /** How segments are reached: `mmap-io` and `koffi` map them, `file` reads and writes them. */
  io: 'mmap-io' | 'koffi' | 'file'
  prefaultedBytes: number
  /** Errors met in the background, the last one's code with them. */
  errors: { count: number; last: string | undefined }
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
    /** Bytes of the mapping that are in memory now; -1 where the system cannot tell. */
    residentBytes: number
  }[]
}
