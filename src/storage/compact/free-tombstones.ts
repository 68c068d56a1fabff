/**
 * Tombstones that may go: nothing older of their key stands in the log any more, nor would come back, were they gone. What goes from their own
 * segment goes in one step with them; what stands in others, superseded or not, keeps them.
 */
import type { GoneRecords } from './gone-records.js'
import { maxOthers } from './join.js'
import type { KeySide } from './key-side.js'

/** Rows that are looked at in one step. */
const rowsPerStep = 1 << 17

export class FreeTombstones {
  readonly #side: KeySide
  readonly #gone: GoneRecords
  /** Rows of the side, those of tombstones of which nothing older was found. */
  #rows: number[]

  /** @param ordinals of tombstones that are old enough and have been seen by everybody, ascending */
  constructor(side: KeySide, ordinals: readonly number[], gone: GoneRecords) {
    this.#side = side
    this.#gone = gone
    const wanted = new Set(ordinals.filter((ordinal) => ordinal < side.stretch.count && !gone.isNoted(ordinal)))
    this.#rows = []
    if (wanted.size > 0)
      side.rows.ordinals.forEach((ordinal, row) => {
        if (wanted.has(ordinal)) this.#rows.push(row)
      })
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0
  }

  /** Those stay of which the older segment, or the own one, has something. */
  *keepWhatIsIn(older: KeySide): Generator<undefined, void> {
    const { tags } = older.rows
    const free: number[] = []
    let other = 0
    let pause = rowsPerStep
    for (const row of this.#rows) {
      const tag = this.#side.rows.tags[row]
      for (; other < tags.length && tags[other] < tag; other++) {
        if (--pause > 0) continue
        pause = rowsPerStep
        yield
      }
      if (!this.#isIn(older, other, row)) free.push(row)
    }
    this.#rows = free
  }

  /** What is left of them is gone. */
  release(): boolean {
    for (const row of this.#rows) {
      const ordinal = this.#side.rows.ordinals[row]
      const record = this.#side.keys.record(ordinal)
      if (record !== undefined) this.#gone.add(ordinal, record.saved, record.hasId)
    }
    return this.#rows.length > 0
  }

  /** @param from first row of the older side with the tag, if it has it */
  #isIn(older: KeySide, from: number, row: number): boolean {
    const { tags, ordinals } = this.#side.rows
    const tombstone = ordinals[row]
    const isSelf = older === this.#side
    let key: Uint8Array | undefined
    for (let other = from; other < older.rows.tags.length && older.rows.tags[other] === tags[row]; other++) {
      const ordinal = older.rows.ordinals[other]
      if (isSelf && (ordinal >= tombstone || this.#gone.has(older.stretch.firstOffset + ordinal))) continue
      // Too many to be compared, or not to be read: it stays.
      if (other - from > maxOthers && !isSelf) return true
      key ??= this.#side.keys.record(tombstone)?.key.slice()
      const found = older.keys.record(ordinal)?.key
      if (key === undefined || found === undefined || Buffer.compare(found, key) === 0) return true
    }
    return false
  }
}
