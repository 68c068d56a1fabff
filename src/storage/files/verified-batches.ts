/** Which batches of a segment were found right, as long as it stays open: one bit per 64 bytes, as no two batches start in the same 64. */
export class VerifiedBatches {
  readonly #segmentBytes: number
  /** Made with the first one. */
  #bits: Uint32Array | undefined

  constructor(segmentBytes: number) {
    this.#segmentBytes = segmentBytes
  }

  readonly isVerified = (batch: number): boolean =>
    this.#bits !== undefined && (this.#bits[batch >>> 11] & (1 << ((batch >>> 6) & 31))) !== 0

  readonly markVerified = (batch: number): void => {
    this.#bits ??= new Uint32Array((this.#segmentBytes >>> 11) + 1)
    this.#bits[batch >>> 11] |= 1 << ((batch >>> 6) & 31)
  }
}
