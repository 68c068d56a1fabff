/** Some ids in the order in which they came, and what is known of each: numbers, those of one entry side by side, and the bytes of all ids one behind the other. */
import type { IdPlace } from './id-table.js'

/**
 * Of an entry: half a line of the processor's cache, so that a step along a chain costs one look into memory that is in no cache.
 *
 * ```
 *   0  offset f64 | 8  time f64, of the batch, ms since the epoch | 16  before f64, the number of the one before it in its chain | 24  hash i32 | 28  start u32, of the id
 * ```
 */
const entryBytes = 32
const [entryFloats, entryWords] = [entryBytes / 8, entryBytes / 4]
const timeAt = 1
const beforeAt = 2
const hashAt = 6
const startAt = 7

export class IdBlock {
  readonly #floats: Float64Array
  readonly #words: Int32Array
  readonly #capacity: number
  #bytes: Uint8Array
  #bytesEnd = 0
  #length = 0

  /** @param bytes that ids will probably come to; there may be more */
  constructor(capacity: number, bytes: number) {
    const memory = new ArrayBuffer(capacity * entryBytes)
    this.#floats = new Float64Array(memory)
    this.#words = new Int32Array(memory)
    this.#capacity = capacity
    this.#bytes = new Uint8Array(bytes)
  }

  get length(): number {
    return this.#length
  }

  get isFull(): boolean {
    return this.#length === this.#capacity
  }

  /** Of the ids. */
  get bytes(): number {
    return this.#bytesEnd
  }

  offset(at: number): number {
    return this.#floats[at * entryFloats]
  }

  time(at: number): number {
    return this.#floats[at * entryFloats + timeAt]
  }

  before(at: number): number {
    return this.#floats[at * entryFloats + beforeAt]
  }

  setBefore(at: number, entry: number): void {
    this.#floats[at * entryFloats + beforeAt] = entry
  }

  hash(at: number): number {
    return this.#words[at * entryWords + hashAt]
  }

  /** It is not full. @param before the number of the entry before it in its chain. @returns its place */
  add(bytes: Uint8Array, { from, end, hash }: IdPlace, offset: number, time: number, before: number): number {
    const at = this.#length
    const start = this.#bytesEnd
    if (start + end - from > this.#bytes.length) this.#grow(end - from)
    const own = this.#bytes
    for (let byte = from; byte < end; byte++) own[start + byte - from] = bytes[byte]
    this.#bytesEnd = start + end - from
    const [floats, words] = [at * entryFloats, at * entryWords]
    this.#floats[floats] = offset
    this.#floats[floats + timeAt] = time
    this.#floats[floats + beforeAt] = before
    this.#words[words + hashAt] = hash
    this.#words[words + startAt] = start
    this.#length = at + 1
    return at
  }

  isAt(at: number, bytes: Uint8Array, { from, end }: IdPlace): boolean {
    const start = this.#startOf(at)
    const length = end - from
    if (this.#endOf(at) - start !== length) return false
    const own = this.#bytes
    for (let byte = 0; byte < length; byte++) if (own[start + byte] !== bytes[from + byte]) return false
    return true
  }

  /** Bytes of their own. */
  idAt(at: number): Uint8Array {
    return this.#bytes.slice(this.#startOf(at), this.#endOf(at))
  }

  #startOf(at: number): number {
    return this.#words[at * entryWords + startAt] >>> 0
  }

  #endOf(at: number): number {
    return at + 1 < this.#length ? this.#startOf(at + 1) : this.#bytesEnd
  }

  #grow(more: number): void {
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#bytesEnd + more))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}
