import { createHash } from 'node:crypto'

/** A call into the hash costs about as much as hashing a kilobyte, so short lines are gathered first. */
const STAGE_BYTES = 64 * 1024
const LINE_FEED = 0x0a

/** What identifies a run of lines: all their bytes in order, and where the lines end. */
export interface Fingerprint {
  readonly sha256: string
  readonly bytes: number
}

/** SHA-256 over a stream of pieces of any size: however the bytes are cut, the same bytes give the same digest. */
export class ByteDigest {
  readonly #hash = createHash('sha256')
  readonly #stage = Buffer.allocUnsafeSlow(STAGE_BYTES)
  #staged = 0
  #bytes = 0

  update(piece: Uint8Array): void {
    this.#bytes += piece.length
    if (this.#staged + piece.length > STAGE_BYTES) this.#drain()
    if (piece.length > STAGE_BYTES) {
      this.#hash.update(piece)
    } else {
      this.#stage.set(piece, this.#staged)
      this.#staged += piece.length
    }
  }

  /** Ends the digest; nothing may be added afterwards. */
  finish(): Fingerprint {
    this.#drain()
    return { sha256: this.#hash.digest('hex'), bytes: this.#bytes }
  }

  #drain(): void {
    // The hash takes the bytes before it returns, so the stage can be filled again at once.
    if (this.#staged > 0) this.#hash.update(this.#stage.subarray(0, this.#staged))
    this.#staged = 0
  }
}

/** Whether a message ends a line; counting these on both sides proves that the cuts between messages are the same. */
export function endsLine(bytes: Uint8Array): boolean {
  return bytes[bytes.length - 1] === LINE_FEED
}
