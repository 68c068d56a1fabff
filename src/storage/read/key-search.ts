/**
 * Records with a key: the side index of a segment says which may have it, or, where there is none, tags in the entries of its own index do; what
 * may have it is read and its key compared. Newest segment first, or oldest; a bounded amount of work a call.
 */
import { batchHeaderBytes } from '../../format/batch-layout.js'
import {
  flagsOf,
  frameExtensionBytes,
  frameFlag,
  frameHeaderBytes,
  frameWord,
  noKey,
} from '../../format/frame-layout.js'
import { tagOf } from '../../format/key-tag.js'
import type { Catalog } from '../index/catalog.js'
import type { SearchedPart, TaggedRecords } from '../index/tagged-records.js'
import type { SideIndexes } from '../side/side-indexes.js'
import type { LostRecords } from './lost-records.js'
import type { PlacedRecords } from './placed-records.js'

/** Entries looked at in a call: some milliseconds, and then the thread is there for others; and in one go. */
const lookAtMost = { aCall: 1 << 19, atOnce: 1 << 13 }
/** What a look into a side index counts for, and how many records of one key it tells at a time. */
const sideLook = { costs: 512, tellsAtMost: 1 << 12 }

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

/** Offsets that may have the key, ascending: no other in `[from, to)` has it. */
interface Tagged {
  readonly offsets: number[]
  readonly from: number
  readonly to: number
}

export class KeySearch {
  readonly #catalog: Catalog
  readonly #tags: TaggedRecords
  readonly #records: PlacedRecords
  readonly #lost: LostRecords
  readonly #sides: SideIndexes | undefined
  readonly #atMost: { readonly aCall: number; readonly atOnce: number }

  constructor(
    catalog: Catalog,
    tags: TaggedRecords,
    records: PlacedRecords,
    lost: LostRecords,
    sides?: SideIndexes,
    atMost = lookAtMost,
  ) {
    this.#sides = sides
    this.#catalog = catalog
    this.#tags = tags
    this.#records = records
    this.#lost = lost
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
    for (const stretch of stretches) {
      const { segment } = stretch
      for (let { first, end } = stretch; first < end; ) {
        if (left <= 0) return rest(first, end)
        const part = { segment, first, end }
        const told = this.#told(topic, tag, part, isReverse)
        const { offsets: tagged, from, to } = told ?? this.#listed(topic, tag, part, isReverse)
        if (isReverse) tagged.reverse()
        for (const offset of tagged) {
          const piece = this.#withKey(topic, offset, key)
          if (piece === undefined) continue
          pieces.push(piece)
          offsets.push(offset)
          if (offsets.length === max) return rest(offset + 1, offset)
        }
        left -= told === undefined ? to - from : sideLook.costs + tagged.length
        if (isReverse) end = from
        else first = to
      }
    }
    return { pieces, offsets, from: to, to }
  }

  /** By the side index of the segment, or by an index that this thread has in memory; undefined: neither says. */
  #told(topic: number, tag: number, part: SearchedPart, isReverse: boolean): Tagged | undefined {
    const footer = this.#catalog.footerOf(part.segment)
    if (footer === undefined) return this.#chained(topic, tag, part, isReverse)
    const { segment, first, end } = part
    return this.#sides?.withKey(topic, { segment, footer, first, end }, tag, isReverse, sideLook.tellsAtMost)
  }

  #chained(topic: number, tag: number, part: SearchedPart, isReverse: boolean): Tagged | undefined {
    const max = sideLook.tellsAtMost
    const offsets = this.#tags.chained(topic, tag, part, max)
    if (offsets === undefined || offsets.length < max) return offsets && { offsets, from: part.first, to: part.end }
    // The oldest come last in a chain.
    return isReverse ? { offsets, from: offsets[0], to: part.end } : undefined
  }

  /** By the entries themselves, some of the part at a time. */
  #listed(topic: number, tag: number, { segment, first, end }: SearchedPart, isReverse: boolean): Tagged {
    const count = Math.min(this.#atMost.atOnce, end - first)
    const from = isReverse ? end - count : first
    const to = from + count
    const offsets = this.#tags.listed(topic, tag, { segment, first: from, end: to })
    if (offsets === undefined) throw this.#lost.missing(topic, from)
    return { offsets, from, to }
  }

  /** Undefined: it has another key. */
  #withKey(topic: number, offset: number, key: Uint8Array): Uint8Array | undefined {
    const piece = this.#records.one(topic, offset)
    if (piece === undefined) throw this.#lost.missing(topic, offset)
    const words = new Uint32Array(piece.buffer, piece.byteOffset, piece.length >>> 2)
    const frame = batchHeaderBytes >>> 2
    const extension = (batchHeaderBytes + frameHeaderBytes) >>> 2
    if ((flagsOf(words[frame + frameWord.tail]) & frameFlag.extended) === 0) return undefined
    if (words[extension] === noKey || words[extension] !== key.length) return undefined
    const at = batchHeaderBytes + frameHeaderBytes + frameExtensionBytes
    return Buffer.compare(piece.subarray(at, at + key.length), key) === 0 ? piece : undefined
  }
}
