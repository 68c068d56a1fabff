/**
 * Positions in a row, oldest first. As 64-bit floats in memory of its own: beyond 2^31 each would be an object in an ordinary array.
 */
const leastRoom = 16

export class PositionRow {
  /** A power of two of places, used in the round. */
  #places = new Float64Array(leastRoom)
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** @param index from the oldest, below {@link length} */
  at(index: number): number {
    return this.#places[(this.#head + index) & (this.#places.length - 1)]
  }

  push(position: number): void {
    if (this.#length === this.#places.length) this.#grow()
    this.#places[(this.#head + this.#length) & (this.#places.length - 1)] = position
    this.#length += 1
  }

  /** Drops the oldest; there is one. */
  shift(): void {
    this.#head = (this.#head + 1) & (this.#places.length - 1)
    this.#length -= 1
  }

  clear(): void {
    if (this.#places.length > leastRoom) this.#places = new Float64Array(leastRoom)
    this.#head = 0
    this.#length = 0
  }

  #grow(): void {
    const grown = new Float64Array(this.#places.length * 2)
    for (let index = 0; index < this.#length; index++) grown[index] = this.at(index)
    this.#places = grown
    this.#head = 0
  }
}
