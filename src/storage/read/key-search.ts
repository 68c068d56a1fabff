/**
 * Records with a key: entries of the index hold a tag of each key, which is looked for, and what has it is read and its key compared. Newest
 * segment first, or oldest; a bounded number of entries a call.
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
import { entryWord } from '../../format/segment-layout.js'
import type { Catalog } from '../index/catalog.js'
import type { LostRecords } from './lost-records.js'
import type { PlacedRecords } from './placed-records.js'

const { perEntry } = entryWord

/** Entries looked at in a call: some milliseconds, and then the thread is there for others; and in one go. */
const lookAtMost = { aCall: 1 << 19, atOnce: 1 << 13 }

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
  readonly #records: PlacedRecords
  readonly #lost: LostRecords
  readonly #atMost: { readonly aCall: number; readonly atOnce: number }

  constructor(catalog: Catalog, records: PlacedRecords, lost: LostRecords, atMost = lookAtMost) {
    this.#catalog = catalog
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
      for (let { first, end } = stretch; first < end; ) {
        if (left <= 0) return rest(first, end)
        const count = Math.min(this.#atMost.atOnce, end - first)
        const start = isReverse ? end - count : first
        for (const offset of this.#tagged(topic, tag, start, count, isReverse)) {
          const piece = this.#withKey(topic, offset, key)
          if (piece === undefined) continue
          pieces.push(piece)
          offsets.push(offset)
          if (offsets.length === max) return rest(offset + 1, offset)
        }
        left -= count
        if (isReverse) end = start
        else first = start + count
      }
    }
    return { pieces, offsets, from: to, to }
  }

  /** Offsets whose entries have the tag, in the order in which they are wanted. */
  #tagged(topic: number, tag: number, start: number, count: number, isReverse: boolean): number[] {
    const words = this.#catalog.entriesFrom(topic, start, count)
    if (words === undefined || words.length < count * perEntry) throw this.#lost.missing(topic, start)
    const found: number[] = []
    for (let at = entryWord.tag, offset = start; offset < start + count; at += perEntry, offset++)
      if (words[at] === tag) found.push(offset)
    return isReverse ? found.reverse() : found
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
