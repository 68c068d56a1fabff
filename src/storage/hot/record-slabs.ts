/** Memory for records that were found: the caller's own, which many short ones share. To make it for each takes as long as to read it. */
import type { Target } from '../../memory/read-now.js'

/** Slabs grow with the answer, and no further: a message that is kept keeps its slab. */
const slabBytes = { least: 1 << 10, most: 1 << 16 }
/** Of lookups one by one. A message that is kept keeps so much. */
const pooledSlabBytes = 4 << 10
const wordByWordBytes = 256

/** A record that was found: a frame in memory of the caller's own. */
export class HotRecord {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly words: Uint32Array<ArrayBuffer>
  readonly frame: number
  readonly offset: number
  readonly timestamp: number

  constructor({ bytes, words }: Slab, frame: number, offset: number, timestamp: number) {
    this.bytes = bytes
    this.words = words
    this.frame = frame
    this.offset = offset
    this.timestamp = timestamp
  }
}

/** Records of one answer, one behind the other. */
export class Slab {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly words: Uint32Array<ArrayBuffer>
  #end = 0

  constructor(byteLength: number) {
    // Not as a short array, whose memory V8 moves when it is asked for.
    const buffer = new ArrayBuffer(byteLength)
    this.bytes = new Uint8Array(buffer)
    this.words = new Uint32Array(buffer)
  }

  /** Of an answer of which nobody knows how long it gets. */
  static first(): Slab {
    return new Slab(slabBytes.least)
  }

  get room(): number {
    return this.bytes.length - this.#end
  }

  /** The next one of the same answer. @param size at least */
  behind(size: number): Slab {
    return new Slab(Math.max(size, Math.min(slabBytes.most, 2 * this.bytes.length)))
  }

  /** A copy of the frame of `size` bytes at `from`. There must be {@link room}. */
  put(source: Target, from: number, size: number, offset: number, timestamp: number): HotRecord {
    const at = this.#end
    this.#end += size
    // Frames are whole words. A view for the call costs more than it saves where they are short.
    if (size > wordByWordBytes) this.bytes.set(source.bytes.subarray(from, from + size), at)
    else for (let word = 0; word < size >>> 2; word++) this.words[(at >>> 2) + word] = source.words[(from >>> 2) + word]
    return new HotRecord(this, at, offset, timestamp)
  }
}

/** For records that are asked for one by one. */
export class SlabPool {
  #slab = new Slab(0)

  /** Short records share memory with the few before them; a long one has its own. */
  slabFor(size: number): Slab {
    if (size > pooledSlabBytes / 8) return new Slab(size)
    // Whoever has transferred it to another thread has left one without room.
    if (size > this.#slab.room) this.#slab = new Slab(pooledSlabBytes)
    return this.#slab
  }
}
