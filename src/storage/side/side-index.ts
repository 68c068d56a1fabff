/** A side index that is open: what it says of a hash, page by page. */
import type { KeptPages } from '../../collections/kept-pages.js'
import { filterBlockOf, filterBlocksPerPage, mayBeInFilter } from '../../format/side-filter-layout.js'
import {
  isSidePageWhole,
  maxTimeSpan,
  pagesOfRows,
  type SideHead,
  type SideRows,
  type SideSection,
  sidePageBytes,
  sideRowsPerPage,
  sideRowWord,
  type TimeSection,
} from '../../format/side-index-layout.js'
import type { DiskFile } from '../files/disk.js'

const { first: firstWord, perRow } = sideRowWord
/** More than any has: the pages of all that a thread has open are told apart by one number. */
const pagesPerIndex = 2 ** 24

/** Rows `[start, end)` of a section: those of one hash, by ordinal, all of which are in `[from, to)`. */
export interface SideRun {
  readonly start: number
  readonly end: number
  readonly from: number
  readonly to: number
}

/** Not as it was written: nothing that it says is believed. */
export class SideIndexFault extends Error {}

export class SideIndex {
  readonly #file: DiskFile
  readonly #head: SideHead
  /** Pages whose checksum was found right, of all side indexes; what is stored does not change. */
  readonly #pages: KeptPages
  readonly #firstKey: number
  /** The page that was asked for last. */
  #page = -1
  #words = new Uint32Array(0)

  /** @param number that no other one has had whose pages may be among the kept ones */
  constructor(file: DiskFile, head: SideHead, pages: KeptPages, number: number) {
    this.#file = file
    this.#head = head
    this.#pages = pages
    this.#firstKey = number * pagesPerIndex
  }

  /** @param name of a header; undefined: keys */
  section(topic: number, name: string | undefined): SideSection | undefined {
    return this.#head.sections.find((section) => section.topic === topic && section.name === name)
  }

  times(topic: number): TimeSection | undefined {
    return this.#head.times.find((section) => section.topic === topic)
  }

  /**
   * Ordinal of the first record at or after a time; their number: there is none. Undefined: it does not say.
   * @throws SideIndexFault
   */
  firstAtOrAfter(section: TimeSection, time: number): number | undefined {
    const delay = Math.max(0, time - section.firstTime)
    if (delay >= maxTimeSpan) return undefined
    const row = this.#atOrBehind(section, delay, 0)
    const ordinal = row < section.rows ? this.#word(section, row, 1) : section.records
    if (row < section.rows && ordinal >= section.records)
      throw new SideIndexFault('times of a side index lead out of its segment')
    return ordinal
  }

  /** Begins to read what is asked first of a hash. */
  readAhead({ filter }: SideSection, hash: number): void {
    if (filter === undefined) return
    const page = filterPageOf(filter, hash)
    if (this.#pages.get(this.#firstKey + page) === undefined)
      this.#file.readAhead?.(this.#head.pagesAt + page * sidePageBytes, sidePageBytes)
  }

  /** Where the rows of a hash stand whose ordinals are in `[from, to)`. @throws SideIndexFault */
  run(section: SideSection, hash: number, from: number, to: number): SideRun {
    if (from >= to || !this.#mayHave(section, hash)) return { start: 0, end: 0, from, to }
    const start = this.#atOrBehind(section, hash, from)
    const end = this.#isBehind(section, start, hash, to) ? start : this.#atOrBehind(section, hash, to)
    return { start, end: Math.max(start, end), from, to }
  }

  /**
   * Ordinals of a run, or of a part of one, ascending.
   * @throws SideIndexFault if they are none of those that were asked for: its checksums may be right, and whoever made it wrong
   */
  ordinals(section: SideSection, { start, end, from, to }: SideRun): number[] {
    const ordinals: number[] = []
    let least = from
    for (let row = start; row < end; row++) {
      const ordinal = this.#word(section, row, 1)
      if (ordinal < least || ordinal >= to) throw new SideIndexFault('rows of a side index are not in their order')
      ordinals.push(ordinal)
      least = ordinal + 1
    }
    return ordinals
  }

  close(): void {
    this.#file.close()
  }

  #mayHave({ filter }: SideSection, hash: number): boolean {
    if (filter === undefined) return true
    this.#load(filterPageOf(filter, hash))
    return mayBeInFilter(this.#words, filterBlockOf(hash, filter.blocks), hash)
  }

  /** The first row that is not in front of the hash and the ordinal. */
  #atOrBehind(section: SideRows, hash: number, ordinal: number): number {
    const { fences } = this.#head
    const { page: first, rows } = section
    // The last page whose first row is in front of it; rows behind it may begin there.
    let low = first
    let high = first + pagesOfRows(rows)
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isInFront(fences[2 * middle], fences[2 * middle + 1], hash, ordinal)) low = middle + 1
      else high = middle
    }
    if (low === first) return 0
    let row = (low - 1 - first) * sideRowsPerPage
    let end = Math.min(rows, row + sideRowsPerPage)
    while (row < end) {
      const middle = (row + end) >>> 1
      if (isInFront(this.#word(section, middle, 0), this.#word(section, middle, 1), hash, ordinal)) row = middle + 1
      else end = middle
    }
    return row
  }

  /** Whether the row is behind all that is looked for: then none is there, and no other page is needed to know it. */
  #isBehind(section: SideRows, row: number, hash: number, to: number): boolean {
    if (row >= section.rows) return true
    return !isInFront(this.#word(section, row, 0), this.#word(section, row, 1), hash, to)
  }

  #word(section: SideRows, row: number, word: number): number {
    const page = section.page + Math.floor(row / sideRowsPerPage)
    // The head says it, and was checked.
    if (row % sideRowsPerPage === 0) return this.#head.fences[2 * page + word]
    this.#load(page)
    return this.#words[firstWord + (row % sideRowsPerPage) * perRow + word]
  }

  #load(page: number): void {
    if (page === this.#page) return
    this.#page = -1
    this.#words = this.#pages.get(this.#firstKey + page) ?? this.#read(page)
    this.#page = page
  }

  #read(page: number): Uint32Array<ArrayBuffer> {
    const bytes = this.#file.read(this.#head.pagesAt + page * sidePageBytes, sidePageBytes)
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
    if (!isSidePageWhole(bytes, words)) throw new SideIndexFault('a page of a side index fails its checksum')
    this.#pages.takeOldest()
    this.#pages.keep(this.#firstKey + page, words)
    return words
  }
}

function filterPageOf({ page, blocks }: NonNullable<SideSection['filter']>, hash: number): number {
  return page + Math.floor(filterBlockOf(hash, blocks) / filterBlocksPerPage)
}

function isInFront(hash: number, ordinal: number, ofHash: number, ofOrdinal: number): boolean {
  return hash < ofHash || (hash === ofHash && ordinal < ofOrdinal)
}
