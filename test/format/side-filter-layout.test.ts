import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  addToFilter,
  filterBlockOf,
  filterBlocksOf,
  filterBlocksPerPage,
  mayBeInFilter,
  pagesOfBlocks,
} from '../../src/format/side-filter-layout.js'
import { Seeded } from '../support/seeded.js'

const pageWords = 1024

/** As sections have them: two words each, of which the second says nothing here. */
function rowsOf(hashes: Uint32Array): Uint32Array {
  const rows = new Uint32Array(2 * hashes.length)
  hashes.forEach((hash, row) => {
    rows[2 * row] = hash
    rows[2 * row + 1] = row
  })
  return rows
}

function filterOf(sorted: Uint32Array) {
  const blocks = filterBlocksOf(rowsOf(sorted), 511)
  const words = new Uint32Array(pagesOfBlocks(blocks) * pageWords)
  const start = (block: number) => Math.floor(block / filterBlocksPerPage) * pageWords
  for (const hash of sorted) {
    const block = filterBlockOf(hash, blocks)
    addToFilter(words, start(block), block, hash)
  }
  return {
    words,
    has(hash: number): boolean {
      const block = filterBlockOf(hash, blocks)
      return mayBeInFilter(words.subarray(start(block), start(block) + pageWords), block, hash)
    },
  }
}

const random = new Seeded(1)
const drawn = (count: number) => Uint32Array.from({ length: count }, () => random.below(2 ** 32)).sort()
/** As they are: of strings that differ in a few digits. */
const tags = (name: string, count: number) =>
  Uint32Array.from({ length: count }, (_, index) => (crc32(`${name}-${index}`) | 1) >>> 0).sort()

describe.each([
  ['drawn at random', drawn(20_000), drawn(20_000)],
  ['tags of keys', tags('order', 20_000), tags('nobody', 20_000)],
])('a filter of hashes that are %s', (_, hashes, others) => {
  const { words, has } = filterOf(hashes)

  it('has every one of them', () => {
    expect(hashes.filter((hash) => !has(hash))).toHaveLength(0)
  })

  it('has about one in a hundred others', () => {
    const there = new Set(hashes)
    const absent = others.filter((hash) => !there.has(hash))
    expect(absent.filter(has).length / absent.length).toBeLessThan(0.025)
  })

  it('leaves room for a checksum in each page', () => {
    for (let page = 0; page < words.length; page += pageWords)
      expect([...words.subarray(page, page + 8)]).toEqual(new Array(8).fill(0))
  })
})

it('what a page of rows says has none', () => {
  expect(filterBlocksOf(rowsOf(Uint32Array.from({ length: 5_000 }, (_, row) => row % 511).sort()), 511)).toBe(0)
  expect(filterBlocksOf(rowsOf(Uint32Array.from({ length: 512 }, (_, row) => row)), 511)).toBe(20)
})
