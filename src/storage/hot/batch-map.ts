/**
 * Where the records of each topic begin, batch by batch, in a segment that has no index yet.
 *
 * Made by hopping from header to header, without a checksum: what it says is a hint, and whoever follows it verifies the batch. So it costs
 * a short read for 64 KiB of log where they are one batch, and is never more than a row for each topic in 4 KiB. A segment that cannot be
 * followed (damage, too many topics) is mapped up to there: what stands behind it is not found here.
 */
import {
  batchBytes,
  batchField,
  batchFlag,
  batchHeaderBytes,
  batchMagic,
  mixedTopics,
} from '../../format/batch-layout.js'
import { frameHeaderBytes, frameWord } from '../../format/frame-layout.js'
import { frameEnd, recordOffset } from '../../format/frame-walk.js'
import { joinWords } from '../../format/numbers.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { mapRowBytes, maxMapRows, rowsPerMappedTopic } from '../../limits.js'
import type { Target } from '../../memory/read-now.js'

const positionWord = batchField.position / 4
const countWord = batchField.count / 4
const topicWord = batchField.topic / 4
const flagsWord = batchField.flags / 4
const frameTopicWord = frameWord.topic

/** Bytes that are looked at around a header: the batches of a row, see {@link BatchMap.find}. */
export const lookBytes = 2 * mapRowBytes

/** Reads of one call of {@link BatchMap.catchUp}: some 100 us where batches are long, 300 where they are short. */
const readsPerCall = 64

/** Copies a range to the front of the target. False: it is not in memory. */
export type ReadHot = (target: Target, at: number, length: number) => boolean

/** Rows of one topic, in order of offsets and places. */
class TopicRows {
  #offsets = new Float64Array(4)
  #batches = new Uint32Array(4)
  count = 0

  /** Place of the last row; 0: there is none. */
  get lastBatch(): number {
    return this.count === 0 ? 0 : this.#batches[this.count - 1]
  }

  /** Records that were moved forward stand here again: the older rows of them do not count. */
  dropFrom(offset: number): void {
    while (this.count > 0 && this.#offsets[this.count - 1] >= offset) this.count -= 1
  }

  add(offset: number, batch: number): void {
    if (this.count === this.#offsets.length) this.#grow()
    this.#offsets[this.count] = offset
    this.#batches[this.count] = batch
    this.count += 1
  }

  /** Place of the last row at or below the offset; 0: there is none. */
  before(offset: number): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#offsets[middle] <= offset) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : this.#batches[low - 1]
  }

  #grow(): void {
    const offsets = new Float64Array(2 * this.count)
    const batches = new Uint32Array(2 * this.count)
    offsets.set(this.#offsets)
    batches.set(this.#batches)
    this.#offsets = offsets
    this.#batches = batches
  }
}

export class BatchMap {
  readonly #base: number
  readonly #segmentBytes: number
  readonly #topics = new Map<number, TopicRows>()
  #rowCount = 0
  /** Relative position up to which the segment is mapped. */
  #end = segmentHeaderBytes
  /** Whether it goes on behind that: not after the seal, nor in front of what cannot be followed. */
  #goesOn = true
  #isSealed = false

  constructor(base: number, segmentBytes: number) {
    this.#base = base
    this.#segmentBytes = segmentBytes
  }

  /** True: all of its records are mapped, and no index knows more. */
  get isWhole(): boolean {
    return this.#isSealed
  }

  /** A place at which to begin looking for a record: a batch at or before its own, at most {@link lookBytes} before its end or itself. 0: none is known. */
  find(topic: number, offset: number): number {
    return this.#topics.get(topic)?.before(offset) ?? 0
  }

  /**
   * Maps what has been published since, as far as it is in memory and a call may go.
   * @param published end of what is valid in the log
   * @param target at least {@link lookBytes}; batches of several topics that are longer end the map
   */
  catchUp(read: ReadHot, target: Target, published: number): void {
    const to = Math.min(published - this.#base, this.#segmentBytes)
    for (let reads = 0; this.#goesOn && this.#end < to && reads < readsPerCall; reads++) {
      const length = Math.min(lookBytes, to - this.#end)
      if (!read(target, this.#end, length)) return
      const needed = this.#mapBatches(target, length, to)
      if (needed === 0) continue
      // A batch whose frames have to be looked at.
      if (needed > target.bytes.length) this.#goesOn = false
      else if (!read(target, this.#end, needed)) return
      else if (this.#mapBatches(target, needed, to) > 0) this.#goesOn = false
      // As much as some short reads.
      reads += needed / lookBytes
    }
  }

  /** Maps the batches at the front of the target. Returns how many bytes have to be there to map one more; 0: the next one is further on. */
  #mapBatches({ words }: Target, length: number, to: number): number {
    for (let at = 0; this.#goesOn && at + batchHeaderBytes <= length; ) {
      const word = at >>> 2
      const bytes = batchBytes(words, at)
      const isOne =
        words[word] === batchMagic &&
        joinWords(words[word + positionWord], words[word + positionWord + 1]) === this.#base + this.#end &&
        bytes >= batchHeaderBytes &&
        bytes % 8 === 0 &&
        bytes <= to - this.#end
      if (!isOne) {
        this.#goesOn = false
        return 0
      }
      if (!this.#mapBatch(words, at, Math.min(at + bytes, length))) return at === 0 ? bytes : 0
      if ((words[word + flagsWord] & batchFlag.seal) !== 0) {
        this.#isSealed = true
        this.#goesOn = false
        return 0
      }
      this.#end += bytes
      at += bytes
    }
    return 0
  }

  /** @param end of the bytes of the batch that are there. False: more of them are needed. */
  #mapBatch(words: Uint32Array, at: number, end: number): boolean {
    const word = at >>> 2
    const batchEnd = at + batchBytes(words, at)
    const isWhole = end === batchEnd
    const topic = words[word + topicWord]
    // The rest of a gap is zeros, and nothing without records is looked for.
    if (words[word + countWord] === 0 || (words[word + flagsWord] & batchFlag.gap) !== 0) return true
    if (topic === mixedTopics && !isWhole) return false
    // Of a frame the head is enough; where it ends may lie behind what is there.
    for (let frame = at + batchHeaderBytes; frame > 0 && frame + frameHeaderBytes <= end; ) {
      const owner = topic === mixedTopics ? words[(frame >>> 2) + frameTopicWord] : topic
      const offset = recordOffset(words, frame, owner)
      if (offset >= 0) this.#add(owner, offset, this.#end, batchEnd - at)
      // Only of a batch of several topics each record may be the first of its own.
      if (offset >= 0 && topic !== mixedTopics) return true
      frame = frameEnd(words, frame, batchEnd)
    }
    return isWhole
  }

  #add(topic: number, offset: number, batch: number, bytes: number): void {
    let rows = this.#topics.get(topic)
    if (rows === undefined) {
      rows = new TopicRows()
      this.#topics.set(topic, rows)
      this.#rowCount += rowsPerMappedTopic
    }
    const { lastBatch } = rows
    if (lastBatch === batch) return
    const before = rows.count
    rows.dropFrom(offset)
    // Of short batches one in so many bytes has a row. A long one has its own, so that nobody has to look past it.
    const isNear = rows.count === before && lastBatch > 0 && batch - lastBatch < mapRowBytes && bytes <= mapRowBytes
    if (!isNear) rows.add(offset, batch)
    this.#rowCount += rows.count - before
    if (this.#rowCount >= maxMapRows) this.#goesOn = false
  }
}
