/**
 * How much of a sealed segment will have expired at which time: walked once, a step at a time, and remembered in a few numbers. Batches in
 * which nothing expires are not read, but for their headers.
 */
import { type BatchHeader, batchFlag, batchHeaderBytes, readBatchHeader } from '../../format/batch-layout.js'
import { expires, expiryOf, savedByStub } from '../../format/expiry-layout.js'
import { frameKind, frameWord, kindOf } from '../../format/frame-layout.js'
import { frameEnd } from '../../format/frame-walk.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFile, SegmentFiles } from '../files/segment-files.js'

/** Read of a segment in one step, about. */
const stepBytes = 2 << 20
const lookBytes = 4096
/** Times are told apart as far as that, ms, and of those so many are kept. */
const grainMs = 1_000
const maxPoints = 64

export class ExpiryForecast {
  readonly #files: SegmentFiles
  readonly #segment: number
  /** Topics whose messages expire for those who read. */
  readonly #topics: ReadonlySet<number>
  #at = segmentHeaderBytes
  /** Bytes by time, while it is walked. */
  #bytes: Map<number, number> | undefined = new Map()
  /** Ascending; and what has expired at each of them. */
  #points: readonly { time: number; bytes: number }[] = []

  constructor(files: SegmentFiles, segment: number, topics: ReadonlySet<number>) {
    this.#files = files
    this.#segment = segment
    this.#topics = topics
  }

  /** Walks on. False: it has come to its end before, as far as it could. */
  step(): boolean {
    if (this.#bytes === undefined) return false
    const file = this.#files.open(this.#segment)
    try {
      if (file === undefined || !this.#walk(file)) this.#finish()
    } finally {
      file?.close()
    }
    return true
  }

  /** Bytes of messages that count no more at `now`, without what is left of those that went before; at least so many. */
  expiredAt(now: number): number {
    return this.#points.findLast(({ time }) => time <= now)?.bytes ?? 0
  }

  /** False: the segment ends. */
  #walk(file: SegmentFile): boolean {
    const window = new SalvageWindow(file)
    const base = this.#files.base(this.#segment)
    const { segmentBytes } = this.#files
    for (let read = 0; read < stepBytes; ) {
      const from = this.#at
      const bytes = window.read(from, Math.min(lookBytes, segmentBytes - from))
      read += bytes.length
      while (this.#at - from + batchHeaderBytes <= bytes.length) {
        const header = readBatchHeader(bytes, this.#at - from, base + this.#at, segmentBytes - this.#at)
        // What is damaged is not written anew.
        if (header === undefined || (header.flags & batchFlag.seal) !== 0) return false
        if ((header.flags & batchFlag.expiring) !== 0) {
          this.#take(window.read(this.#at, header.bytes), header)
          read += header.bytes
        }
        this.#at += header.bytes
      }
      if (this.#at === from) return false
    }
    return true
  }

  #take(bytes: Uint8Array, header: BatchHeader): void {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
    let frame = batchHeaderBytes
    for (let next = frameEnd(words, frame, header.bytes); next > 0; next = frameEnd(words, frame, header.bytes)) {
      const word = frame >>> 2
      const isOurs =
        kindOf(words[word + frameWord.tail]) === frameKind.data && this.#topics.has(words[word + frameWord.topic])
      const saves = isOurs && expires(words, frame) ? savedByStub(bytes, words, frame, next - frame) : 0
      if (saves > 0) {
        const time = Math.ceil(expiryOf(bytes, words, frame) / grainMs) * grainMs
        if (Number.isFinite(time)) this.#bytes?.set(time, (this.#bytes.get(time) ?? 0) + saves)
      }
      frame = next
    }
  }

  #finish(): void {
    const byTime = [...(this.#bytes ?? [])].sort(([a], [b]) => a - b)
    const all = byTime.reduce((sum, [, bytes]) => sum + bytes, 0)
    const points: { time: number; bytes: number }[] = []
    let sum = 0
    for (const [time, bytes] of byTime) {
      sum += bytes
      // A step of so much; the last one is told in any case.
      if (sum - (points.at(-1)?.bytes ?? 0) >= all / maxPoints || sum === all) points.push({ time, bytes: sum })
    }
    this.#points = points
    this.#bytes = undefined
  }
}
