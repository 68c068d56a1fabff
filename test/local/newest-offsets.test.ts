import { expect, it } from 'vitest'
import { type PackedKeys, unpackKeys } from '../../src/collections/packed-keys.js'
import { newestOffsets } from '../../src/local/newest-offsets.js'
import { Seeded } from '../support/seeded.js'

it('what is asked together goes in looks of bounded size, each step by step, with what it has not found yet', async () => {
  const random = new Seeded(5)
  // A message each: the key of an offset is its number below some.
  const newest = (key: string, to: number) => {
    for (let offset = to - 1; offset >= 0; offset--) if (`${offset % 70}` === key) return offset
    return undefined
  }
  const looks: number[] = []
  const look = async (packed: PackedKeys) => {
    const keys = unpackKeys(packed)
    looks.push(keys.length)
    expect(keys.length).toBeLessThanOrEqual(20)
    expect(keys.length === 1 || packed.bytes.length <= 30).toBe(true)
    const high = Math.max(...keys.map(({ to }) => to))
    const low = Math.max(0, high - 1 - random.below(30))
    const offsets = Float64Array.from(keys, ({ key, to }) => {
      const offset = newest(Buffer.from(key).toString(), to) ?? -1
      return offset >= low ? offset : -1
    })
    return { offsets, to: low }
  }
  const asked = Array.from({ length: 200 }, (_, index) => ({
    name: index % 50 === 7 ? 'x'.repeat(40) : `${random.below(90)}`,
    to: random.below(200),
  }))
  const keys = asked.map(({ name, to }) => ({ key: new TextEncoder().encode(name), to }))
  const found = await newestOffsets(keys, look, { keys: 20, bytes: 30 })
  expect(found).toEqual(asked.map(({ name, to }) => newest(name, to)))
  expect(looks.length).toBeGreaterThan(20)
  expect(await newestOffsets([], look)).toEqual([])
})
