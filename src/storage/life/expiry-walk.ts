/**
 * Until when the messages of a segment count, topic by topic: what retention asks of the oldest one, in a log in which some expire. The
 * batches are walked, a step at a time, before anything of the segment is let go.
 */
import { type BatchHeader, batchFlag, batchHeaderBytes, readBatchHeader } from '../../format/batch-layout.js'
import { expires, expiryOf } from '../../format/expiry-layout.js'
import { frameKind, frameWord, kindOf } from '../../format/frame-layout.js'
import { frameEnd } from '../../format/frame-walk.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFiles } from '../files/segment-files.js'

const never = Number.POSITIVE_INFINITY
/** Some milliseconds, while nothing else of the caller goes on. */
const stepBytes = 4 << 20

export class ExpiryWalk {
  readonly segment: number
  readonly #files: SegmentFiles
  readonly #times = new Map<number, number>()
  #at = segmentHeaderBytes
  #stage: 'walking' | 'whole' | 'cut short' = 'walking'

  constructor(files: SegmentFiles, segment: number) {
    this.#files = files
    this.segment = segment
  }

  /** The last message of the topic counts until then, ms since the epoch; Infinity: one counts for ever, or it is not known (yet). */
  until(topic: number): number {
    return this.#stage === 'whole' ? (this.#times.get(topic) ?? never) : never
  }

  /** Walks on by some MiB. False: it has come to its end before. */
  step(): boolean {
    if (this.#stage !== 'walking') return false
    const file = this.#files.open(this.segment)
    if (file === undefined) this.#stage = 'cut short'
    else {
      try {
        this.#walk(new SalvageWindow(file))
      } finally {
        file.close()
      }
    }
    return true
  }

  #walk(window: SalvageWindow): void {
    const base = this.#files.base(this.segment)
    const { segmentBytes } = this.#files
    const from = this.#at
    const bytes = window.read(from, Math.min(stepBytes, segmentBytes - from))
    for (;;) {
      const header = readBatchHeader(bytes, this.#at - from, base + this.#at, segmentBytes - this.#at)
      if (header === undefined) {
        // The next step begins with it. Behind what is no batch there may be others: whose they are nobody knows from here.
        if (this.#at === from || from + bytes.length - this.#at >= batchHeaderBytes) this.#stage = 'cut short'
        return
      }
      if (this.#at + header.bytes <= from + bytes.length) this.#take(bytes, this.#at - from, header)
      else if (this.#at > from) return
      else this.#take(window.read(from, header.bytes), 0, header)
      this.#at += header.bytes
      if ((header.flags & batchFlag.seal) !== 0) {
        this.#stage = 'whole'
        return
      }
      if (this.#at >= from + bytes.length) return
    }
  }

  #take(bytes: Uint8Array, at: number, header: BatchHeader): void {
    const mayExpire = (header.flags & batchFlag.expiring) !== 0
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
    const end = at + header.bytes
    for (
      let frame = at + batchHeaderBytes, next = frameEnd(words, frame, end);
      next > 0;
      frame = next, next = frameEnd(words, frame, end)
    ) {
      const word = frame >>> 2
      if (kindOf(words[word + frameWord.tail]) !== frameKind.data) continue
      const topic = words[word + frameWord.topic]
      const time = mayExpire && expires(words, frame) ? expiryOf(bytes, words, frame) : never
      this.#times.set(topic, Math.max(time, this.#times.get(topic) ?? 0))
    }
  }
}
