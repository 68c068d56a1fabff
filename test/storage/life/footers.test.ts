/** Footers are believed, and derived again where they are missing. */
import { expect, it } from 'vitest'
import { readSealedSegment } from '../../../src/storage/index/sealed-index.js'
import { caught, readAll } from '../../support/model.js'
import { threeSegments } from '../../support/reopened-log.js'
import type { SimulatedDisk } from '../../support/simulated-disk.js'
import { indexSegment, testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

it('believes footers: it does not read the data of indexed segments', async () => {
  const sample = await threeSegments()
  const { log } = sample.reopen((disk) => disk.bytes(sample.path(0)).fill(0xff, 64, 5_000))
  expect(log.recovered).toMatchObject({ indexed: 2 * testSegmentBytes, damages: [] })
  expect(log.recovered.topics[0].next).toBe(12)
  expect(caught(() => log.reader.readOne(0, 0)).code).toBe('BOOKEND_CORRUPT')
  expect(readAll(log.reader, 0, 4, 12, 'dense')).toHaveLength(8)
})

it('derives again what a missing or damaged footer, directory or index said', async () => {
  const sample = await threeSegments()
  const end = testSegmentBytes
  for (const [from, to] of [
    [end - 64, end],
    [end - 64, end - 63],
    [end - 1, end],
    [end - 64 - 48, end - 64],
    [end - 4_096, end],
  ]) {
    const reopened = sample.reopen((disk) => {
      const bytes = disk.bytes(sample.path(1))
      for (let at = from; at < to; at++) bytes[at] ^= 0xff
    })
    reopened.expectExactly(sample.model, 12)
    expect(reopened.log.recovered.indexed).toBe(testSegmentBytes)
    await indexSegment(simulatedWorld(reopened.disk), reopened.log.files, 1)
    expect(readSealed(reopened.disk, sample.path(1))).toEqual(readSealed(sample.disk, sample.path(1)))
  }
})

function readSealed(disk: SimulatedDisk, file: string): unknown {
  return readSealedSegment((at, length) => disk.bytes(file).slice(at, at + length), testSegmentBytes, testSegmentBytes)
}

it('does not believe a footer from another place', async () => {
  const sample = await threeSegments()
  const { log } = sample
    .reopen((disk) => {
      const stale = disk.bytes(sample.path(0)).subarray(testSegmentBytes - 4_096)
      disk.bytes(sample.path(2)).set(stale, testSegmentBytes - 4_096)
    })
    .expectExactly(sample.model, 12)
  // It was zeroed with everything else behind the end.
  expect(log.recovered.tornBytes).toBeGreaterThan(0)
})
