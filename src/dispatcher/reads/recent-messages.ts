/**
 * The newest messages, read where they already are: in the ring.
 *
 * The writer stamps offsets into the frames in place, and only the producer, which is this thread, overwrites them. So behind the
 * ring's head stand the last megabytes of appended messages, published and in memory that this thread shares. Whoever waits at
 * the end of a topic gets them without a task for a reader thread: both ends of a queue are in memory.
 *
 * Only topics somebody waits on are looked for, and only when somebody asks; one whose messages are overwritten before anybody has
 * asked for them is let go. What is not here any more, or never was (it came past the ring, or before anybody waited), is read from
 * the log as ever.
 */
import { batchFlag, batchHeaderBytes, writeBatchHeader } from '../../format/batch-layout.js'
import { flagsOf, frameBytes, frameFlag, frameKind, frameWord, kindOf, offsetOf } from '../../format/frame-layout.js'
import { chunkBytes } from '../../limits.js'
import type { RingProducer } from '../../ring/append-ring.js'
import type { BatchTimes } from '../../ring/batch-times.js'
import { PositionRow } from './position-row.js'

/** A row of frames of one topic with consecutive offsets. */
interface Recent {
  /** Offset of the first in the row. */
  first: number
  /** Where they stand in the ring. */
  readonly positions: PositionRow
  /** Up to which ring position frames had been looked at when somebody last waited or asked. */
  askedAt: number
}

export class RecentMessages {
  readonly #ring: RingProducer
  readonly #times: BatchTimes
  readonly #publishedHead: () => number
  readonly #topics = new Map<number, Recent>()
  /** Frames before this ring position have been looked at. */
  #walked: number

  /** @param publishedHead the ring position up to which everything is published */
  constructor(ring: RingProducer, times: BatchTimes, publishedHead: () => number) {
    this.#ring = ring
    this.#times = times
    this.#publishedHead = publishedHead
    this.#walked = publishedHead()
  }

  /** From now on, messages of this topic are looked for. */
  watch(topic: number): void {
    if (topic < 0) return
    const known = this.#topics.get(topic)
    if (known !== undefined) {
      known.askedAt = this.#walked
      return
    }
    if (this.#topics.size === 0) this.#walked = this.#publishedHead()
    else this.#walk()
    this.#topics.set(topic, { first: 0, positions: new PositionRow(), askedAt: this.#walked })
  }

  /** Messages of the topic from `offset` on, below `to`, of one time; undefined: they are not all here. */
  chunk(topic: number, offset: number, to: number): { bytes: Uint8Array<ArrayBuffer>; next: number } | undefined {
    const recent = this.#topics.get(topic)
    if (recent === undefined) return undefined
    // Before the walk: asked for now, it is not let go, whatever has been overwritten.
    recent.askedAt = this.#publishedHead()
    this.#walk()
    this.#forgetOverwritten(recent)
    const { first, positions } = recent
    if (offset < first || offset >= first + positions.length) return undefined
    const time = this.#times.timeOf(positions.at(offset - first))
    if (time === undefined) return undefined
    const end = this.#endOfTime(recent, offset, Math.min(to, first + positions.length), time)
    return { bytes: this.#copy(topic, recent, offset, end, time), next: end }
  }

  /** End of the messages from `offset` on that have this time and fit one chunk; at least one does. */
  #endOfTime({ first, positions }: Recent, offset: number, to: number, time: number): number {
    let bytes = 0
    let end = offset
    for (; end < to; end++) {
      const position = positions.at(end - first)
      bytes += this.#frameBytesAt(position)
      if (end > offset && (bytes > chunkBytes || this.#times.timeOf(position) !== time)) break
    }
    return end
  }

  /** As a reader thread would send them: a batch header, of which only lengths and time will be looked at, and the frames. */
  #copy(topic: number, recent: Recent, from: number, to: number, time: number): Uint8Array<ArrayBuffer> {
    const { memory } = this.#ring
    const { first, positions } = recent
    let total = batchHeaderBytes
    for (let offset = from; offset < to; offset++) total += this.#frameBytesAt(positions.at(offset - first))
    const bytes = new Uint8Array(total)
    let at = batchHeaderBytes
    let tails = 0
    for (let offset = from; offset < to; offset++) {
      const position = positions.at(offset - first)
      const start = position & memory.mask
      const length = this.#frameBytesAt(position)
      bytes.set(memory.bytes.subarray(start, start + length), at)
      tails |= memory.words[(start >>> 2) + frameWord.tail]
      at += length
    }
    const flags = (flagsOf(tails) & frameFlag.expires) === 0 ? 0 : batchFlag.expiring
    writeBatchHeader(bytes, new Uint32Array(bytes.buffer), 0, total, to - from, 0, time, 0, topic, flags, 0)
    return bytes
  }

  #frameBytesAt(position: number): number {
    const { memory } = this.#ring
    return frameBytes(memory.words[((position & memory.mask) >>> 2) + frameWord.length])
  }

  /** Looks at every frame that was published since the last time. */
  #walk(): void {
    const { memory, tail } = this.#ring
    const head = this.#publishedHead()
    // Overwritten before anybody asked: there is nothing to be found before the head.
    if (tail - this.#walked > memory.capacity) {
      for (const recent of this.#topics.values()) recent.positions.clear()
      this.#walked = head
    }
    memory.visitFrames(this.#walked, head, (at, position) => {
      const word = at >>> 2
      const tailWord = memory.words[word + frameWord.tail]
      if (kindOf(tailWord) !== frameKind.data) return
      const topic = memory.words[word + frameWord.topic]
      const recent = this.#topics.get(topic)
      if (recent !== undefined)
        this.#note(topic, recent, offsetOf(memory.words[word + frameWord.offsetLow], tailWord), position)
    })
    this.#walked = head
  }

  #note(topic: number, recent: Recent, offset: number, position: number): void {
    if (this.#forgetOverwritten(recent)) {
      this.#topics.delete(topic)
      return
    }
    const { positions } = recent
    // A message in between went past the ring: the row starts anew behind it.
    if (positions.length > 0 && recent.first + positions.length !== offset) positions.clear()
    if (positions.length === 0) recent.first = offset
    positions.push(position)
  }

  /** True: one of them was overwritten before anybody had asked for it. */
  #forgetOverwritten(recent: Recent): boolean {
    const { memory, tail } = this.#ring
    const { positions } = recent
    let isUnwanted = false
    while (positions.length > 0 && tail - positions.at(0) > memory.capacity) {
      if (positions.at(0) >= recent.askedAt) isUnwanted = true
      positions.shift()
      recent.first += 1
    }
    return isUnwanted
  }
}
