import { expect, it } from 'vitest'
import { logMarkOf } from '../../../src/format/log-id.js'
import { summarize } from '../../../src/storage/check/log-summary.js'
import { verifySegment } from '../../../src/storage/check/verify-segment.js'
import { checkedLog, repairedLog } from '../../support/repaired-log.js'
import { Seeded } from '../../support/seeded.js'
import { disagreements, keyedLog, putSideIndex, withoutFilters } from '../../support/side-indexed-log.js'

async function indexedLog() {
  const made = keyedLog(new Seeded(7))
  const { world, log } = made
  await log.index()
  await putSideIndex(made, 0, { keys: true, headers: ['type'] })
  const { files } = log
  const side = files.sidePath(0)
  const verify = (isLive = false) => {
    const { segmentBytes, id } = files
    return verifySegment(world.disk, {
      segment: 0,
      file: files.path(0),
      base: 0,
      segmentBytes,
      logMark: logMarkOf(id),
      isLive,
    })
  }
  const put = (bytes: Uint8Array) => {
    world.disk.remove(side)
    const file = world.disk.create(side)
    file.write(0, bytes)
    file.close()
  }
  return { made, world, side, put, verify, bytes: world.disk.bytes(side).slice() }
}

it('a side index that is what the segment says is not worth a word', async () => {
  const { verify } = await indexedLog()
  expect(verify()).toMatchObject({ damages: [], remarks: [] })
})

it('nor is one that releases before made, without filters', async () => {
  const { verify, put, bytes } = await indexedLog()
  const before = withoutFilters(bytes)
  expect(before.length).toBeLessThan(bytes.length)
  put(before)
  expect(verify()).toMatchObject({ damages: [], remarks: [] })
})

it('one that is damaged, cut off or not of this segment is remarked on, and is no damage', async () => {
  const { verify, put, bytes, side } = await indexedLog()
  const random = new Seeded(1)
  for (let round = 0; round < 12; round++) {
    const wrong = round % 3 === 0 ? bytes.slice(0, random.below(bytes.length)) : bytes.slice()
    if (round % 3 !== 0) wrong[random.below(wrong.length)] ^= 1 << random.below(8)
    put(wrong)
    const { damages, remarks } = verify()
    expect(damages).toEqual([])
    expect(remarks).toMatchObject([{ kind: 'side index', file: side }])
  }
})

it('an owner at work may be putting another in its place', async () => {
  const { verify, put } = await indexedLog()
  put(new Uint8Array(10))
  expect(verify(true)).toMatchObject({ damages: [], remarks: [] })
})

it('a repair takes away one that is wrong, and nothing else; what is looked for is found before and behind it', async () => {
  const { made, world, side, put, bytes, verify } = await indexedLog()
  const segment = world.disk.bytes(made.log.files.path(0)).slice()
  const sides = () => summarize(world.disk, checkedLog(world).extent, false).sides
  expect(sides()).toEqual({ count: 1, bytes: bytes.length })
  expect(repairedLog(world).sides).toEqual([])
  expect(world.disk.has(side)).toBe(true)
  put(bytes.map((byte, at) => (at === 100 ? byte ^ 1 : byte)))
  expect(await disagreements(new Seeded(2), made, 4)).toEqual([])
  const plan = repairedLog(world)
  expect(plan.sides).toEqual([0])
  expect(plan.setAside).toEqual([])
  expect(world.disk.has(side)).toBe(false)
  expect(Buffer.compare(world.disk.bytes(made.log.files.path(0)), segment)).toBe(0)
  expect(sides()).toEqual({ count: 0, bytes: 0 })
  expect(verify()).toMatchObject({ damages: [], remarks: [] })
  expect(await disagreements(new Seeded(3), made, 4)).toEqual([])
})
