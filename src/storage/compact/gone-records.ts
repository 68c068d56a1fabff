/** Records of one topic in one segment that count no more, though the topic goes on in front of them and behind: one bit a record. */
export class GoneRecords {
  readonly firstOffset: number
  readonly count: number
  readonly #gone: Uint32Array
  /** Their ids may be remembered still. */
  #withIds: Uint32Array | undefined
  #bytes = 0
  #bytesWithIds = 0
  #noted = 0

  constructor(firstOffset: number, count: number) {
    this.firstOffset = firstOffset
    this.count = count
    this.#gone = new Uint32Array((count + 31) >>> 5)
  }

  /** What their frames would give back. */
  get bytes(): number {
    return this.#bytes
  }

  has(offset: number): boolean {
    const ordinal = offset - this.firstOffset
    return ordinal >= 0 && ordinal < this.count && isSet(this.#gone, ordinal)
  }

  /** Records that are among them, or will be once their ids are forgotten. */
  get noted(): number {
    return this.#noted
  }

  /** Some wait until their ids are forgotten. */
  get hasIds(): boolean {
    return this.#withIds !== undefined
  }

  /** It is among them, or will be once its id is forgotten. */
  isNoted(ordinal: number): boolean {
    return isSet(this.#gone, ordinal) || (this.#withIds !== undefined && isSet(this.#withIds, ordinal))
  }

  /** @param saved bytes that its frame would give back */
  add(ordinal: number, saved: number, hasId: boolean): void {
    if (this.isNoted(ordinal)) return
    this.#noted += 1
    if (hasId) {
      this.#withIds ??= new Uint32Array(this.#gone.length)
      set(this.#withIds, ordinal)
      this.#bytesWithIds += saved
      return
    }
    set(this.#gone, ordinal)
    this.#bytes += saved
  }

  /** Nobody remembers ids of that time any more. */
  forgetIds(): void {
    this.#withIds?.forEach((word, index) => {
      this.#gone[index] |= word
    })
    this.#withIds = undefined
    this.#bytes += this.#bytesWithIds
    this.#bytesWithIds = 0
  }
}

function isSet(bits: Uint32Array, index: number): boolean {
  return (bits[index >>> 5] & (1 << (index & 31))) !== 0
}

function set(bits: Uint32Array, index: number): void {
  bits[index >>> 5] |= 1 << (index & 31)
}
