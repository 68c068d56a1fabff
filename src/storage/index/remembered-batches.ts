/**
 * Length and time of batches that lookups have used, so that a record of a batch verified before costs no look at its header. A batch
 * is only taken from here while the mapping knows it as verified, and is the one through which it was seen: another may have another file.
 */
import { rememberedBatchesLog2 } from '../../limits.js'
import type { PinnedWindow } from '../files/segment-windows.js'
import { verifiedHeader } from './verified-batch.js'

const rows = 2 ** rememberedBatchesLog2

export class RememberedBatches {
  /** Rows by a hash of the batch's position; a later batch takes the row of an earlier one. */
  readonly #positions = new Float64Array(rows).fill(-1)
  /** Of the windows, see {@link PinnedWindow.number}. */
  readonly #windows = new Uint32Array(rows)
  readonly bytes = new Uint32Array(rows)
  readonly times = new Float64Array(rows)

  /**
   * The row of a batch whose body has been verified now or before through the same mapping; -1: there is no valid batch. Parameters as in
   * {@link verifiedHeader}.
   */
  find(pinned: PinnedWindow, base: number, batch: number, end: number): number {
    const position = base + batch
    // Fibonacci hashing: batches follow one another at nearly equal distances.
    const row = Math.imul(position / 8, 0x9e3779b1) >>> (32 - rememberedBatchesLog2)
    const isKnown = this.#positions[row] === position && this.#windows[row] === pinned.number
    if (isKnown && pinned.isVerified(batch)) return row
    const header = verifiedHeader(pinned, base, batch, end)
    if (header === undefined) return -1
    this.#positions[row] = position
    this.#windows[row] = pinned.number
    this.bytes[row] = header.bytes
    this.times[row] = header.time
    return row
  }
}
