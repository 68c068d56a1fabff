/** Some of the offsets of a range, one bit each. */
import type { RecordPlace } from './chunk-cursor.js'
import type { RecordSelection } from './selection.js'

/** As it is handed to other threads, which see what is added later. */
export interface OffsetBits {
  readonly first: number
  readonly words: Uint32Array<SharedArrayBuffer>
}

const bitsPerWord = 32

export class OffsetSet implements RecordSelection {
  readonly only: OffsetBits

  constructor(only: OffsetBits) {
    this.only = only
  }

  /** An empty one, for offsets from `first` on and below `next`. */
  static over(first: number, next: number): OffsetSet {
    const bytes = Math.ceil((next - first) / bitsPerWord) * Uint32Array.BYTES_PER_ELEMENT
    return new OffsetSet({ first, words: new Uint32Array(new SharedArrayBuffer(bytes)) })
  }

  add(offset: number): void {
    const { first, words } = this.only
    const bit = offset - first
    words[Math.floor(bit / bitsPerWord)] |= 1 << (bit % bitsPerWord)
  }

  matches({ offset }: RecordPlace): boolean {
    const { first, words } = this.only
    const bit = offset - first
    return ((words[Math.floor(bit / bitsPerWord)] >>> (bit % bitsPerWord)) & 1) === 1
  }

  /** The first of those in `[from, to)`, ascending, at most so many. */
  some(from: number, to: number, most: number): number[] {
    const { first, words } = this.only
    const found: number[] = []
    const bit = Math.max(0, from - first)
    let index = Math.floor(bit / bitsPerWord)
    let left = words[index] & (-1 << (bit % bitsPerWord))
    for (;;) {
      for (; left !== 0; left &= left - 1) {
        const offset = first + bitsPerWord * index + 31 - Math.clz32(left & -left)
        if (offset >= to || found.length === most) return found
        found.push(offset)
      }
      index += 1
      if (index >= words.length || first + bitsPerWord * index >= to) return found
      left = words[index]
    }
  }
}
