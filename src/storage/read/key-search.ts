/** Records with a key, newest segment first, or oldest; a bounded amount of work a call. */
import { tagOf } from '../../format/key-tag.js'
import type { Catalog } from '../index/catalog.js'
import type { SearchedPart } from '../index/tagged-records.js'
import type { KeyCandidates, Tagged } from './key-candidates.js'

/** Entries looked at in a call: some milliseconds, and then the thread is there for others; and in one go. */
const lookAtMost = { aCall: 1 << 19, atOnce: 1 << 13 }
/** What a look into a side index counts for, in entries. */
export const indexLookCosts = 512

export interface KeyRequest {
  readonly topic: number
  readonly key: Uint8Array
  /** Offsets `[from, to)`. */
  readonly from: number
  readonly to: number
  /** The most records that are wanted. */
  readonly max: number
  /** The newest first. */
  readonly isReverse: boolean
}

export interface KeyedRecords {
  /** Of each record found a batch of its own. */
  readonly pieces: Uint8Array[]
  readonly offsets: number[]
  /** Offsets that were not looked at; none where they are the same. */
  readonly from: number
  readonly to: number
}

export class KeySearch {
  readonly #catalog: Catalog
  readonly #candidates: KeyCandidates
  readonly #atMost: { readonly aCall: number; readonly atOnce: number }

  constructor(catalog: Catalog, candidates: KeyCandidates, atMost = lookAtMost) {
    this.#catalog = catalog
    this.#candidates = candidates
    this.#atMost = atMost
  }

  /** @throws `BOOKEND_CORRUPT` where a record that has the tag cannot be read: nobody knows its key */
  find({ topic, key, from, to, max, isReverse }: KeyRequest): KeyedRecords {
    const tag = tagOf(key)
    const pieces: Uint8Array[] = []
    const offsets: number[] = []
    const stretches = this.#catalog.stretches(topic, from, to)
    if (isReverse) stretches.reverse()
    const rest = (low: number, high: number): KeyedRecords =>
      isReverse ? { pieces, offsets, from, to: high } : { pieces, offsets, from: low, to }
    let left = this.#atMost.aCall
    let looked = 0
    for (const stretch of stretches) {
      const { segment } = stretch
      // Most keys are where they are looked for first.
      if (++looked === 2) this.#candidates.foresee(topic, tag, stretches.slice(1))
      for (let { first, end } = stretch; first < end; ) {
        if (left <= 0) return rest(first, end)
        const part = { segment, first, end }
        const told = this.#candidates.told(topic, tag, part, isReverse)
        const { offsets: tagged, from, to } = told ?? this.#listed(topic, tag, part, isReverse)
        if (isReverse) tagged.reverse()
        for (const offset of tagged) {
          const piece = this.#candidates.withKey(topic, offset, key)
          if (piece === undefined) continue
          pieces.push(piece)
          offsets.push(offset)
          if (offsets.length === max) return rest(offset + 1, offset)
        }
        left -= told === undefined ? to - from : indexLookCosts + tagged.length
        if (isReverse) end = from
        else first = to
      }
    }
    return { pieces, offsets, from: to, to }
  }

  /** By the entries themselves, some of the part at a time. */
  #listed(topic: number, tag: number, { segment, first, end }: SearchedPart, isReverse: boolean): Tagged {
    const count = Math.min(this.#atMost.atOnce, end - first)
    const from = isReverse ? end - count : first
    const to = from + count
    const offsets: number[] = []
    this.#candidates.tags(topic, { segment, first: from, end: to }).forEach((each, index) => {
      if (each === tag) offsets.push(from + index)
    })
    return { offsets, from, to }
  }
}
