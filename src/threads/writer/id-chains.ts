/**
 * Where chains begin, by hash: as many more as are asked for, one at a time (linear hashing). Who doubles a table has everything wait that is appended
 * meanwhile; here the next chain is made of a part of one other.
 *
 * ```
 *   0 .... divided ... level ........ count       chain n + level has come out of chain n, for all n below `divided`
 * ```
 */
export const noEntry = -1

const segmentBits = 14
const segmentLength = 1 << segmentBits
const leastChains = 32

/**
 * Of a chain: its youngest entry, and beside it what most questions are answered by, with no look at the entry, which is in no cache.
 *
 * ```
 *   0  youngest f64, the number of an entry | 8  hash i32, of that one | 12  isLone i32, there was no other when it came
 * ```
 */
const [chainFloats, chainWords] = [2, 4]
const hashAt = 2
const isLoneAt = 3

class ChainSegment {
  readonly floats: Float64Array
  readonly words: Int32Array

  constructor(length: number) {
    this.floats = new Float64Array(length * chainFloats).fill(noEntry)
    this.words = new Int32Array(this.floats.buffer)
  }

  get length(): number {
    return this.floats.length / chainFloats
  }
}

export class IdChains {
  /** All but a lone one have their whole length. */
  readonly #segments: ChainSegment[] = [new ChainSegment(leastChains)]
  /** The power of two that was last reached. */
  #level = leastChains
  #count = leastChains

  get count(): number {
    return this.#count
  }

  of(hash: number): number {
    const chain = hash & (2 * this.#level - 1)
    return chain < this.#count ? chain : chain - this.#level
  }

  youngest(chain: number): number {
    return this.#segments[chain >>> segmentBits].floats[(chain & (segmentLength - 1)) * chainFloats]
  }

  /** Of its youngest entry, if there is one. */
  hash(chain: number): number {
    return this.#segments[chain >>> segmentBits].words[(chain & (segmentLength - 1)) * chainWords + hashAt]
  }

  /** Its youngest entry is its only one, if there is one. */
  isLone(chain: number): boolean {
    return this.#segments[chain >>> segmentBits].words[(chain & (segmentLength - 1)) * chainWords + isLoneAt] === 1
  }

  setYoungest(chain: number, entry: number, hash: number, isLone: boolean): void {
    const { floats, words } = this.#segments[chain >>> segmentBits]
    const at = chain & (segmentLength - 1)
    floats[at * chainFloats] = entry
    words[at * chainWords + hashAt] = hash
    words[at * chainWords + isLoneAt] = isLone ? 1 : 0
  }

  /** There are others behind its youngest entry. */
  setOthers(chain: number): void {
    this.#segments[chain >>> segmentBits].words[(chain & (segmentLength - 1)) * chainWords + isLoneAt] = 0
  }

  setEmpty(chain: number): void {
    this.setYoungest(chain, noEntry, 0, true)
  }

  /** One more, which is empty. @returns the one whose entries are to be dealt out anew: to it, or to the new one, which is the last */
  divide(): number {
    const added = this.#count
    const segment = this.#segments[added >>> segmentBits]
    if (segment === undefined) this.#segments.push(new ChainSegment(segmentLength))
    else if ((added & (segmentLength - 1)) === segment.length) {
      const grown = new ChainSegment(2 * segment.length)
      grown.floats.set(segment.floats)
      this.#segments[0] = grown
    }
    this.#count += 1
    const divided = added - this.#level
    if (this.#count === 2 * this.#level) this.#level = this.#count
    return divided
  }
}
