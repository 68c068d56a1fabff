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

export class IdChains {
  /** The youngest entry of each; all segments but a lone one have their whole length. */
  readonly #segments: Float64Array[] = [new Float64Array(leastChains).fill(noEntry)]
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
    return this.#segments[chain >>> segmentBits][chain & (segmentLength - 1)]
  }

  setYoungest(chain: number, entry: number): void {
    this.#segments[chain >>> segmentBits][chain & (segmentLength - 1)] = entry
  }

  /** One more, which is empty. @returns the one whose entries are to be dealt out anew: to it, or to the new one, which is the last */
  divide(): number {
    const added = this.#count
    const segment = this.#segments[added >>> segmentBits]
    if (segment === undefined) this.#segments.push(new Float64Array(segmentLength).fill(noEntry))
    else if ((added & (segmentLength - 1)) === segment.length) {
      const grown = new Float64Array(2 * segment.length).fill(noEntry)
      grown.set(segment)
      this.#segments[0] = grown
    }
    this.#count += 1
    const divided = added - this.#level
    if (this.#count === 2 * this.#level) this.#level = this.#count
    return divided
  }
}
