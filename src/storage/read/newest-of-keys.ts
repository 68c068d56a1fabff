/**
 * The newest record of each of many keys, by one look through the topic for all of them: newest segment first, and no further than all are found. A bounded
 * amount of work a call.
 */

import { assert } from '../../errors.js'
import type { Catalog } from '../index/catalog.js'
import type { SearchedPart } from '../index/tagged-records.js'
import type { KeyCandidates } from './key-candidates.js'
import { indexLookCosts } from './key-search.js'
import { type SoughtKey, SoughtKeys } from './sought-keys.js'

/** As in a search for one key. The keys themselves are some milliseconds to bring here. */
const lookAtMost = { aCall: 1 << 21, atOnce: 1 << 13 }

export interface NewestRequest {
  readonly topic: number
  /** Nothing below counts. */
  readonly from: number
  /** The end of what is asked for. */
  readonly to: number
  readonly asked: readonly SoughtKey[]
}

export interface NewestOffsets {
  /** Of each key, in the order in which they were asked for; -1: none was met. */
  readonly offsets: Float64Array<ArrayBuffer>
  /** Offsets below were not looked at; 0: none are left. */
  readonly to: number
}

export class NewestOfKeys {
  readonly #catalog: Catalog
  readonly #candidates: KeyCandidates
  readonly #atMost: { readonly aCall: number; readonly atOnce: number }

  constructor(catalog: Catalog, candidates: KeyCandidates, atMost = lookAtMost) {
    this.#catalog = catalog
    this.#candidates = candidates
    this.#atMost = atMost
  }

  /** @throws `BOOKEND_CORRUPT` where a record that has the tag of a key cannot be read: nobody knows its key */
  find({ topic, from, to, asked }: NewestRequest): NewestOffsets {
    const sought = new SoughtKeys(asked)
    const { newest: offsets } = sought
    let left = this.#atMost.aCall
    for (const { segment, first, end: last } of this.#catalog.stretches(topic, from, to).reverse()) {
      for (let end = last; first < end && sought.open > 0; ) {
        if (left <= 0) return { offsets, to: end }
        const part = { segment, first, end }
        const looks = this.#told(topic, part, sought)
        if (looks !== undefined) {
          left -= looks * indexLookCosts
          break
        }
        // No index of the segment, or none any more: what it has said of some keys stays true.
        const from = Math.max(first, end - this.#atMost.atOnce)
        left -= end - from + this.#list(topic, { segment, first: from, end }, sought) * indexLookCosts
        end = from
      }
      if (sought.open === 0) break
    }
    return { offsets, to: 0 }
  }

  /**
   * By an index of the segment, in the order of tags, as an index has them: pages that are read serve one tag after the other.
   * @returns how many looks into it that took; undefined: it does not say
   */
  #told(topic: number, { segment, first: least, end: last }: SearchedPart, sought: SoughtKeys): number | undefined {
    let looks = 0
    for (let row = 0; row < sought.rows; row++) {
      if (!sought.isOpen(row)) continue
      const { key, from = 0, to } = sought.keyAt(row)
      const first = Math.max(least, from)
      for (let end = Math.min(last, to); first < end; looks++) {
        const told = this.#candidates.told(topic, sought.tagAt(row), { segment, first, end }, true)
        if (told === undefined) return undefined
        assert(told.from < end, 'an index says something of each part')
        const offset = told.offsets.findLast((each) => this.#candidates.withKey(topic, each, key) !== undefined)
        if (offset !== undefined) sought.found(row, offset)
        end = offset === undefined ? told.from : first
      }
    }
    return looks
  }

  /** By the entries of the part themselves. @returns how many records were read for it */
  #list(topic: number, part: SearchedPart, sought: SoughtKeys): number {
    const tags = this.#candidates.tags(topic, part)
    let read = 0
    for (let index = tags.length - 1; index >= 0; index--) {
      const tag = tags[index]
      if (tag === 0) continue
      const offset = part.first + index
      for (let row = sought.firstOf(tag); row >= 0 && row < sought.rows && sought.tagAt(row) === tag; row++) {
        const { key, from = 0, to } = sought.keyAt(row)
        if (offset < from || offset >= to || !sought.isOpen(row)) continue
        read += 1
        if (this.#candidates.withKey(topic, offset, key) !== undefined) sought.found(row, offset)
      }
    }
    return read
  }
}
