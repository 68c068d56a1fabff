/** Puts into a table of the latest messages that are made some hundred at a time: see {@link fetchLatest}. */
import { fetchLatest, hashOf, type LatestKeys, putLatest } from './latest-keys.js'

/** What these read stays in the processor's caches until they are made. */
const putsAtOnce = 256

export class LatestPuts {
  readonly #table: LatestKeys
  #bytes: Uint8Array = new Uint8Array(0)
  #count = 0
  readonly #hashes = new Uint32Array(putsAtOnce)
  readonly #starts = new Uint32Array(putsAtOnce)
  readonly #ends = new Uint32Array(putsAtOnce)
  readonly #offsets = new Float64Array(putsAtOnce)
  readonly #tombstones = new Uint8Array(putsAtOnce)
  /** Nobody asks for it. */
  fetched = 0

  constructor(table: LatestKeys) {
    this.#table = table
  }

  /** @param bytes are not overwritten before {@link flush} */
  put(bytes: Uint8Array, start: number, end: number, offset: number, isTombstone: boolean): void {
    if (bytes !== this.#bytes || this.#count === putsAtOnce) this.flush()
    const at = this.#count
    this.#bytes = bytes
    this.#hashes[at] = hashOf(bytes, start, end)
    this.#starts[at] = start
    this.#ends[at] = end
    this.#offsets[at] = offset
    this.#tombstones[at] = Number(isTombstone)
    this.#count = at + 1
  }

  /** Makes those that were not made. */
  flush(): void {
    const count = this.#count
    this.fetched = fetchLatest(this.#table, this.#hashes, count)
    for (let at = 0; at < count; at++)
      putLatest(
        this.#table,
        this.#bytes,
        this.#starts[at],
        this.#ends[at],
        this.#offsets[at],
        this.#tombstones[at] === 1,
        this.#hashes[at],
      )
    this.#count = 0
  }
}
