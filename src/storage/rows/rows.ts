/**
 * Rows say where the records of a batch stand: its writer knows, and hands it over, so that the segment can be indexed without being read.
 *
 * ```
 *   | position (2) | bytes | words | topic | length, repeats | length, repeats | ... | topic | length, repeats | ...
 *   |<----------- head ----------->|<-- of the batch's frames, in order: a topic counts for all behind it ------->|
 * ```
 *
 * A ring of 32-bit words in shared memory, from one writer to one reaper. Topics have the upper bit set, then come seven bits of how many more
 * frames have the same length. Offsets need not be said: in a segment the records of a topic are one unbroken run.
 *
 * Invariant: what can be taken are rows of published batches, in the order of the log. They need not be all: of a batch without a row (there
 * was no room; it declares a topic; a key in it has to be summed up) the taker reads the batch. So nothing is lost with a row, and after a
 * crash there are none.
 */
import { assert } from '../../errors.js'
import { highWord, joinWords, lowWord } from '../../format/numbers.js'
import { rowMemoryBytes } from '../../limits.js'
import { untouchedBytes } from '../../ring/untouched-memory.js'
import { openWords, position, tableBytes } from '../../ring/word-table.js'

const table = {
  /** How many words were put, and published. */
  put: position('writer'),
  /** How many of them are not needed any more. */
  taken: position('reaper'),
} as const

const headWord = { low: 0, high: 1, bytes: 2, words: 3, count: 4 } as const
const { low: lowAt, high: highAt, bytes: bytesAt, words: wordsAt, count: headWords } = headWord

/** Tells a topic from a length. */
export const topicMark = 0x80000000
/** Longer frames have no row. */
export const maxRowLength = 2 ** 24 - 1
/** Added to a length for each frame more that has it, as long as it is below the other. */
export const repeatOnce = maxRowLength + 1
export const repeatFull = topicMark - repeatOnce

/** @param bytes a power of two; untouched memory costs nothing */
export function allocateRows(bytes = rowMemoryBytes): SharedArrayBuffer {
  return new SharedArrayBuffer(tableBytes(table) + bytes + untouchedBytes)
}

function ringOf(shared: SharedArrayBuffer): Uint32Array {
  const at = tableBytes(table)
  const bytes = shared.byteLength - at - untouchedBytes
  assert((bytes & (bytes - 1)) === 0, 'the memory of rows is a power of two')
  return new Uint32Array(shared, at, bytes / Uint32Array.BYTES_PER_ELEMENT)
}

/** The frames of a batch as they go into its row, made anew for each batch. */
export interface BatchRow {
  /** Topics, marked, and lengths. */
  readonly words: Uint32Array
  count: number
}

export class RowWriter {
  readonly #cells: ReturnType<typeof openWords<typeof table, 'writer'>>
  readonly #ring: Uint32Array
  readonly #mask: number
  /** Behind the last row. */
  #at = 0
  #published = 0
  #knownTaken = 0
  /** Position behind the batch of the last row. */
  #end = 0

  constructor(shared: SharedArrayBuffer) {
    this.#cells = openWords<typeof table, 'writer'>(table, shared)
    this.#ring = ringOf(shared)
    this.#mask = this.#ring.length - 1
  }

  /** Of a batch that was written at `position`, as far as there is room. Nobody sees it before {@link publish}. */
  put(position: number, bytes: number, { words, count }: BatchRow): void {
    assert(position >= this.#end, 'rows are put in the order of the log, one a batch')
    if (!this.#hasRoom(headWords + count)) return
    const ring = this.#ring
    const mask = this.#mask
    let at = this.#at & mask
    ring[(at + lowAt) & mask] = lowWord(position)
    ring[(at + highAt) & mask] = highWord(position)
    ring[(at + bytesAt) & mask] = bytes
    ring[(at + wordsAt) & mask] = count
    at += headWords
    for (let word = 0; word < count; word++) ring[(at + word) & mask] = words[word]
    this.#at += headWords + count
    this.#end = position + bytes
  }

  /** What {@link takeBack} goes back to. */
  get mark(): number {
    return this.#at
  }

  /** The batches from `position` on are not written after all. Not what was published. */
  takeBack(mark: number, position: number): void {
    assert(mark >= this.#published, 'what is published is not taken back')
    this.#at = mark
    this.#end = Math.min(this.#end, position)
  }

  /** The batches of all rows are published. */
  publish(): void {
    if (this.#published === this.#at) return
    this.#published = this.#at
    this.#cells.put.store(this.#at)
  }

  #hasRoom(words: number): boolean {
    const from = this.#at + words - this.#ring.length
    if (this.#knownTaken < from) this.#knownTaken = this.#cells.taken.load()
    return this.#knownTaken >= from
  }
}

export class RowReader {
  readonly #cells: ReturnType<typeof openWords<typeof table, 'reaper'>>
  readonly ring: Uint32Array
  readonly mask: number
  /** In front of the first row that was not taken. */
  #at: number
  #knownPut = 0
  /** Position and bytes of the batch that {@link seek} found, and where the words of its frames are in the ring. */
  position = 0
  bytes = 0
  from = 0
  to = 0

  constructor(shared: SharedArrayBuffer) {
    this.#cells = openWords<typeof table, 'reaper'>(table, shared)
    // Another reaper may have come before this one.
    this.#at = this.#cells.taken.load()
    this.ring = ringOf(shared)
    this.mask = this.ring.length - 1
  }

  /** Finds the row of the first batch at or behind `position` that has one; rows of those before are taken. False: there is none. */
  seek(position: number): boolean {
    const before = this.#at
    let isFound = this.#look(this.#at)
    while (isFound && this.position < position) {
      this.#at = this.to
      isFound = this.#look(this.#at)
    }
    if (this.#at !== before) this.#cells.taken.store(this.#at)
    return isFound
  }

  /** Bytes of the batches in `[from, to)` that have a row. Takes rows of those before. */
  bytesIn(from: number, to: number): number {
    let bytes = 0
    for (let isFound = this.seek(from); isFound && this.position < to; isFound = this.#look(this.to))
      bytes += this.bytes
    return bytes
  }

  #look(at: number): boolean {
    if (at >= this.#knownPut) this.#knownPut = this.#cells.put.load()
    if (at >= this.#knownPut) return false
    const { ring, mask } = this
    const head = at & mask
    this.position = joinWords(ring[(head + lowAt) & mask], ring[(head + highAt) & mask])
    this.bytes = ring[(head + bytesAt) & mask]
    this.from = at + headWords
    this.to = this.from + ring[(head + wordsAt) & mask]
    return true
  }
}
