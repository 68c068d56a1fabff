/**
 * The index of one segment, derived from its batches: where each record of each topic stands.
 *
 * It is caught up step by step as the segment grows. Readers use it for segments that have no footer yet, the reaper to
 * write the footer, recovery to know how far every topic has come: one algorithm, so that they cannot disagree.
 */

import { assert } from '../../errors.js'
import {
  type BatchHeader,
  batchEpoch,
  batchFlag,
  batchHeaderBytes,
  bodyMatches,
  mixedTopics,
} from '../../format/batch-layout.js'
import {
  declaredName,
  flagsOf,
  frameBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
  offsetOf,
} from '../../format/frame-layout.js'
import { frameEnd } from '../../format/frame-walk.js'
import { keyTag } from '../../format/key-tag.js'
import { joinWords } from '../../format/numbers.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { chunkBytes } from '../../limits.js'
import type { Window } from '../../memory/memory.js'
import { maxRowLength, type RowReader, repeatOnce, topicMark } from '../rows/rows.js'
import { findNextBatch, scanBatches } from './batch-scan.js'
import { TopicEntries } from './topic-entries.js'

// Copies of this module's own: the compiler folds them in the loops below, imported objects it would look up each time.
const { length: lengthWord, topic: topicWord, offsetLow: offsetLowWord, tail: tailWordAt } = frameWord
const { data: dataKind, declare: declareKind } = frameKind
const { extended: extendedFlag } = frameFlag

/** A range of a segment that holds no valid batch although valid ones follow, or should. */
export interface DamagedRange {
  from: number
  to: number
}

export interface CatchUpOptions {
  /** Stops after about this much, to go on with another call. */
  stepBytes?: number
  /** Told of each valid batch, by its place in the segment, and of its time. */
  onValid?: ((batch: number, time: number) => void) | undefined
  /**
   * Bodies of batches that this take-over wrote are believed, as far as their headers are right: {@link LiveIndex.addsUp} says whether
   * they may be. Undefined: all are summed up.
   */
  trustedEpoch?: number | undefined
  /** Told of each record that has a key or headers, and where it stands in the bytes; they may be overwritten afterwards. */
  onExtended?: OnExtended | undefined
}

export type OnExtended = (
  entries: TopicEntries,
  offset: number,
  bytes: Uint8Array,
  words: Uint32Array,
  frame: number,
) => void

/** Memory of an index that nobody uses any more, by topic. One index may use it. */
export type SpareEntries = ReadonlyMap<number, Uint32Array<ArrayBuffer>>

/** What of a window the walk needs. */
export type Legible = Pick<Window, 'read' | 'readInto'>

export class LiveIndex {
  readonly topics = new Map<number, TopicEntries>()
  readonly damages: DamagedRange[] = []
  /** Ranges that a repair has set aside: read over, and where what is missing was. */
  readonly gaps: DamagedRange[] = []
  nameBytes = 0
  firstTime = 0
  lastTime = 0
  lastEpoch = 0
  isSealed = false
  /**
   * Every batch has held as many records as it says, each of them the next of a topic that was declared: what a segment is like that was
   * written without an accident. Where it is not so, only checksums can tell why.
   */
  addsUp = true
  /** Relative position up to which the segment is indexed: the end of the last valid batch. */
  end = segmentHeaderBytes
  /** The same without the batches of an atomic group whose last batch has not been seen. */
  groupEnd = segmentHeaderBytes
  readonly #keepsEntries: boolean
  readonly #base: number
  readonly #segmentBytes: number
  readonly #spare: SpareEntries | undefined

  /**
   * @param keepsEntries false: only how far every topic goes is wanted, not where its records are
   * @param spare memory for the entries
   */
  constructor(base: number, segmentBytes: number, keepsEntries = true, spare?: SpareEntries) {
    this.#spare = spare
    this.#keepsEntries = keepsEntries
    this.#base = base
    this.#segmentBytes = segmentBytes
  }

  /** Entries that the index will have: those of lost records included. */
  get entryCount(): number {
    let count = 0
    for (const entries of this.topics.values()) count += entries.count
    return count
  }

  /**
   * Indexes everything valid up to `to` (relative).
   * @param resync go on behind damage: for segments known to hold later data. Without it the walk stops in front of
   *   the first bad batch.
   * @param to the end of data or of the segment, never the middle of a batch
   * @returns true if it stopped in front of bytes that are no valid batch
   */
  catchUp(
    window: Legible,
    to: number,
    resync: boolean,
    { stepBytes = Number.POSITIVE_INFINITY, onValid, trustedEpoch, onExtended }: CatchUpOptions = {},
  ): boolean {
    const stepEnd = this.end + stepBytes
    let want = chunkBytes
    while (this.end < Math.min(to, stepEnd) && !this.isSealed) {
      const bytes = readScratch(window, this.end, Math.min(want, to - this.end))
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
      const start = this.end
      want = chunkBytes
      const visit = (header: BatchHeader, at: number) => {
        onValid?.(start + at, header.time)
        this.#addBatch(words, bytes, header, at, start, header.epoch === trustedEpoch, onExtended)
      }
      const isTrusted = trustedEpoch === undefined ? undefined : (at: number) => batchEpoch(words, at) === trustedEpoch
      const result = scanBatches(bytes, this.#base + start, to - start, visit, isTrusted)
      this.end = start + result.end
      if (result.stop === 'partial') want = Math.max(result.needed, chunkBytes)
      if (result.stop !== 'bad') continue
      if (!resync) return true
      const next = findNextBatch((at, length) => window.read(at, length), this.#base, this.end + 8, to)
      const damage = { from: this.end, to: next < 0 ? to : next }
      // Met before, when the segment was known less far: the same damage, now seen to its end.
      if (this.damages.at(-1)?.from === damage.from) this.damages.pop()
      this.damages.push(damage)
      if (next < 0) return true
      this.end = next
    }
    return false
  }

  /**
   * Adds the batch at {@link end} by what its writer has said of it. The bytes are not looked at: {@link addsUp} says whether what was
   * said may be believed.
   * @param row as it was found
   */
  addRow({ ring, mask, position, bytes, from, to }: Omit<RowReader, 'seek'>): void {
    assert(position === this.#base + this.end, 'a row is added where its batch stands')
    const batch = this.end
    let frame = batch + batchHeaderBytes
    let entries: TopicEntries | undefined
    for (let at = from; at < to; at++) {
      const word = ring[at & mask]
      if (word >= topicMark) {
        entries = this.topics.get(word - topicMark)
        if (entries === undefined || entries.name === '') break
        continue
      }
      if (entries === undefined) break
      const length = word & maxRowLength
      const size = frameBytes(length)
      const count = Math.floor(word / repeatOnce) + 1
      entries.addRun(count, batch, frame, length, size)
      frame += size * count
    }
    // Every topic declared before, and every frame of the batch.
    if (frame !== batch + bytes || frame > this.#segmentBytes) this.addsUp = false
    this.end = batch + bytes
    this.groupEnd = this.end
  }

  #addBatch(
    words: Uint32Array,
    bytes: Uint8Array,
    header: BatchHeader,
    at: number,
    start: number,
    isTrusted: boolean,
    onExtended: OnExtended | undefined,
  ): void {
    if (this.firstTime === 0) this.firstTime = header.time
    // Records that were moved forward keep their time, which is older.
    this.lastTime = Math.max(this.lastTime, header.time)
    this.lastEpoch = header.epoch
    const batch = start + at
    const end = at + header.bytes
    const isGap = (header.flags & batchFlag.gap) !== 0
    if (isGap) this.gaps.push({ from: batch, to: start + end })
    let last: TopicEntries | undefined
    let isSummedUp = false
    let records = 0
    let walked = at + batchHeaderBytes
    for (
      let frame = at + batchHeaderBytes, next = frameEnd(words, frame, end);
      next > 0;
      frame = next, next = frameEnd(words, frame, end)
    ) {
      walked = next
      const word = frame >>> 2
      const length = words[word + lengthWord]
      const tail = words[word + tailWordAt]
      // The rest of a gap is zeros, or as good as that.
      if (isGap && kindOf(tail) !== declareKind) break
      const topic = words[word + topicWord]
      const offset = offsetOf(words[word + offsetLowWord], tail)
      if (kindOf(tail) !== dataKind) {
        // Nothing else would tell a wrong name or first offset, or that a frame was of another kind.
        if (isTrusted && !isSummedUp) {
          isSummedUp = true
          if (!bodyMatches(bytes, at, header)) this.addsUp = false
        }
        // Kinds that are not known here are no messages: see docs/format.md.
        if (kindOf(tail) === declareKind) this.#declare(topic, offset, bytes, frame + frameHeaderBytes, length, words)
      } else {
        records += 1
        if (last === undefined || last.topic !== topic) last = this.#topic(topic, offset)
        const isNext = offset === last.firstOffset + last.count && last.name !== ''
        if (!isNext || (topic !== header.topic && header.topic !== mixedTopics)) this.addsUp = false
        if (offset >= last.firstOffset && offset - last.firstOffset < this.#segmentBytes / frameHeaderBytes) {
          const isExtended = (flagsOf(tail) & extendedFlag) !== 0
          const tag = this.#keepsEntries && isExtended ? keyTag(bytes, words, frame) : 0
          if (this.#keepsEntries) last.add(offset, batch, start + frame, length, tag)
          else last.count = offset - last.firstOffset + 1
          last.frameBytes += next - frame
          if (isExtended) onExtended?.(last, offset, bytes, words, frame)
        }
      }
    }
    if (records !== header.count || walked !== end) this.addsUp = false
    if ((header.flags & batchFlag.seal) !== 0) this.isSealed = true
    if ((header.flags & batchFlag.continues) === 0) this.groupEnd = start + end
  }

  #declare(topic: number, offset: number, bytes: Uint8Array, at: number, length: number, words: Uint32Array): void {
    const entries = this.#topic(topic, offset)
    // Nothing in a log that is whole: there the topic goes on behind its last record.
    const { firstOffset, count } = entries
    if (offset > firstOffset + count && offset - firstOffset < this.#segmentBytes / frameHeaderBytes) {
      if (this.#keepsEntries) entries.extendTo(offset)
      else entries.count = offset - firstOffset
    }
    entries.readable = joinWords(words[at >>> 2], words[(at >>> 2) + 1])
    if (entries.name !== '') return
    this.nameTopic(topic, declaredName(bytes, at, length))
  }

  /** Names a topic that no batch has named. */
  nameTopic(topic: number, name: string): void {
    const entries = this.topics.get(topic)
    if (entries === undefined || entries.name !== '') return
    entries.name = name
    this.nameBytes += name.length
  }

  #topic(topic: number, offset: number): TopicEntries {
    let entries = this.topics.get(topic)
    if (entries === undefined) {
      entries = new TopicEntries(topic, offset, this.#spare?.get(topic))
      this.topics.set(topic, entries)
    }
    return entries
  }
}

// Walking is synchronous and keeps nothing of what it has read: one buffer a thread serves every index.
let scratch = new Uint8Array(0)

function readScratch(window: Legible, at: number, length: number): Uint8Array {
  if (scratch.length < length) scratch = new Uint8Array(Math.max(length, chunkBytes))
  window.readInto(scratch, 0, at, length)
  return scratch.subarray(0, length)
}
