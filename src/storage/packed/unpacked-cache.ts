/**
 * Blocks that were unpacked of late, of all segments that one thread has open: it reads them in pieces that are much shorter than a block.
 *
 * Their memory is used again: new memory for each block would cost as much as unpacking it. So whoever is given a block copies what it wants
 * before it asks for the next one.
 */

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

  has({ id }: CachedSegment, block: number): boolean {
    return this.#blocks.has(id * blocksPerOwner + block)
  }

  get({ id }: CachedSegment, block: number): Uint8Array | undefined {
    const key = id * blocksPerOwner + block
    const bytes = this.#blocks.get(key)
    if (bytes === undefined) return undefined
    this.#blocks.delete(key)
    this.#blocks.set(key, bytes)
    return bytes
  }

  /** Memory for a block that is to be kept: that of the least recently used one, if there are as many as may be. What stands in it is anything. */
  room(bytes: number): Uint8Array {
    if (this.#blocks.size >= this.#most) {
      const [[key, { buffer }]] = this.#blocks
      this.#blocks.delete(key)
      if (buffer.byteLength >= bytes) return new Uint8Array(buffer, 0, bytes)
    }
    return new Uint8Array(bytes)
  }

  /** @param bytes of {@link room} */
  keep({ id }: CachedSegment, block: number, bytes: Uint8Array): void {
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
