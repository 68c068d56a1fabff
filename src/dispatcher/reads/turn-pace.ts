import { chunkBytes } from '../../limits.js'

/** Chunks handed to streams before the event loop turns; large ones fewer: half a MiB of short messages is a millisecond of work. */
const maxChunks = 16
const maxBytes = 2 * chunkBytes

/**
 * A reader of messages that are all at hand would never let the event loop turn: after a few chunks it does. Nor would one that is
 * slower than the reader threads: Node takes up to a thousand messages from a port in one turn, as long as there is one.
 */
export class TurnPace {
  /** Since the event loop turned. */
  #chunks = 0
  #bytes = 0

  /** Resolves with the chunk, in a later turn if this one has had its share. */
  take<C extends { bytes: Uint8Array }>(chunk: C): Promise<C> {
    this.#chunks += 1
    if (this.#chunks === 1) {
      setImmediate(() => {
        this.#chunks = 0
        this.#bytes = 0
      })
    }
    this.#bytes += chunk.bytes.length
    if (this.#chunks <= maxChunks && this.#bytes <= maxBytes) return Promise.resolve(chunk)
    return new Promise((resolve) => setImmediate(resolve, chunk))
  }
}
