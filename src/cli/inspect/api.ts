/** What the inspector's server says and its page understands: types only, so that the page loads nothing of the server. */

/** The log at one moment, sent every second while somebody looks. */
export interface Picture {
  /** Milliseconds since the epoch. */
  at: number
  directory: string
  /** Started with `--write`. */
  isWritable: boolean
  owner: { state: 'running' | 'none' | 'unknown'; pid?: number }
  /** False: which segments the owner maps may not be seen from here. */
  seesMappings: boolean
  /** Log positions: below them everything is published, is on the device, is deleted. */
  published: number
  durable: number
  trimmed: number
  strip: StripPart[]
  topics: TopicPicture[]
  groups: GroupPicture[]
}

/** A segment, or several in a row that nobody maps and that are as warm as each other. */
export type StripPart = SegmentPart | RunPart

export interface SegmentPart {
  kind: 'segment'
  position: number
  bytes: number
  /** What of them takes space on the disk: less where it was written anew, or packed. -1: cannot be told. */
  diskBytes: number
  state: 'sealed' | 'active' | 'prepared'
  packed?: { codec: string; ratio: number } | undefined
  /** -1: cannot be told. */
  residentBytes: number
  /** Resident share of each part of the file, 0 to 1. */
  shares: number[]
  mappings: { write: number; read: number }
}

export interface RunPart {
  kind: 'run'
  count: number
  position: number
  bytes: number
  diskBytes: number
  /** How many of them are packed. */
  packed: number
  residentBytes: number
  /** Cold: next to nothing of it is in memory. */
  isCold: boolean
}

export interface TopicPicture {
  name: string
  first: number
  next: number
}

/** A topic that is a stream over HTTP. */
export interface StreamRow {
  topic: string
  contentType: string
  /** Nothing is appended any more. */
  closed: boolean
  /** It is there for its forks only. */
  deleted: boolean
  ttlSeconds?: number
  expiresAt?: string
  /** Topic of the stream that it is a fork of. */
  source?: string
  producers: number
  /** Where it ends, as the protocol says it. */
  tail: string
}

export interface GroupPicture {
  topic: string
  group: string
  of: 'log' | 'follower'
  /** null: its file is damaged. */
  committed: number | null
  next: number
  lag: number | null
}

/** A message in a list: its value is the beginning of it. */
export interface MessageRow {
  offset: number
  timestamp: number
  key?: string
  headers?: Record<string, string>
  value: string
  valueBytes: number
  isCut: boolean
}

export interface MessagePage {
  first: number
  next: number
  messages: MessageRow[]
  /** Offsets that were looked at. */
  searched: number
  /** Where to go on; undefined: that was all there is. */
  goOnAt?: number
}

export interface WholeMessage extends MessageRow {
  topic: string
  /** `base64`: it is no text. */
  encoding?: 'base64'
}

export interface DeadLetterRow {
  offset: number
  timestamp: number
  topic: string
  from: number
  group: string
  attempts: number
  error: string
}

export interface DeadLetterPage {
  letters: DeadLetterRow[]
  /** More than are listed. */
  isCut: boolean
}

export interface VerifyProgress {
  done: number
  total: number
}

export interface VerifyResult {
  segments: number
  bytes: number
  batches: number
  messages: number
  damages: { kind: string; file: string; position: number; what: string }[]
  remarks: { kind: string; file: string; position: number; what: string }[]
}

export interface Refusal {
  error: string
  /** Of Bookend, where it has one. */
  code?: string
}
