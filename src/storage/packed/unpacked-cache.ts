/** Blocks that were unpacked of late, of all segments that one thread has open: it reads them in pieces that are much shorter than a block. */

/** Its blocks, by their numbers. */
interface CachedSegment {
  readonly id: number
}

/** More than the blocks of a segment of the largest size. */
const blocksPerOwner = 2 ** 20

export class UnpackedCache {
  readonly #most: number
  /** The least recently used first. */
  readonly #blocks = new Map<number, Uint8Array>()

  /** @param most blocks that are kept: 64 KiB each */
  constructor(most: number) {
    this.#most = most
  }

  get({ id }: CachedSegment, block: number): Uint8Array | undefined {
    const key = id * blocksPerOwner + block
    const bytes = this.#blocks.get(key)
    if (bytes === undefined) return undefined
    this.#blocks.delete(key)
    this.#blocks.set(key, bytes)
    return bytes
  }

  keep({ id }: CachedSegment, block: number, bytes: Uint8Array): void {
    if (this.#blocks.size >= this.#most) {
      for (const [oldest] of this.#blocks) {
        this.#blocks.delete(oldest)
        break
      }
    }
    this.#blocks.set(id * blocksPerOwner + block, bytes)
  }

  /** Of a segment that is not open any more. */
  drop({ id }: CachedSegment): void {
    for (const key of this.#blocks.keys()) if (Math.floor(key / blocksPerOwner) === id) this.#blocks.delete(key)
  }

  clear(): void {
    this.#blocks.clear()
  }
}
