/**
 * The join of a segment's keys with those of one that is newer, or with its own: first by tags, then by the keys of what has one tag. Both
 * segments are read in order, a run of pairs at a time: their bytes may be packed, or on a slow device.
 */
import { radixSorted } from '../side/radix-sort.js'
import type { GoneRecords } from './gone-records.js'
import type { KeySide } from './key-side.js'

/** Rows and records that are looked at in one step: some milliseconds. */
const rowsPerStep = 1 << 17
const recordsPerStep = 1 << 12
/** Of one run: pairs, and bytes of their keys. */
const maxPairs = 1 << 16
const maxKeyBytes = 4 << 20
/** Records of other keys with one tag that are looked at for one: with more of them a record stays that might go. */
export const maxOthers = 64

/** Notes which records of the older side have their key in one of the newer side as well, behind them. */
export function* joinSides(older: KeySide, newer: KeySide, gone: GoneRecords): Generator<undefined, void> {
  const successors = yield* byTags(older, newer, gone)
  if (successors !== undefined) yield* byKeys(older, newer, successors, gone)
}

/** For some records of the older side, by ordinal, the row behind the newest of the newer side that has its tag; 0: none has, or it is gone. */
interface Successors {
  readonly rows: Uint32Array
  readonly count: number
}

/** Undefined: there are none. */
function* byTags(older: KeySide, newer: KeySide, gone: GoneRecords): Generator<undefined, Successors | undefined> {
  const { tags, ordinals } = older.rows
  const others = newer.rows.tags
  const isSelf = older === newer
  let rows: Uint32Array | undefined
  let found = 0
  let row = 0
  let other = 0
  for (let pause = rowsPerStep; row < tags.length && other < others.length; pause--) {
    if (pause === 0) {
      pause = rowsPerStep
      yield
    }
    const tag = tags[row]
    if (others[other] < tag) {
      other += 1
    } else if (others[other] > tag) {
      row += 1
    } else {
      let end = other + 1
      while (end < others.length && others[end] === tag) end += 1
      // Of its own segment the newest with a tag has none behind it.
      const last = isSelf ? end - 1 : tags.length
      for (; row < tags.length && tags[row] === tag; row++) {
        const ordinal = ordinals[row]
        if (row >= last || ordinal >= older.stretch.count || gone.isNoted(ordinal)) continue
        rows ??= new Uint32Array(older.stretch.count)
        rows[ordinal] = end
        found += 1
      }
      other = end
    }
  }
  return rows && { rows, count: found }
}

function* byKeys(
  older: KeySide,
  newer: KeySide,
  successors: Successors,
  gone: GoneRecords,
): Generator<undefined, void> {
  const { rows, count } = successors
  const pairs = new Pairs(Math.min(count, maxPairs))
  older.keys.expect(count)
  newer.keys.expect(count)
  let pause = recordsPerStep
  for (let ordinal = 0; ordinal < rows.length; ordinal++) {
    if (rows[ordinal] === 0) continue
    if (--pause === 0) {
      pause = recordsPerStep
      yield
    }
    const record = older.keys.record(ordinal)
    if (record === undefined) continue
    pairs.add(ordinal, rows[ordinal] - 1, record)
    if (pairs.isFull) yield* pairs.settle(older, newer, gone)
  }
  yield* pairs.settle(older, newer, gone)
}

/** Records of the older side with their keys, and the row of the newer side that each is to be compared with. */
class Pairs {
  readonly #ordinals: Uint32Array
  readonly #rows: Uint32Array
  readonly #saved: Uint32Array
  readonly #hasId: Uint8Array
  /** Where the key of each ends. */
  readonly #ends: Uint32Array
  #keys = Buffer.alloc(64 << 10)
  #count = 0

  constructor(most: number) {
    this.#ordinals = new Uint32Array(most)
    this.#rows = new Uint32Array(most)
    this.#saved = new Uint32Array(most)
    this.#hasId = new Uint8Array(most)
    this.#ends = new Uint32Array(most)
  }

  get isFull(): boolean {
    return this.#count === this.#ordinals.length || this.#startOf(this.#count) >= maxKeyBytes
  }

  add(ordinal: number, row: number, { key, saved, hasId }: { key: Uint8Array; saved: number; hasId: boolean }): void {
    const index = this.#count++
    const start = this.#startOf(index)
    if (start + key.length > this.#keys.length) {
      const grown = Buffer.alloc(2 * (start + key.length))
      grown.set(this.#keys.subarray(0, start))
      this.#keys = grown
    }
    this.#keys.set(key, start)
    this.#ends[index] = start + key.length
    this.#ordinals[index] = ordinal
    this.#rows[index] = row
    this.#saved[index] = saved
    this.#hasId[index] = hasId ? 1 : 0
  }

  /** Compares them, in the order of the newer side, and has none any more. */
  *settle(older: KeySide, newer: KeySide, gone: GoneRecords): Generator<undefined, void> {
    const count = this.#count
    const places = new Uint32Array(2 * count)
    for (let index = 0; index < count; index++) {
      places[2 * index] = newer.rows.ordinals[this.#rows[index]]
      places[2 * index + 1] = index
    }
    const inOrder = radixSorted(places)
    let pause = recordsPerStep
    for (let at = 1; at < inOrder.length; at += 2) {
      const index = inOrder[at]
      if (--pause === 0) {
        pause = recordsPerStep
        yield
      }
      const key = this.#keys.subarray(this.#startOf(index), this.#ends[index])
      const offset = older.stretch.firstOffset + this.#ordinals[index]
      if (isBehind(newer, this.#rows[index], offset, key))
        gone.add(this.#ordinals[index], this.#saved[index], this.#hasId[index] === 1)
    }
    this.#count = 0
  }

  #startOf(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]
  }
}

/** Whether a record with that key stands behind the offset, among those that have the tag of the row and are no newer. */
function isBehind({ rows, keys, stretch }: KeySide, newest: number, offset: number, key: Buffer): boolean {
  const { tags, ordinals } = rows
  for (let row = newest; row >= 0 && row > newest - maxOthers && tags[row] === tags[newest]; row--) {
    const ordinal = ordinals[row]
    if (stretch.firstOffset + ordinal <= offset) return false
    if (ordinal >= stretch.count) continue
    // The others are rare, and stand anywhere.
    const isSame = row === newest ? isOfNext(keys.record(ordinal)?.key, key) : keys.isOf(ordinal, key)
    if (isSame) return true
  }
  return false
}

function isOfNext(found: Uint8Array | undefined, key: Buffer): boolean {
  return found !== undefined && key.compare(found) === 0
}
