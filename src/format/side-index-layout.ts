/**
 * The side index of a sealed segment, a file beside it: by what messages are found, keys, values of headers, and times. Derived from the segment, and
 * never needed: it is believed where its checksums hold and it is of that very segment, and else as if it were not there.
 *
 * ```
 *   +------+----------+--------+-------+- zeros -+--------+--------+- - -
 *   | head | sections | fences | names |         | page 0 | page 1 |
 *   +------+----------+--------+-------+- - - - -+--------+--------+- - -
 *   0      64                                    a multiple of 4096
 * ```
 *
 * head (64): magic u32, crc u32 (bytes 8 to headBytes), version u32, headBytes u32, base u64, logMark (8 bytes), footerCrc u32, sections u32,
 *            pages u32, 20 zeros
 * section (40): topic u32, records u32, firstOffset u64, rows u32, page u32 (its first), nameBytes u32 (`0xffffffff`: of keys, `0xfffffffe`: of
 *            times), nameAt u32, firstTime u64 (of times; else the filter's first page u32 and how many blocks it has u32; none: zeros)
 * fence (8): the first row of a page; of one of a filter zeros
 * page (4096), the filters' in front (format/side-filter-layout.ts): crc u32 (of the rest), 4 zeros, 511 rows; behind the last row of a section zeros
 * row (8): hash u32, ordinal u32 (offset less firstOffset); those of a section are sorted by hash, then ordinal. Of times: how long after
 *            firstTime (ms; at most 0xffffffff), and the ordinal of the first record of that time
 *
 * A section speaks of all `records` of its topic in the segment: who has no row has no such key or header, or the time of the row before. Hashes
 * are hints: what they lead to is read and compared.
 */
import { crc32 } from 'node:zlib'
import { logMarkBytes, putHex, takeHex } from './log-id.js'
import { putNumber, takeNumber } from './numbers.js'
import { addToFilter, filterBlockOf, filterBlocksOf, filterBlocksPerPage, pagesOfBlocks } from './side-filter-layout.js'

export const sideIndexVersion = 1
export const sideHeadBytes = 64
export const sidePageBytes = 4096
export const sideRowBytes = 8
export const sideRowsPerPage = (sidePageBytes - 8) / sideRowBytes
/** Word subscripts inside a page: where rows begin, and what one has. */
export const sideRowWord = { first: 2, hash: 0, ordinal: 1, perRow: 2 } as const
const { perRow } = sideRowWord
const wordsPerPage = sideRowsPerPage * perRow

const magic = 0x31584b42
const crcStart = 8
const markAt = 24
const sectionBytes = 40
const ofKeys = 0xffffffff
const ofTimes = 0xfffffffe
const noName = new Uint8Array(0)
/** What is later after the first time of its section is said to be so late: from there on the section says nothing. */
export const maxTimeSpan = 0xffffffff

/** Which segment a side index is of. */
export interface SideIndexOwner {
  readonly base: number
  readonly logMark: string
  /** Of the segment's footer: it covers all that the index of the segment says. */
  readonly footerCrc: number
}

/** Rows that are sorted by what they begin with. */
export interface SideRows {
  readonly topic: number
  readonly firstOffset: number
  /** Of the topic in the segment. */
  readonly records: number
  readonly rows: number
  /** Number of the first page. */
  readonly page: number
}

/** Pages of a filter. */
export interface SideFilter {
  /** Number of the first one. */
  readonly page: number
  readonly blocks: number
}

export interface SideSection extends SideRows {
  /** Of the header; undefined: of keys. */
  readonly name: string | undefined
  /** Undefined: its rows alone say which hashes it has. */
  readonly filter: SideFilter | undefined
}

export interface TimeSection extends SideRows {
  readonly firstTime: number
}

export interface SideHead {
  readonly sections: readonly SideSection[]
  /** Of topics with a section of times. */
  readonly times: readonly TimeSection[]
  readonly pages: number
  /** The first row of each page, as two words. */
  readonly fences: Uint32Array
  /** Where page 0 begins. */
  readonly pagesAt: number
}

/** A section that is to be written. */
export interface SortedSection extends Omit<SideSection, 'rows' | 'page' | 'filter'> {
  /** Hash and ordinal of each row, in their order. */
  readonly rowWords: Uint32Array
}

/** The same of times. */
export interface SortedTimes extends Omit<TimeSection, 'rows' | 'page'> {
  /** How long after the first, at most {@link maxTimeSpan}, and ordinal of each row, ascending. */
  readonly rowWords: Uint32Array
}

/** @param hasFilters false: as releases before made it */
export function encodeSideIndex(
  owner: SideIndexOwner,
  hashed: readonly SortedSection[],
  times: readonly SortedTimes[] = [],
  hasFilters = true,
): Uint8Array<ArrayBuffer> {
  const sections = [...hashed, ...times].map((section) => ({ ...section, ...toWrite(section, hasFilters) }))
  const filterPages = sections.reduce((sum, { blocks }) => sum + pagesOfBlocks(blocks), 0)
  const pages = sections.reduce((sum, { rowWords }) => sum + pagesOfRows(rowWords.length / perRow), filterPages)
  const fencesAt = sideHeadBytes + sections.length * sectionBytes
  const namesAt = fencesAt + pages * sideRowBytes
  const headBytes = namesAt + sections.reduce((sum, { name }) => sum + name.length, 0)
  const pagesAt = pagesBegin(headBytes)
  const bytes = new Uint8Array(pagesAt + pages * sidePageBytes)
  const view = new DataView(bytes.buffer)
  const words = new Uint32Array(bytes.buffer)
  view.setUint32(8, sideIndexVersion, true)
  view.setUint32(12, headBytes, true)
  putNumber(view, 16, owner.base)
  putHex(bytes, markAt, owner.logMark)
  view.setUint32(32, owner.footerCrc, true)
  view.setUint32(36, sections.length, true)
  view.setUint32(40, pages, true)
  let nameAt = namesAt
  let filterPage = 0
  let page = filterPages
  const sumUp = (start: number) => {
    words[start] = crc32(bytes.subarray(start * 4 + 4, start * 4 + sidePageBytes))
  }
  sections.forEach((section, index) => {
    const at = sideHeadBytes + index * sectionBytes
    const { name, nameBytes, firstTime, blocks, rowWords } = section
    view.setUint32(at, section.topic, true)
    view.setUint32(at + 4, section.records, true)
    putNumber(view, at + 8, section.firstOffset)
    view.setUint32(at + 16, rowWords.length / perRow, true)
    view.setUint32(at + 20, page, true)
    view.setUint32(at + 24, nameBytes, true)
    view.setUint32(at + 28, nameAt, true)
    if (nameBytes === ofTimes) putNumber(view, at + 32, firstTime)
    else if (blocks > 0) {
      view.setUint32(at + 32, filterPage, true)
      view.setUint32(at + 36, blocks, true)
      const start = (pagesAt + filterPage * sidePageBytes) >>> 2
      putFilter(words, start, blocks, rowWords)
      filterPage += pagesOfBlocks(blocks)
      for (let each = start; each < (pagesAt + filterPage * sidePageBytes) >>> 2; each += sidePageBytes >>> 2)
        sumUp(each)
    }
    bytes.set(name, nameAt)
    nameAt += name.length
    for (let row = 0; row < rowWords.length; row += wordsPerPage, page++) {
      const start = (pagesAt + page * sidePageBytes) >>> 2
      words.set(rowWords.subarray(row, row + wordsPerPage), start + sideRowWord.first)
      sumUp(start)
      const fence = fencesAt + page * sideRowBytes
      view.setUint32(fence, rowWords[row], true)
      view.setUint32(fence + 4, rowWords[row + 1], true)
    }
  })
  view.setUint32(4, crc32(bytes.subarray(crcStart, headBytes)), true)
  view.setUint32(0, magic, true)
  return bytes
}

interface WrittenSection {
  readonly name: Uint8Array
  readonly nameBytes: number
  readonly firstTime: number
  /** Of its filter. */
  readonly blocks: number
}

function toWrite(section: SortedSection | SortedTimes, hasFilters: boolean): WrittenSection {
  if ('firstTime' in section) return { name: noName, nameBytes: ofTimes, firstTime: section.firstTime, blocks: 0 }
  const name = section.name === undefined ? noName : Buffer.from(section.name)
  const nameBytes = section.name === undefined ? ofKeys : name.length
  const blocks = hasFilters ? filterBlocksOf(section.rowWords, sideRowsPerPage) : 0
  return { name, nameBytes, firstTime: 0, blocks }
}

function putFilter(words: Uint32Array, start: number, blocks: number, rowWords: Uint32Array): void {
  for (let row = 0; row < rowWords.length; row += perRow) {
    const hash = rowWords[row]
    if (row > 0 && hash === rowWords[row - perRow]) continue
    const block = filterBlockOf(hash, blocks)
    const page = Math.floor(block / filterBlocksPerPage)
    addToFilter(words, start + page * (sidePageBytes >>> 2), block, hash)
  }
}

function pagesBegin(headBytes: number): number {
  return Math.ceil(headBytes / sidePageBytes) * sidePageBytes
}

/** How long the head is, by its first {@link sideHeadBytes}; undefined: this is none. */
export function sideHeadLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < sideHeadBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.getUint32(0, true) !== magic || view.getUint32(8, true) !== sideIndexVersion) return undefined
  return view.getUint32(12, true)
}

/**
 * @param bytes so many as {@link sideHeadLength} says
 * @param fileBytes size of the file
 * @returns undefined unless the head is whole, of that segment, and keeps every part inside the file
 */
export function decodeSideHead(bytes: Uint8Array, fileBytes: number, owner: SideIndexOwner): SideHead | undefined {
  const length = sideHeadLength(bytes)
  if (length === undefined || length !== bytes.length || length < sideHeadBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.getUint32(4, true) !== crc32(bytes.subarray(crcStart))) return undefined
  if (takeNumber(view, 16) !== owner.base || takeHex(bytes, markAt, logMarkBytes) !== owner.logMark) return undefined
  if (view.getUint32(32, true) !== owner.footerCrc) return undefined
  const count = view.getUint32(36, true)
  const pages = view.getUint32(40, true)
  const fencesAt = sideHeadBytes + count * sectionBytes
  const pagesAt = pagesBegin(length)
  if (fencesAt + pages * sideRowBytes > length || pagesAt + pages * sidePageBytes !== fileBytes) return undefined
  const sections: SideSection[] = []
  const times: TimeSection[] = []
  for (let at = sideHeadBytes; at < fencesAt; at += sectionBytes) {
    const rows: SideRows = {
      topic: view.getUint32(at, true),
      records: view.getUint32(at + 4, true),
      firstOffset: takeNumber(view, at + 8),
      rows: view.getUint32(at + 16, true),
      page: view.getUint32(at + 20, true),
    }
    if (Number.isNaN(rows.firstOffset) || pagesOfRows(rows.rows) + rows.page > pages) return undefined
    const nameBytes = view.getUint32(at + 24, true)
    const nameAt = view.getUint32(at + 28, true)
    if (nameBytes === ofTimes) {
      const firstTime = takeNumber(view, at + 32)
      if (Number.isNaN(firstTime)) return undefined
      times.push({ ...rows, firstTime })
      continue
    }
    const blocks = view.getUint32(at + 36, true)
    const filter = blocks === 0 ? undefined : { page: view.getUint32(at + 32, true), blocks }
    if (filter !== undefined && filter.page + pagesOfBlocks(blocks) > pages) return undefined
    if (nameBytes !== ofKeys && nameAt + nameBytes > length) return undefined
    const name = nameBytes === ofKeys ? undefined : Buffer.from(bytes.subarray(nameAt, nameAt + nameBytes)).toString()
    sections.push({ ...rows, name, filter })
  }
  // A copy: words have to be aligned.
  const fences = new Uint32Array(bytes.slice(fencesAt, fencesAt + pages * sideRowBytes).buffer)
  return { sections, times, pages, fences, pagesAt }
}

export function pagesOfRows(rows: number): number {
  return Math.ceil(rows / sideRowsPerPage)
}

/** True if the page is as it was written. */
export function isSidePageWhole(bytes: Uint8Array, words: Uint32Array): boolean {
  return bytes.length === sidePageBytes && words[0] === crc32(bytes.subarray(4))
}
