import { expect, it } from 'vitest'
import { entryBytes, footerBytes } from '../../../src/format/segment-layout.js'
import { payloadOf } from '../../support/frames.js'
import { StorageLog, testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const messages = 4_000

/** Batches of a few messages of 600 bytes, one a millisecond, in several segments, with another topic between; and their times. */
async function filledLog(isSealed: boolean) {
  const world = simulatedWorld()
  let now = 1_000
  const log = new StorageLog(world, { now: () => now })
  log.append([
    { declare: 't', topic: 0 },
    { declare: 'other', topic: 1 },
  ])
  const times: number[] = []
  for (let batch = 0; times.length < messages; batch++) {
    now += batch % 40 === 0 ? 500 : 1
    const count = 1 + (batch % 7)
    log.append(
      Array.from({ length: count }, (_, index) => ({ topic: 0, value: payloadOf(0, times.length + index, 600) })),
    )
    for (let index = 0; index < count; index++) times.push(now)
    if (batch % 3 === 0) log.append([{ topic: 1, value: payloadOf(1, batch, 100) }])
  }
  log.flush()
  if (isSealed) await log.index()
  return { world, log, times }
}

const expected = (times: readonly number[], time: number) => {
  const found = times.findIndex((each) => each >= time)
  return found < 0 ? undefined : found
}

it('a time leads to its first message, in segments with an index and without', async () => {
  for (const isSealed of [false, true]) {
    const { log, times } = await filledLog(isSealed)
    for (let index = 0; index < times.length; index += 37)
      for (const time of [times[index] - 1, times[index], times[index] + 1])
        expect(log.reader.offsetAt(0, time, 0, times.length)).toBe(expected(times, time))
    expect(log.reader.offsetAt(0, 0, 0, times.length)).toBe(0)
    expect(log.reader.offsetAt(0, 0, 100, times.length)).toBe(100)
    expect(log.reader.offsetAt(0, 1e12, 0, times.length)).toBeUndefined()
  }
})

it('entries of an index that name other batches mislead nobody', async () => {
  const { world, log, times } = await filledLog(true)
  const bytes = world.disk.bytes(log.path(0))
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const entriesAt = view.getUint32(testSegmentBytes - footerBytes + 24, true)
  // All entries in the middle name the batch of the first of them, which is whole.
  for (let entry = 300; entry < 700; entry++)
    bytes.copyWithin(entriesAt + entry * entryBytes, entriesAt + 300 * entryBytes, entriesAt + 301 * entryBytes)
  for (const index of [299, 300, 301, 450, 699, 700, 701])
    for (const time of [times[index], times[index] + 1])
      expect(log.reader.offsetAt(0, time, 0, times.length)).toBe(expected(times, time))
})

it('a message that has to be looked at and cannot be read is an error, not a wrong answer', async () => {
  const { world, log, times } = await filledLog(false)
  const bytes = world.disk.bytes(log.path(0))
  const at = Buffer.from(bytes.buffer).indexOf(payloadOf(0, 400, 600))
  // The header of its batch, and with it the time.
  bytes.fill(0, at - 64, at)
  for (const time of [times[400], times[400] - 1, times[400] + 1]) {
    let found: unknown
    try {
      found = log.reader.offsetAt(0, time, 0, times.length)
    } catch (error) {
      expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT' })
      continue
    }
    expect(found).toBe(expected(times, time))
  }
})
