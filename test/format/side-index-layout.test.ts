import { crc32 } from 'node:zlib'
import { expect, it } from 'vitest'
import { headerHash } from '../../src/format/header-hash.js'
import {
  decodeSideHead,
  encodeSideIndex,
  isSidePageWhole,
  sideHeadLength,
  sidePageBytes,
  sideRowsPerPage,
} from '../../src/format/side-index-layout.js'
import { Seeded } from '../support/seeded.js'

const owner = { base: 3 << 20, logMark: '00112233445566ff', footerCrc: 0xfedcba98 }
const rows = 2 * sideRowsPerPage + 3
const section = {
  topic: 7,
  firstOffset: 2 ** 40,
  records: rows,
  // Two of each hash.
  rowWords: Uint32Array.from({ length: 2 * rows }, (_, word) => (word % 2 === 0 ? word >>> 2 : (word >>> 1) & 1)),
}
const none = { rowWords: new Uint32Array(0) }
const sections = [
  { ...section, name: undefined },
  { ...section, ...none, name: 'Größe' },
]

const times = [
  {
    ...{ topic: 7, firstOffset: 2 ** 40, records: rows, firstTime: 2 ** 41 },
    rowWords: Uint32Array.of(0, 0, 7, 3, 0xffffffff, 4),
  },
]

function headOf(bytes: Uint8Array, of = owner) {
  const length = sideHeadLength(bytes)
  return length === undefined || length > bytes.length
    ? undefined
    : decodeSideHead(bytes.slice(0, length), bytes.length, of)
}

it('what is written is read back: sections, fences, and pages that are whole', () => {
  const bytes = encodeSideIndex(owner, sections, times)
  const head = headOf(bytes)
  expect(head?.sections).toEqual([
    { topic: 7, name: undefined, firstOffset: 2 ** 40, records: rows, rows, page: 1, filter: { page: 0, blocks: 21 } },
    { topic: 7, name: 'Größe', firstOffset: 2 ** 40, records: rows, rows: 0, page: 4, filter: undefined },
  ])
  const { rowWords, ...timed } = times[0]
  expect(head?.times).toEqual([{ ...timed, rows: 3, page: 4 }])
  expect(head?.pages).toBe(5)
  expect([...(head?.fences ?? [])]).toEqual([0, 0, 0, 0, sideRowsPerPage >>> 1, 1, sideRowsPerPage, 0, 0, 0])
  for (let page = 0; page < 5; page++) {
    const at = (head?.pagesAt ?? 0) + page * sidePageBytes
    const copy = bytes.slice(at, at + sidePageBytes)
    expect(isSidePageWhole(copy, new Uint32Array(copy.buffer))).toBe(true)
    copy[sidePageBytes - 1] ^= 1
    expect(isSidePageWhole(copy, new Uint32Array(copy.buffer))).toBe(false)
  }
})

it('as releases before made it, it has no filters, and all else', () => {
  const head = headOf(encodeSideIndex(owner, sections, times, false))
  expect(head?.sections.map(({ page, filter }) => ({ page, filter }))).toEqual([
    { page: 0, filter: undefined },
    { page: 3, filter: undefined },
  ])
  expect(head?.pages).toBe(4)
})

it('a filter that would lead behind the pages is none, nor is what has it', () => {
  const bytes = encodeSideIndex(owner, sections, times)
  const view = new DataView(bytes.buffer)
  // How many blocks the first section says.
  view.setUint32(64 + 36, 5 * 127 + 1, true)
  view.setUint32(4, crc32(bytes.subarray(8, sideHeadLength(bytes))), true)
  expect(headOf(bytes)).toBeUndefined()
})

it('one of another segment, of another log or of another footer is none', () => {
  const bytes = encodeSideIndex(owner, sections, times)
  for (const other of [{ base: 4 << 20 }, { logMark: '00112233445566fe' }, { footerCrc: 1 }])
    expect(headOf(bytes, { ...owner, ...other })).toBeUndefined()
})

it('cut off anywhere, or with any byte of its head changed, it is none', () => {
  const bytes = encodeSideIndex(owner, sections, times)
  const length = sideHeadLength(bytes) as number
  for (let at = 0; at < length; at++) {
    const changed = bytes.slice()
    changed[at] ^= 1 + (at % 255)
    expect(headOf(changed)).toBeUndefined()
  }
  const random = new Seeded(1)
  for (let cut = 0; cut < 200; cut++) expect(headOf(bytes.slice(0, random.below(bytes.length)))).toBeUndefined()
})

it('short values have hashes that are far apart', () => {
  const hashes = Array.from({ length: 1_000 }, (_, number) => {
    const bytes = new TextEncoder().encode(JSON.stringify(String(number)))
    return headerHash(bytes, 0, bytes.length)
  })
  expect(new Set(hashes).size).toBe(1_000)
  for (let part = 0; part < 8; part++) {
    const inPart = hashes.filter((hash) => hash >>> 29 === part).length
    expect(inPart).toBeGreaterThan(60)
    expect(inPart).toBeLessThan(250)
  }
})
