/**
 * When the frames in the ring were appended. A frame carries no time, its batch does; whoever reads frames out of the ring finds
 * it here: the writer notes "from this ring position on, this time" whenever the time changes, before it moves the ring's head
 * past those frames. Of the notes the last 1,024 are kept, about a second of a busy log.
 */
const rows = 1024
const slack = 8
const headerBytes = 64
/** Position and time, as 64-bit floats. */
const rowFloats = 2

export class BatchTimes {
  readonly #count: Int32Array
  readonly #rows: Float64Array
  #lastTime = -1

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(headerBytes + rows * rowFloats * Float64Array.BYTES_PER_ELEMENT)
  }

  constructor(shared: SharedArrayBuffer) {
    this.#count = new Int32Array(shared, 0, 1)
    this.#rows = new Float64Array(shared, headerBytes)
  }

  /** The writer: frames from `position` on are appended at `time`. */
  note(position: number, time: number): void {
    if (time === this.#lastTime) return
    this.#lastTime = time
    const count = Atomics.load(this.#count, 0)
    const at = (count % rows) * rowFloats
    this.#rows[at] = position
    this.#rows[at + 1] = time
    // The count comes after the row: whoever sees it sees the row.
    Atomics.store(this.#count, 0, count + 1)
  }

  /** The time of the frame at `position`, which the ring's head has passed; undefined: too long ago. */
  timeOf(position: number): number | undefined {
    const count = Atomics.load(this.#count, 0)
    const oldest = Math.max(0, count - rows + slack)
    for (let row = count - 1; row >= oldest; row--) {
      const at = (row % rows) * rowFloats
      if (position < this.#rows[at]) continue
      const time = this.#rows[at + 1]
      // The writer may have gone round meanwhile, and overwritten the row.
      return Atomics.load(this.#count, 0) - row < rows ? time : undefined
    }
    return undefined
  }
}
