import { expect, it } from 'vitest'
import { logMarkOf } from '../../../src/format/log-id.js'
import { verifySegment } from '../../../src/storage/check/verify-segment.js'
import { Seeded } from '../../support/seeded.js'
import { keyedLog, putSideIndex } from '../../support/side-indexed-log.js'

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
  return { world, side, put, verify, bytes: world.disk.bytes(side).slice() }
}

it('a side index that is what the segment says is not worth a word', async () => {
  const { verify } = await indexedLog()
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
