/**
 * Records by the tag of their key in an index that has no side index yet: chains through its entries, from the newest back. Made where somebody
 * asks, and only as far as nobody has asked before.
 */
import type { TopicEntries } from './topic-entries.js'

const buckets = 1 << 14

export class TagChains {
  /** Of each bucket the newest ordinal that is in it, and one more; 0: none is. */
  readonly #heads = new Uint32Array(buckets)
  /** Of each ordinal the one before it in its bucket, in the same way. */
  #before = new Uint32Array(1_024)
  /** Ordinals below are in. */
  #end = 0

  /** The newest `max` of the ordinals in `[from, to)` whose keys have the tag, ascending. */
  tagged(entries: TopicEntries, tag: number, from: number, to: number, max: number): number[] {
    this.#catchUp(entries)
    const found: number[] = []
    for (let link = this.#heads[bucketOf(tag)]; link > from && found.length < max; link = this.#before[link - 1]) {
      const ordinal = link - 1
      if (ordinal < to && entries.tagOf(ordinal) === tag) found.push(ordinal)
    }
    return found.reverse()
  }

  #catchUp(entries: TopicEntries): void {
    const { count } = entries
    if (count > this.#before.length) {
      const grown = new Uint32Array(Math.max(count, 2 * this.#before.length))
      grown.set(this.#before.subarray(0, this.#end))
      this.#before = grown
    }
    for (; this.#end < count; this.#end++) {
      const tag = entries.tagOf(this.#end)
      if (tag === 0) continue
      const bucket = bucketOf(tag)
      this.#before[this.#end] = this.#heads[bucket]
      this.#heads[bucket] = this.#end + 1
    }
  }
}

/** The lowest bit of a tag says nothing. */
function bucketOf(tag: number): number {
  return (tag >>> 1) & (buckets - 1)
}
