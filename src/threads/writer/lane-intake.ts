/** One lane as the writer sees it: the ring that a thread fills, what came past it, and whom to wake. */
import {
  bulkPayloadBytes,
  flagsOf,
  frameBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
  tailWord,
} from '../../format/frame-layout.js'
import type { RingConsumer } from '../../ring/append-ring.js'
import type { BatchTimes } from '../../ring/batch-times.js'
import type { LaneWords } from '../../ring/lane-words.js'
import type { FrameRun } from '../../storage/append/batch-cutter.js'

/** Frames that did not fit the ring of a lane. */
export interface BulkSource {
  /** Those that the ring announces under this number; they were sent before the announcement. */
  take(id: number): Uint8Array
  close(): void
}

export interface LaneIntakeParts {
  words: LaneWords<'writer'>
  ring: RingConsumer
  /** Where somebody looks for the newest messages in the ring. */
  times: BatchTimes | undefined
  bulk: BulkSource
}

/** What {@link LaneIntake.refuse} has come to. */
export interface Refused {
  /** Everything awaited before this ring position is refused. */
  end: number
  /** Nothing before this one waits for anything any more. */
  goneTo: number
}

export class LaneIntake {
  readonly words: LaneWords<'writer'>
  readonly ring: RingConsumer
  readonly #times: BatchTimes | undefined
  readonly #source: BulkSource
  /** A bulk append that arrived and waits for a segment. */
  #bulk: { id: number; run: FrameRun } | undefined

  constructor({ words, ring, times, bulk }: LaneIntakeParts) {
    this.words = words
    this.ring = ring
    this.#times = times
    this.#source = bulk
  }

  get number(): number {
    return this.words.number
  }

  get isEmpty(): boolean {
    return this.ring.loadTail() === this.ring.head
  }

  /** The frames from a ring position on are appended at `time`, those from its head on unless said. Before they are released. */
  noteTime(time: number, position = this.ring.head): void {
    this.#times?.note(position, time)
  }

  /**
   * What is before `head` has left the ring, published or refused: whoever waits for that is woken.
   * @returns true if somebody waits for the device with it
   */
  release(head: number): boolean {
    const { ring, words } = this
    const before = ring.head
    ring.releaseTo(head)
    // Somebody who only waits for room is not woken for every batch.
    if (head >= words.wakeHead.load()) words.bell.ringIfAsleep()
    // Behind the head: the wish was there before the frames. See flush-way.ts.
    return words.flushWished.load() > before
  }

  /** The frames that came past the ring for the placeholder at `place` in it. */
  bulkAt(place: number): FrameRun {
    const id = this.#bulkId(place)
    if (this.#bulk?.id !== id) {
      const bytes = this.#source.take(id)
      this.#bulk = { id, run: { bytes, words: new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2) } }
    }
    return this.#bulk.run
  }

  /** They are appended: their thread reads the first offset where it looks for every other, in the ring. @returns the ring position behind */
  bulkAppended(place: number): number {
    const { memory } = this.ring
    const { words } = this.bulkAt(place)
    const word = place >>> 2
    memory.words[word + frameWord.offsetLow] = words[frameWord.offsetLow]
    const flags = flagsOf(memory.words[word + frameWord.tail])
    memory.words[word + frameWord.tail] = tailWord(words[frameWord.tail] & 0xffff, frameKind.bulk, flags)
    this.#bulk = undefined
    return this.ring.head + frameBytes(bulkPayloadBytes)
  }

  /** The frames that came past the ring for the placeholder at `place` in it are not wanted. */
  forgetBulkAt(place: number): void {
    this.#forgetBulk(this.#bulkId(place))
  }

  /**
   * Everything that somebody waits for is marked as refused, in place; what was only offered stays until there is space. What stands in front of
   * that and waits for nothing may leave the ring: behind refused appends and the declarations of their topics alone, nobody has to wait.
   * @param learn takes the name of a topic from its declaration
   */
  refuse(learn: (run: FrameRun, at: number) => void): Refused {
    const { memory, head } = this.ring
    const end = this.ring.loadTail()
    let goneTo = head
    let isFirstWaiting = false
    memory.visitFrames(head, end, (at, position) => {
      const word = at >>> 2
      const tail = memory.words[word + frameWord.tail]
      const kind = kindOf(tail)
      if (kind !== frameKind.padding && kind !== frameKind.cancelled) {
        const isAwaited = (flagsOf(tail) & frameFlag.awaited) !== 0
        // Its first record declares the topic as well.
        const isNeedless = kind === frameKind.declare && !isFirstWaiting
        isFirstWaiting ||= !isAwaited && !isNeedless
        if (!isAwaited && !isNeedless) return
        if (kind === frameKind.declare) learn(memory, at)
        if (kind === frameKind.bulk) this.forgetBulkAt(at)
        memory.words[word + frameWord.tail] = tailWord(0, frameKind.cancelled, flagsOf(tail))
      }
      if (!isFirstWaiting) goneTo = position + frameBytes(memory.words[word + frameWord.length])
    })
    return { end, goneTo }
  }

  close(): void {
    this.#source.close()
  }

  #bulkId(place: number): number {
    return this.ring.memory.words[(place + frameHeaderBytes) >>> 2]
  }

  #forgetBulk(id: number): void {
    if (this.#bulk?.id === id) this.#bulk = undefined
    else this.#source.take(id)
  }
}
