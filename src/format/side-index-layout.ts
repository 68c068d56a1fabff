/**
 * The side index of a sealed segment, a file beside it: by what messages are found, keys and values of headers. Derived from the segment, and
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
 * section (40): topic u32, records u32, firstOffset u64, rows u32, page u32 (its first), nameBytes u32 (`0xffffffff`: of keys), nameAt u32,
 *            8 zeros
 * fence (8): the first row of a page
 * page (4096): crc u32 (of the rest), 4 zeros, 511 rows; behind the last row of a section zeros
 * row (8): hash u32, ordinal u32 (offset less firstOffset); those of a section are sorted by hash, then ordinal
 *
 * A section speaks of all `records` of its topic in the segment: who has no row has no such key or header. Hashes are hints: what they lead
 * to is read and compared.
 */
import { crc32 } from 'node:zlib'
import { logMarkBytes, putHex, takeHex } from './log-id.js'
import { putNumber, takeNumber } from './numbers.js'

export const sideIndexVersion = 1
export const sideHeadBytes = 64
export const sidePageBytes = 4096
export const sideRowBytes = 8
export const sideRowsPerPage = (sidePageBytes - 8) / sideRowBytes
/** Word subscripts inside a page: where rows begin, and what one has. */
export const sideRowWord = { first: 2, hash: 0, ordinal: 1, perRow: 2 } as const

const magic = 0x31584b42
const crcStart = 8
const markAt = 24
const sectionBytes = 40
const ofKeys = 0xffffffff

/** Which segment a side index is of. */
export interface SideIndexOwner {
  readonly base: number
  readonly logMark: string
  /** Of the segment's footer: it covers all that the index of the segment says. */
  readonly footerCrc: number
}

export interface SideSection {
  readonly topic: number
  /** Of the header; undefined: of keys. */
  readonly name: string | undefined
  readonly firstOffset: number
  /** Of the topic in the segment. */
  readonly records: number
  readonly rows: number
  /** Number of its first page. */
  readonly page: number
}

export interface SideHead {
  readonly sections: readonly SideSection[]
  readonly pages: number
  /** The first row of each page, as two words. */
  readonly fences: Uint32Array
  /** Where page 0 begins. */
  readonly pagesAt: number
}

/** A section that is to be written: hashes and ordinals in the order of rows. */
export interface SortedSection extends Omit<SideSection, 'rows' | 'page'> {
  readonly hashes: Uint32Array
  readonly ordinals: Uint32Array
}

export function encodeSideIndex(owner: SideIndexOwner, sections: readonly SortedSection[]): Uint8Array<ArrayBuffer> {
  const names = sections.map(({ name }) => (name === undefined ? undefined : Buffer.from(name)))
  const pagesOf = ({ hashes }: SortedSection) => Math.ceil(hashes.length / sideRowsPerPage)
  const pages = sections.reduce((sum, section) => sum + pagesOf(section), 0)
  const fencesAt = sideHeadBytes + sections.length * sectionBytes
  const namesAt = fencesAt + pages * sideRowBytes
  const headBytes = namesAt + names.reduce((sum, name) => sum + (name?.length ?? 0), 0)
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
  let page = 0
  sections.forEach((section, index) => {
    const at = sideHeadBytes + index * sectionBytes
    const name = names[index]
    view.setUint32(at, section.topic, true)
    view.setUint32(at + 4, section.records, true)
    putNumber(view, at + 8, section.firstOffset)
    view.setUint32(at + 16, section.hashes.length, true)
    view.setUint32(at + 20, page, true)
    view.setUint32(at + 24, name?.length ?? ofKeys, true)
    view.setUint32(at + 28, nameAt, true)
    if (name !== undefined) bytes.set(name, nameAt)
    nameAt += name?.length ?? 0
    for (let row = 0; row < section.hashes.length; row += sideRowsPerPage, page++) {
      const start = (pagesAt + page * sidePageBytes) >>> 2
      putRows(words, start + sideRowWord.first, section, row)
      words[start] = crc32(bytes.subarray(start * 4 + 4, start * 4 + sidePageBytes))
      const fence = fencesAt + page * sideRowBytes
      view.setUint32(fence, section.hashes[row], true)
      view.setUint32(fence + 4, section.ordinals[row], true)
    }
  })
  view.setUint32(4, crc32(bytes.subarray(crcStart, headBytes)), true)
  view.setUint32(0, magic, true)
  return bytes
}

function putRows(words: Uint32Array, start: number, { hashes, ordinals }: SortedSection, from: number): void {
  const to = Math.min(from + sideRowsPerPage, hashes.length)
  for (let row = from, at = start; row < to; row++, at += sideRowWord.perRow) {
    words[at] = hashes[row]
    words[at + 1] = ordinals[row]
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
  for (let at = sideHeadBytes; at < fencesAt; at += sectionBytes) {
    const nameBytes = view.getUint32(at + 24, true)
    const nameAt = view.getUint32(at + 28, true)
    if (nameBytes !== ofKeys && nameAt + nameBytes > length) return undefined
    const section: SideSection = {
      topic: view.getUint32(at, true),
      name: nameBytes === ofKeys ? undefined : Buffer.from(bytes.subarray(nameAt, nameAt + nameBytes)).toString(),
      records: view.getUint32(at + 4, true),
      firstOffset: takeNumber(view, at + 8),
      rows: view.getUint32(at + 16, true),
      page: view.getUint32(at + 20, true),
    }
    if (Number.isNaN(section.firstOffset) || pagesOfRows(section.rows) + section.page > pages) return undefined
    sections.push(section)
  }
  // A copy: words have to be aligned.
  const fences = new Uint32Array(bytes.slice(fencesAt, fencesAt + pages * sideRowBytes).buffer)
  return { sections, pages, fences, pagesAt }
}

export function pagesOfRows(rows: number): number {
  return Math.ceil(rows / sideRowsPerPage)
}

/** True if the page is as it was written. */
export function isSidePageWhole(bytes: Uint8Array, words: Uint32Array): boolean {
  return bytes.length === sidePageBytes && words[0] === crc32(bytes.subarray(4))
}

/** Of the value of a header, as it is stored: a JSON string, quotes and all. Keys have the tag of their entries instead. */
export function headerHash(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193)
  // Short values would stand close together.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}
