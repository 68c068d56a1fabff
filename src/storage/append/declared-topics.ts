/**
 * Which segment declares each topic last, in the order of segments: the topics that the deletion of the oldest segments takes the
 * declaration of stand in front, and nobody has to look at the others.
 */
const none = -1

export class DeclaredTopics {
  // By topic id, grown on demand. The order is a list: whose neighbours are whose.
  #segments = new Int32Array(64).fill(none)
  #before = new Int32Array(64).fill(none)
  #after = new Int32Array(64).fill(none)
  #oldest = none
  #newest = none

  /** -1: none declares it. */
  segmentOf(id: number): number {
    return id < this.#segments.length ? this.#segments[id] : none
  }

  /** @param segment the newest so far, or, where a declaration is taken back, an older one or -1 */
  put(id: number, segment: number): void {
    if (id >= this.#segments.length) this.#grow(id)
    this.#unlink(id)
    this.#segments[id] = segment
    if (segment === none) return
    let before = this.#newest
    while (before !== none && this.#segments[before] > segment) before = this.#before[before]
    const after = before === none ? this.#oldest : this.#after[before]
    this.#join(before, id)
    this.#join(id, after)
  }

  /** Topics declared in no segment from `segment` on, the longest ago first. Nothing is put meanwhile. */
  *below(segment: number): Generator<number> {
    for (let id = this.#oldest; id !== none && this.#segments[id] < segment; id = this.#after[id]) yield id
  }

  #unlink(id: number): void {
    if (this.#segments[id] === none) return
    this.#join(this.#before[id], this.#after[id])
  }

  #join(before: number, after: number): void {
    if (before === none) this.#oldest = after
    else this.#after[before] = after
    if (after === none) this.#newest = before
    else this.#before[after] = before
  }

  #grow(id: number): void {
    let size = this.#segments.length
    while (size <= id) size *= 2
    const grown = (from: Int32Array) => {
      const to = new Int32Array(size).fill(none)
      to.set(from)
      return to
    }
    this.#segments = grown(this.#segments)
    this.#before = grown(this.#before)
    this.#after = grown(this.#after)
  }
}
