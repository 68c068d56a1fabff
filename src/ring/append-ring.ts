/**
 * The append ring: a single-producer, single-consumer ring of record frames in shared memory.
 *
 * ```
 *        head            tail                       capacity: a power of two
 *   ......|==============|.........................  tail - head: handed over, not yet taken
 *   ======|.......................|==========|pad|   a frame never wraps: padding fills the end
 * ```
 *
 * Positions are counted from the opening of the log, in 53 bits: they never wrap, so two of them may be any distance apart. The
 * place of a byte is its position modulo the capacity. The
 * producer writes whole frames and publishes many at once; the consumer stamps offsets into frames in place and frees
 * their space after the records are published in the log. Since only the producer overwrites, it can still read what
 * the consumer stamped until it reuses the space. After Agrona's OneToOneRingBuffer.
 */
import { assert } from '../errors.js'
import { writePaddingFrame } from '../format/frame-encoder.js'
import { frameBytes, frameHeaderBytes, frameWord } from '../format/frame-layout.js'
import type { PositionCell } from './position-cell.js'
import { untouchedBytes } from './untouched-memory.js'
import type { Loadable } from './word.js'

export class RingMemory {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  /** The same bytes, for who encodes text right into them. */
  readonly text: Buffer
  readonly capacity: number
  readonly mask: number

  static allocate(capacity: number): SharedArrayBuffer {
    assert((capacity & (capacity - 1)) === 0, 'the capacity of a ring is a power of two')
    return new SharedArrayBuffer(capacity + untouchedBytes)
  }

  constructor(shared: SharedArrayBuffer) {
    this.capacity = shared.byteLength - untouchedBytes
    this.bytes = new Uint8Array(shared, 0, this.capacity)
    this.words = new Uint32Array(shared, 0, this.capacity / Uint32Array.BYTES_PER_ELEMENT)
    this.text = Buffer.from(this.bytes.buffer, 0, this.capacity)
    this.mask = this.capacity - 1
  }

  /**
   * Visits the frames between two ring positions, of every kind.
   * @param visit gets a frame's place in the memory and its position; it may change all of the frame but its length
   */
  visitFrames(from: number, to: number, visit: (at: number, position: number) => void): void {
    let position = from
    while (position < to) {
      const at = position & this.mask
      const untilEnd = this.capacity - at
      // An end too short for a frame header is skipped by both sides without a frame.
      if (untilEnd < frameHeaderBytes) {
        position += untilEnd
        continue
      }
      visit(at, position)
      position += frameBytes(this.words[(at >>> 2) + frameWord.length])
    }
  }
}

/** The appending thread's side. */
export class RingProducer {
  readonly memory: RingMemory
  readonly #tail: PositionCell
  readonly #head: Loadable
  readonly #settledHead: () => number
  /** Of the last {@link publish}. Positions outgrow 31 bits, and are counted in full here only: all that moves with each frame is small. */
  #publishedTail: number
  /** Written behind that. */
  #unpublished = 0
  /** Place of the next frame. */
  #at: number
  /** Behind that, as far as is known. */
  #free = 0

  /**
   * @param settledHead says up to where freed space may be overwritten: whoever reads what the consumer stamped into a frame must
   * have done so before that frame's space is used again
   */
  constructor(memory: RingMemory, tail: PositionCell, head: Loadable, settledHead: () => number = () => head.load()) {
    this.memory = memory
    this.#tail = tail
    this.#head = head
    this.#settledHead = settledHead
    this.#publishedTail = tail.load()
    this.#at = this.#publishedTail & memory.mask
  }

  /** Ring position behind the last frame. */
  get tail(): number {
    return this.#publishedTail + this.#unpublished
  }

  /** Bytes of frames that are not published yet. */
  get unpublishedBytes(): number {
    return this.#unpublished
  }

  get usedBytes(): number {
    return this.tail - this.#head.load()
  }

  /**
   * Where `byteLength` contiguous bytes (a multiple of 8) can be written now, or -1 if the ring has no room. They are taken when
   * {@link advance} says how many it came to: whoever fails in between, in code of others or for want of stack, leaves
   * nothing behind. Where the end of the ring is too short, padding is taken in passing.
   */
  place(byteLength: number): number {
    const untilEnd = this.memory.capacity - this.#at
    const needed = byteLength <= untilEnd ? byteLength : untilEnd + byteLength
    // The real head is looked at only when the remembered room is too little: it lives on the consumer's cache line.
    if (needed > this.#free && needed > this.#lookForRoom()) return -1
    if (needed !== byteLength) {
      // An end too short for a frame header is skipped by both sides without a frame.
      if (untilEnd >= frameHeaderBytes) writePaddingFrame(this.memory.words, this.#at, untilEnd - frameHeaderBytes)
      this.advance(untilEnd)
    }
    return this.#at
  }

  /** Takes `byteLength` bytes, a multiple of 8, at the last {@link place}: whole frames stand there now. */
  advance(byteLength: number): void {
    this.#at = (this.#at + byteLength) & this.memory.mask
    this.#free -= byteLength
    this.#unpublished += byteLength
  }

  /** True if `byteLength` bytes in one frame (or a run without gaps) could be written now. */
  hasRoom(byteLength: number): boolean {
    const untilEnd = this.memory.capacity - this.#at
    return (byteLength <= untilEnd ? byteLength : untilEnd + byteLength) <= this.#lookForRoom()
  }

  /** Hands all frames so far over to the consumer. */
  publish(): void {
    this.#publishedTail += this.#unpublished
    this.#unpublished = 0
    this.#tail.store(this.#publishedTail)
  }

  #lookForRoom(): number {
    this.#free = this.memory.capacity - (this.tail - this.#settledHead())
    return this.#free
  }
}

/** The writer's side. */
export class RingConsumer {
  readonly memory: RingMemory
  readonly #tail: Loadable
  readonly #head: PositionCell
  #ownHead: number

  constructor(memory: RingMemory, tail: Loadable, head: PositionCell) {
    this.memory = memory
    this.#tail = tail
    this.#head = head
    this.#ownHead = head.load()
  }

  get head(): number {
    return this.#ownHead
  }

  loadTail(): number {
    return this.#tail.load()
  }

  /** Frees everything before `position`: its frames are published, so the producer may acknowledge and overwrite. */
  releaseTo(position: number): void {
    this.#ownHead = position
    this.#head.store(position)
  }
}
