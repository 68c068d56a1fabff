/** Some ids in the order in which they came, and what is known of each: numbers in a few arrays, and their bytes one behind the other. */
import type { IdPlace } from './id-table.js'

/** Of an entry, in all arrays. */
const entryBytes = 32

export class IdBlock {
  readonly offsets: Float64Array
  /** Of the batches, ms since the epoch. */
  readonly times: Float64Array
  /** Of each the number of the one that came before it in its chain. */
  readonly before: Float64Array
  readonly hashes: Int32Array
  readonly #starts: Uint32Array
  #bytes: Uint8Array
  #bytesEnd = 0
  #length = 0

  /** @param bytes that ids will probably come to; there may be more */
  constructor(capacity: number, bytes: number) {
    const memory = new ArrayBuffer(capacity * entryBytes)
    this.offsets = new Float64Array(memory, 0, capacity)
    this.times = new Float64Array(memory, 8 * capacity, capacity)
    this.before = new Float64Array(memory, 16 * capacity, capacity)
    this.hashes = new Int32Array(memory, 24 * capacity, capacity)
    this.#starts = new Uint32Array(memory, 28 * capacity, capacity)
    this.#bytes = new Uint8Array(bytes)
  }

  get length(): number {
    return this.#length
  }

  get isFull(): boolean {
    return this.#length === this.#starts.length
  }

  /** Of the ids. */
  get bytes(): number {
    return this.#bytesEnd
  }

  /** It is not full. @returns its place */
  add(bytes: Uint8Array, { from, end, hash }: IdPlace, offset: number, time: number): number {
    const at = this.#length
    const start = this.#bytesEnd
    if (start + end - from > this.#bytes.length) this.#grow(end - from)
    const own = this.#bytes
    for (let byte = from; byte < end; byte++) own[start + byte - from] = bytes[byte]
    this.#bytesEnd = start + end - from
    this.#starts[at] = start
    this.offsets[at] = offset
    this.times[at] = time
    this.hashes[at] = hash
    this.#length = at + 1
    return at
  }

  isAt(at: number, bytes: Uint8Array, { from, end }: IdPlace): boolean {
    const start = this.#starts[at]
    const length = end - from
    if (this.#endOf(at) - start !== length) return false
    const own = this.#bytes
    for (let byte = 0; byte < length; byte++) if (own[start + byte] !== bytes[from + byte]) return false
    return true
  }

  /** Bytes of their own. */
  idAt(at: number): Uint8Array {
    return this.#bytes.slice(this.#starts[at], this.#endOf(at))
  }

  #endOf(at: number): number {
    return at + 1 < this.#length ? this.#starts[at + 1] : this.#bytesEnd
  }

  #grow(more: number): void {
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#bytesEnd + more))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}
