/** The index that a segment carries, and where it first disagrees with the messages. */
import { crc32 } from 'node:zlib'
import { flagsOf, frameFlag, frameWord, offsetOf } from '../../format/frame-layout.js'
import { keyTag } from '../../format/key-tag.js'
import {
  type DirectoryRow,
  decodeFooter,
  entryBytes,
  entryWord,
  footerBytes,
  type SegmentFooter,
} from '../../format/segment-layout.js'
import type { SalvageWindow } from '../files/salvage-window.js'
import { readSealedSegment, type SealedSegment } from '../index/sealed-index.js'
import type { SegmentFindings } from './segment-findings.js'
import type { SegmentTask } from './verify-report.js'

/** Some of a segment in memory; it begins at `start`, relative. */
export interface Piece {
  bytes: Uint8Array
  words: Uint32Array
  start: number
}

/** A topic, an offset and the relative position of what the index says of them. */
export interface WrongEntry {
  topic: string
  offset: number
  at: number
}

export class StoredIndex {
  readonly rows: readonly DirectoryRow[]
  readonly footer: SegmentFooter | undefined
  /** The first disagreement. */
  wrong: WrongEntry | undefined
  readonly #byTopic: ReadonlyMap<number, DirectoryRow>
  readonly #entries: Uint32Array

  /** @param sealed undefined: there is none, or none that can be read */
  constructor(sealed: SealedSegment | undefined, entries: Uint32Array) {
    this.rows = sealed?.rows ?? []
    this.footer = sealed?.footer
    this.#byTopic = new Map(this.rows.map((row) => [row.topic, row]))
    this.#entries = entries
  }

  row(topic: number): DirectoryRow | undefined {
    return this.#byTopic.get(topic)
  }

  /** True if the topic's entry of the record in `frame`, of the batch at `batch`, is right in every word. */
  agrees(name: string, row: DirectoryRow, { bytes, words, start }: Piece, frame: number, batch: number): boolean {
    const word = frame >>> 2
    const tail = words[word + frameWord.tail]
    const offset = offsetOf(words[word + frameWord.offsetLow], tail)
    const index = offset - row.firstOffset
    const at = this.#entryOf(row, index)
    const entries = this.#entries
    const isRight =
      index >= 0 &&
      index < row.count &&
      entries[at + entryWord.batch] === batch &&
      entries[at + entryWord.frame] === start + frame &&
      entries[at + entryWord.length] === words[word + frameWord.length] &&
      entries[at + entryWord.tag] === ((flagsOf(tail) & frameFlag.extended) === 0 ? 0 : keyTag(bytes, words, frame))
    if (!isRight) this.wrong ??= { topic: name, offset, at: row.entriesAt + index * entryBytes }
    return isRight
  }

  /** Where the batch of a record stood. */
  batchOf(row: DirectoryRow, offset: number): number {
    return this.#entries[this.#entryOf(row, offset - row.firstOffset) + entryWord.batch]
  }

  /** Entries of records that were not lost when the index was written. */
  get used(): number {
    let used = 0
    for (let word = 0; word < this.#entries.length; word += entryWord.perEntry) {
      if (this.#entries[word + entryWord.batch] !== 0) used += 1
    }
    return used
  }

  #entryOf(row: DirectoryRow, index: number): number {
    return ((row.entriesAt - (this.footer?.entriesAt ?? 0)) / entryBytes + index) * entryWord.perEntry
  }
}

/** Reads the index of a segment that should have one, and notes what of it fails its checksum. */
export function readStoredIndex(window: SalvageWindow, task: SegmentTask, findings: SegmentFindings): StoredIndex {
  const { base, segmentBytes, end } = task
  const sealed =
    end === undefined ? readSealedSegment((at, length) => window.read(at, length), base, segmentBytes) : undefined
  if (sealed === undefined) {
    if (end === undefined) noteMissing(window, task, findings)
    return new StoredIndex(undefined, new Uint32Array(0))
  }
  const { entriesAt, records, entriesCrc } = sealed.footer
  const bytes = window.read(entriesAt, records * entryBytes)
  if ((records === 0 ? 0 : crc32(bytes)) !== entriesCrc) {
    findings.damage('index', entriesAt, bytes.length, 'the entries of the index fail their checksum')
  }
  return new StoredIndex(sealed, new Uint32Array(bytes.buffer))
}

/** Why there is no index: it is damaged, or was never written. */
function noteMissing(window: SalvageWindow, task: SegmentTask, findings: SegmentFindings): void {
  const { base, segmentBytes, isLive } = task
  const footerAt = segmentBytes - footerBytes
  const bytes = window.read(footerAt, footerBytes)
  const isEmpty = bytes.every((byte) => byte === 0)
  const footer = isEmpty ? undefined : decodeFooter(bytes, base, segmentBytes)
  if (footer !== undefined) {
    findings.damage('index', footer.directoryAt, footerAt - footer.directoryAt, 'the directory fails its checksum')
  } else if (!isEmpty) {
    findings.damage('index', footerAt, footerBytes, 'the footer fails its checksum')
  } else if (!isLive && findings.report.damages.length === 0) {
    findings.remark('not indexed', footerAt, footerBytes, 'has no index yet: the next owner writes it')
  }
}
