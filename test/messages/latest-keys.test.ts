/** The table of the latest messages is what a map says, put in at once or in parts, in one go or in as many as it takes. */
import { expect, it } from 'vitest'
import {
  addLatest,
  hashEnd,
  type LatestKeys,
  latestKeys,
  latestOffsets,
  putLatest,
} from '../../src/messages/latest-keys.js'
import { LatestPuts } from '../../src/messages/latest-puts.js'
import { Seeded, seedsFrom } from '../support/seeded.js'

interface Put {
  readonly key: Uint8Array
  readonly isTombstone: boolean
}

function somePuts(random: Seeded, count: number, keys: number): Put[] {
  return Array.from({ length: count }, () => {
    const number = random.below(keys)
    const key = number === 0 ? new Uint8Array(0) : Buffer.from(`${number}`.padStart(1 + (number % 40), 'k'))
    return { key, isTombstone: random.chance(0.2) }
  })
}

function truth(puts: readonly Put[]): number[] {
  const latest = new Map<string, number>()
  for (const [offset, { key, isTombstone }] of puts.entries()) {
    const name = Buffer.from(key).toString('latin1')
    if (isTombstone) latest.delete(name)
    else latest.set(name, offset)
  }
  return [...latest.values()].sort((a, b) => a - b)
}

function putAll(table: LatestKeys, puts: readonly Put[], from: number, to: number): LatestKeys {
  for (let offset = from; offset < to; offset++) {
    const { key, isTombstone } = puts[offset]
    // In the middle of other bytes, as a key stands in a chunk.
    const bytes = Buffer.concat([Buffer.from('ab'), key, Buffer.from('c')])
    putLatest(table, bytes, 2, 2 + key.length, offset, isTombstone)
  }
  return table
}

it('is what a map says, in parts that are put together in any order', () => {
  for (const seed of seedsFrom(1, 10)) {
    const random = new Seeded(seed)
    const puts = somePuts(random, 2_000, random.pick([2, 50, 3_000]))
    const cut = random.below(puts.length)
    const parts = [putAll(latestKeys(0), puts, 0, cut), putAll(latestKeys(0), puts, cut, puts.length)]
    const [one, other] = random.chance(0.5) ? parts : parts.reverse()
    addLatest(one, other)
    expect([...latestOffsets(one)], `seed ${seed}`).toEqual(truth(puts))
    expect(one.below).toBe(hashEnd)
  }
})

it('is the same in puts that are made together, with keys of every length and tables of every size', () => {
  const random = new Seeded(5)
  const lengths = [0, 1, 255, 256, 257, 65_535, 65_536]
  const table = latestKeys(0)
  const puts = new LatestPuts(table)
  const latest = new Map<string, number>()
  for (let offset = 0, chunk = 0; chunk < 40; chunk++) {
    const parts = Array.from({ length: 300 }, () => {
      const length = random.chance(0.01) ? random.pick(lengths) : 4
      return Buffer.alloc(length, `${random.below(9_000)}`.padStart(4, 'k'))
    })
    const bytes = Buffer.concat(parts)
    let start = 0
    for (const key of parts) {
      const isTombstone = random.chance(0.1)
      puts.put(bytes, start, start + key.length, 2 ** 32 - 5_000 + offset, isTombstone)
      const name = key.toString('latin1')
      if (isTombstone) latest.delete(name)
      else latest.set(name, 2 ** 32 - 5_000 + offset)
      start += key.length
      offset += 1
    }
    puts.flush()
    bytes.fill(0)
  }
  expect(table.count).toBeGreaterThan(4_096)
  expect([...latestOffsets(table)]).toEqual([...latest.values()].sort((a, b) => a - b))
})

it('holds no more than it may: what does not fit is looked for again, and nothing twice', () => {
  for (const seed of seedsFrom(1, 6)) {
    const random = new Seeded(seed)
    const puts = somePuts(random, 300, 80)
    const most = random.pick([
      { keys: 20, bytes: 1_000_000 },
      { keys: 1_000_000, bytes: 200 },
      { keys: 1, bytes: 1_000_000 },
    ])
    const found: number[] = []
    let passes = 0
    for (let from = 0; from < hashEnd; passes++) {
      const cut = random.below(puts.length)
      const table = putAll(latestKeys(from, most), puts, 0, cut)
      addLatest(table, putAll(latestKeys(from, most), puts, cut, puts.length))
      expect(table.count).toBeLessThanOrEqual(most.keys)
      expect(table.keyBytes).toBeLessThanOrEqual(most.bytes)
      expect(table.below).toBeGreaterThan(from)
      found.push(...latestOffsets(table))
      from = table.below
    }
    expect(passes).toBeGreaterThan(1)
    expect(
      found.sort((a, b) => a - b),
      `seed ${seed}`,
    ).toEqual(truth(puts))
  }
})
