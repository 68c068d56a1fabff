import { chunkBytes } from '../../limits.js'

/** Chunks handed to streams before the event loop turns; large ones fewer: half a MiB of short messages is a millisecond of work. */
const maxChunks = 16
const maxBytes = 2 * chunkBytes
/** Lookups answered before the event loop turns: about as long, and no more than take this long with what the application does for each. */
const maxLookups = 512
const maxLookupsMs = 2
/** The clock is looked at once for so many. */
const lookupsALook = 16

/**
 * A reader of messages that are all at hand would never let the event loop turn: after a few chunks it does. Nor would one that is
 * slower than the reader threads: Node takes up to a thousand messages from a port in one turn, as long as there is one.
 */
export class TurnPace {
  /** Since the event loop turned. */
  #chunks = 0
  #bytes = 0
  #lookups = 0
  /** When the first of them was answered. */
  #lookingSinceMs = 0

  /** Resolves with the chunk, in a later turn if this one has had its share. */
  take<C extends { bytes: Uint8Array }>(chunk: C): Promise<C> {
    this.#begin()
    this.#chunks += 1
    this.#bytes += chunk.bytes.length
    if (this.#chunks <= maxChunks && this.#bytes <= maxBytes) return Promise.resolve(chunk)
    return new Promise((resolve) => setImmediate(resolve, chunk))
  }

  /** Of lookups that were answered on this thread. Undefined: go on; else this turn has had its share, and what resolves in the next one. */
  afterLookups(count: number): Promise<void> | undefined {
    this.#begin()
    const before = this.#lookups
    this.#lookups += count
    if (before === 0) this.#lookingSinceMs = performance.now()
    return this.#hasHadLookups(before) ? new Promise((resolve) => setImmediate(resolve)) : undefined
  }

  #hasHadLookups(before: number): boolean {
    if (this.#lookups > maxLookups) return true
    if (Math.floor(before / lookupsALook) === Math.floor(this.#lookups / lookupsALook)) return false
    return performance.now() - this.#lookingSinceMs > maxLookupsMs
  }

  #begin(): void {
    if (this.#chunks > 0 || this.#lookups > 0) return
    setImmediate(() => {
      this.#chunks = 0
      this.#bytes = 0
      this.#lookups = 0
    })
  }
}
