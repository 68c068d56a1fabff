/** What is to be checked, and what was found out, as plain objects: they travel between threads and are printed as JSON. */

/** One segment to be checked. */
export interface SegmentTask {
  segment: number
  file: string
  base: number
  segmentBytes: number
  /** Of the log. */
  logMark: string
  /** Relative end of the data; absent: the segment has to end in a seal. */
  end?: number
  /** An owner is at work: an index that is not there may come, and what stands behind the end is in flux. */
  isLive: boolean
}

export type DamageKind =
  /** The control file, or one of its records. */
  | 'control'
  /** The groups file: its header, a group's cell, or a group that is ahead of its topic. */
  | 'groups'
  /** A segment's file is not there. */
  | 'missing'
  /** A segment's file is shorter or longer than a segment. */
  | 'size'
  /** A segment of another log stands under the name of one of this log, or names topics as another log does. */
  | 'foreign'
  /** The header of a segment. */
  | 'header'
  /** Bytes that are no valid batch where one has to be. */
  | 'batches'
  /** The batch that ends a segment. */
  | 'seal'
  /** A batch whose checksums hold and whose frames contradict themselves. */
  | 'frames'
  /** Offsets of a topic that are missing or come twice, without damage that explains it. */
  | 'offsets'
  /** Footer, directory or entries of a segment: nothing is lost, they can be made again. */
  | 'index'
  /** Blocks that the device does not give, in a place that holds no messages. */
  | 'unreadable'

/** Offsets `[from, to)` of a topic that cannot be delivered; `to` is absent where nothing tells it. */
export interface LostOffsets {
  topic: string
  from: number
  to?: number
}

export interface Damage {
  kind: DamageKind
  file: string
  /** Of the first damaged byte, in the log; of the control file and the groups file: in the file. */
  position: number
  bytes: number
  what: string
  lost: LostOffsets[]
}

/** Damage that a repair has set aside, or bytes worth a remark: the log is in order with them. */
export interface Remark {
  kind: 'gap' | 'remains' | 'torn' | 'not indexed' | 'ahead' | 'unknown' | 'side index'
  file: string
  position: number
  bytes: number
  what: string
  lost: LostOffsets[]
}

/** A topic in one segment. */
export interface TopicInSegment {
  id: number
  /** Empty: neither a declaration nor the index says it. */
  name: string
  /** A whole batch declares it: the name needs no index. */
  isDeclared: boolean
  /** Of a topic that is not declared: what looks like its declaration stands in the damage. */
  legibleName: string | undefined
  /** The lowest offset of it that is legible in damage in front of its first one; else, and where that is known, `first`. */
  legibleFirst: number
  /** The lowest offset that can have stood in that damage. */
  leastFirst: number
  /** Where the topic stood at the start of the segment, and at its end. */
  first: number
  next: number
  /** First readable offset that the segment's latest declaration states. */
  readable: number
  /** Position of the first batch that names it. */
  firstAt: number
  /** Where the topic really goes on, as far as the directory or legible rests of lost messages tell. */
  goesOnAt: number
}

export interface LostRange {
  from: number
  to: number
  /** Time of the batch in front of it; 0: there is none in the segment. */
  time: number
}

export interface SegmentReport {
  segment: number
  records: number
  batches: number
  /** Bytes looked at. */
  bytes: number
  firstTime: number
  lastTime: number
  lastEpoch: number
  topics: TopicInSegment[]
  damages: Damage[]
  remarks: Remark[]
  /** Relative ranges without a valid batch; the last one reaches to the end of the data where nothing valid follows. */
  ranges: LostRange[]
  /** True if the last of `ranges` has no valid batch behind it: where the data ended is not known from the batches. */
  isTailLost: boolean
  /** Messages in it expire, or have. */
  expires: boolean
  isPacked: boolean
  /** Relative end of the data that was found, the seal included. */
  end: number
}
