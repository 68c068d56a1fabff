/**
 * Which records may have a key: the side index of a segment says so, or, where there is none, tags in the entries of its own index do. What may have
 * it is read, and its key compared.
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
import type { Catalog } from '../index/catalog.js'
import type { SearchedPart, TaggedRecords } from '../index/tagged-records.js'
import type { SideIndexes } from '../side/side-indexes.js'
import type { LostRecords } from './lost-records.js'
import type { PlacedRecords } from './placed-records.js'

/** How many records of one key an index tells at a time. */
const tellsAtMost = 1 << 12

/** Offsets that may have the key, ascending: no other in `[from, to)` has it. */
export interface Tagged {
  readonly offsets: number[]
  readonly from: number
  readonly to: number
}

export class KeyCandidates {
  readonly #catalog: Catalog
  readonly #tags: TaggedRecords
  readonly #records: PlacedRecords
  readonly #lost: LostRecords
  readonly #sides: SideIndexes | undefined

  constructor(
    catalog: Catalog,
    tags: TaggedRecords,
    records: PlacedRecords,
    lost: LostRecords,
    sides: SideIndexes | undefined,
  ) {
    this.#catalog = catalog
    this.#tags = tags
    this.#records = records
    this.#lost = lost
    this.#sides = sides
  }

  /** The parts will be asked for the tag one after the other. */
  foresee(topic: number, tag: number, parts: readonly SearchedPart[]): void {
    if (this.#sides === undefined) return
    const sealed = parts.flatMap(({ segment }) => {
      const footer = this.#catalog.footerOf(segment)
      return footer === undefined ? [] : [{ segment, footer }]
    })
    this.#sides.foresee(topic, tag, sealed)
  }

  /** By the side index of the segment, or by an index that this thread has in memory; undefined: neither says. */
  told(topic: number, tag: number, part: SearchedPart, isReverse: boolean): Tagged | undefined {
    const footer = this.#catalog.footerOf(part.segment)
    if (footer === undefined) return this.#chained(topic, tag, part, isReverse)
    const { segment, first, end } = part
    return this.#sides?.withKey(topic, { segment, footer, first, end }, tag, isReverse, tellsAtMost)
  }

  #chained(topic: number, tag: number, part: SearchedPart, isReverse: boolean): Tagged | undefined {
    const offsets = this.#tags.chained(topic, tag, part, tellsAtMost)
    if (offsets === undefined || offsets.length < tellsAtMost)
      return offsets && { offsets, from: part.first, to: part.end }
    // The oldest come last in a chain.
    return isReverse ? { offsets, from: offsets[0], to: part.end } : undefined
  }

  /** Tags of all records of the part, in their order; 0: without a key. @throws `BOOKEND_CORRUPT` where no segment knows them all */
  tags(topic: number, part: SearchedPart): Uint32Array {
    const tags = this.#tags.listed(topic, part)
    if (tags === undefined) throw this.#lost.missing(topic, part.first)
    return tags
  }

  /**
   * The record in a batch of its own; undefined: it has another key.
   * @throws `BOOKEND_CORRUPT` where it cannot be read: nobody knows its key
   */
  withKey(topic: number, offset: number, key: Uint8Array): Uint8Array | undefined {
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
