/**
 * Batches of one segment whose checksums were found right, and where to look in them: of a batch of 64 KiB the first lookup reads and sums
 * up all of it, the ones that follow only their record. Forgotten with the file that they were read from, as a mapping's verified
 * batches are with the mapping.
 */
import { type BatchHeader, batchHeaderBytes } from '../../format/batch-layout.js'
import { frameKind, frameWord, kindOf, offsetOf } from '../../format/frame-layout.js'
import { frameEnd } from '../../format/frame-walk.js'
import { alignmentBytes, knownBatchBytes, maxKnownBytes, placeStepBytes } from '../../limits.js'

const { topic: topicWord, offsetLow: offsetLowWord, tail: tailWordAt } = frameWord

export class KnownBatch {
  readonly time: number
  readonly bytes: number
  /** Places of some records, in order: whoever wants one in between walks from the one before. Empty: an index tells where each is. */
  readonly #offsets: Float64Array
  readonly #starts: Uint32Array
  /** Of a batch in which records do not follow one another, and each has its place noted: their topics. */
  readonly #topics: Uint32Array | undefined
  /** Where the record that {@link find} was asked for stands in the batch: somewhere in here, if at all. */
  from = 0
  to = 0

  private constructor(
    { time, bytes }: BatchHeader,
    offsets: Float64Array,
    starts: Uint32Array,
    topics: Uint32Array | undefined,
  ) {
    this.time = time
    this.bytes = bytes
    this.#offsets = offsets
    this.#starts = starts
    this.#topics = topics
  }

  /** Of a segment whose index tells where records are. */
  static withoutPlaces(header: BatchHeader): KnownBatch {
    return new KnownBatch(header, noOffsets, noStarts, undefined)
  }

  /** @param words hold the batch, whose checksums have been found right, from `at` on */
  static withPlaces(header: BatchHeader, words: Uint32Array, at: number): KnownBatch {
    const offsets: number[] = []
    const starts: number[] = []
    let last = -1
    const isRow = visitRecords(words, at, header, (topic, offset, start) => {
      if (topic !== header.topic || offset <= last) return false
      last = offset
      if (starts.length > 0 && start - starts[starts.length - 1] < placeStepBytes) return true
      offsets.push(offset)
      starts.push(start)
      return true
    })
    if (isRow) return new KnownBatch(header, Float64Array.from(offsets), Uint32Array.from(starts), undefined)
    const all: { topic: number; offset: number; start: number }[] = []
    visitRecords(words, at, header, (topic, offset, start) => all.push({ topic, offset, start }) > 0)
    return new KnownBatch(
      header,
      Float64Array.from(all, ({ offset }) => offset),
      Uint32Array.from(all, ({ start }) => start),
      Uint32Array.from(all, ({ topic }) => topic),
    )
  }

  /** What it takes of {@link maxKnownBytes}. */
  get weight(): number {
    return knownBatchBytes + this.#offsets.byteLength + this.#starts.byteLength + (this.#topics?.byteLength ?? 0)
  }

  /** Sets {@link from} and {@link to}. False: the record is not in this batch. */
  find(topic: number, offset: number): boolean {
    const index = this.#topics === undefined ? this.#lastAtOrBelow(offset) : this.#indexOf(topic, offset)
    if (index < 0) return false
    this.from = this.#starts[index]
    this.to = index + 1 < this.#starts.length ? this.#starts[index + 1] : this.bytes
    return true
  }

  #lastAtOrBelow(offset: number): number {
    const offsets = this.#offsets
    let low = 0
    for (let high = offsets.length; low < high; ) {
      const middle = (low + high) >>> 1
      if (offsets[middle] <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #indexOf(topic: number, offset: number): number {
    const offsets = this.#offsets
    for (let index = 0; index < offsets.length; index++)
      if (offsets[index] === offset && this.#topics?.[index] === topic) return index
    return -1
  }
}

/** Calls `visit` with each record of a batch, and where it begins in the batch, until that is false. Returns whether it never was. */
function visitRecords(
  words: Uint32Array,
  at: number,
  { bytes }: BatchHeader,
  visit: (topic: number, offset: number, start: number) => boolean,
): boolean {
  const end = at + bytes
  for (
    let frame = at + batchHeaderBytes, next = frameEnd(words, frame, end);
    next > 0;
    frame = next, next = frameEnd(words, frame, end)
  ) {
    const word = frame >>> 2
    const tail = words[word + tailWordAt]
    if (kindOf(tail) !== frameKind.data) continue
    if (!visit(words[word + topicWord], offsetOf(words[word + offsetLowWord], tail), frame - at)) return false
  }
  return true
}

const noOffsets = new Float64Array(0)
const noStarts = new Uint32Array(0)

/** Bytes that the known batches of all segments of a log take, in one thread. */
export interface KnownBudget {
  used: number
}

export class KnownBatches {
  readonly #budget: KnownBudget
  /** By place, in units of the alignment, which V8 keeps without an object. The oldest go first. */
  readonly #batches = new Map<number, KnownBatch>()

  constructor(budget: KnownBudget) {
    this.#budget = budget
  }

  /** @param place of the batch in the segment */
  get(place: number): KnownBatch | undefined {
    return this.#batches.get(place / alignmentBytes)
  }

  /** Not kept, where there is no room and this segment has nothing to give for it. */
  add(place: number, batch: KnownBatch): void {
    const key = place / alignmentBytes
    this.#remove(key)
    for (const oldest of this.#batches.keys()) {
      if (this.#budget.used + batch.weight <= maxKnownBytes) break
      this.#remove(oldest)
    }
    if (this.#budget.used + batch.weight > maxKnownBytes) return
    this.#batches.set(key, batch)
    this.#budget.used += batch.weight
  }

  clear(): void {
    for (const key of this.#batches.keys()) this.#remove(key)
  }

  #remove(key: number): void {
    const batch = this.#batches.get(key)
    if (batch === undefined) return
    this.#batches.delete(key)
    this.#budget.used -= batch.weight
  }
}
