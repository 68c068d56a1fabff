/** Keys that are looked for together, in the order of their tags, and what was found of each. */

import type { KeyBelow } from '../../collections/packed-keys.js'
import { assert } from '../../errors.js'
import { tagOf } from '../../format/key-tag.js'

export interface SoughtKey extends KeyBelow {
  /** Messages below do not count; 0 unless said. */
  readonly from?: number
}

/** A tag and the number of a key are one number to sort by. */
const maxKeys = 2 ** 21

export class SoughtKeys {
  /** Of each key the newest offset; -1: none was met. In the order in which they were asked for. */
  readonly newest: Float64Array<ArrayBuffer>
  readonly #asked: readonly SoughtKey[]
  /** Ascending, a row a key; keys of one tag stand side by side. */
  readonly #tags: Uint32Array
  /** Of each row which key it is. */
  readonly #keys: Uint32Array
  /** By the tag: the first of its rows, and one more; 0: nothing. At most half of them are in use. */
  readonly #slots: Uint32Array
  #open: number

  constructor(asked: readonly SoughtKey[]) {
    const { length } = asked
    assert(length < maxKeys, 'keys that are looked for together are few')
    this.#asked = asked
    this.#open = length
    this.newest = new Float64Array(length).fill(-1)
    const sorted = Float64Array.from(asked, ({ key }, index) => tagOf(key) * maxKeys + index).sort()
    this.#tags = Uint32Array.from(sorted, (each) => Math.floor(each / maxKeys))
    this.#keys = Uint32Array.from(sorted, (each) => each % maxKeys)
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(2 * length + 1)))
    for (let row = length - 1; row >= 0; row--) this.#slots[this.#slotOf(this.#tags[row])] = row + 1
  }

  /** How many were not found yet. */
  get open(): number {
    return this.#open
  }

  get rows(): number {
    return this.#tags.length
  }

  tagAt(row: number): number {
    return this.#tags[row]
  }

  keyAt(row: number): SoughtKey {
    return this.#asked[this.#keys[row]]
  }

  isOpen(row: number): boolean {
    return this.newest[this.#keys[row]] < 0
  }

  found(row: number, offset: number): void {
    assert(this.isOpen(row), 'the newest message of a key is found once')
    this.newest[this.#keys[row]] = offset
    this.#open -= 1
  }

  /** The first row of those with the tag, which may all be found; -1: there are none. */
  firstOf(tag: number): number {
    return this.#slots[this.#slotOf(tag)] - 1
  }

  /** That of the tag, or the free one where it would be. */
  #slotOf(tag: number): number {
    const mask = this.#slots.length - 1
    // The lowest bit of a tag says nothing.
    let slot = (tag >>> 1) & mask
    for (let row = this.#slots[slot]; row !== 0 && this.#tags[row - 1] !== tag; row = this.#slots[slot])
      slot = (slot + 1) & mask
    return slot
  }
}
