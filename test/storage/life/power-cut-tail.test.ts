/** A power cut stores later pages and not earlier ones: the log is cut where they begin to lack. */
import { expect, it } from 'vitest'
import { controlRecordAt } from '../../../src/format/control-layout.js'
import { payloadOf } from '../../support/frames.js'
import { Reopened, Sample } from '../../support/reopened-log.js'
import type { SimulatedDisk } from '../../support/simulated-disk.js'
import { bootA, bootB, StorageLog, testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

it('cuts at a batch that a power cut took, though later ones survived, and leaves nothing of those', () => {
  const sample = new Sample().add(2).flush().add(3)
  const lose = (disk: SimulatedDisk) => disk.bytes(sample.path()).fill(0, sample.starts[2], sample.starts[3])
  for (const boot of [bootA, bootB]) {
    const { disk, log } = sample.reopen(lose, boot).expectExactly(sample.model, 2)
    // A record of the same size takes the lost one's place: the survivor behind it must not come back.
    log.append([{ topic: 0, value: payloadOf(0, 2, 200) }])
    new Reopened(disk, new StorageLog(simulatedWorld(disk), { bootId: boot })).expectExactly(sample.model, 3)
  }
})

it('would bring lost batches back without zeroing (the mutant that this test has to catch)', () => {
  const sample = new Sample().add(2).flush().add(3)
  const { disk, log } = sample.reopen((torn) => {
    torn.bytes(sample.path()).fill(0, sample.starts[2], sample.starts[3])
    torn.lies = { zeroing: true }
  }, bootB)
  expect(log.published).toBe(sample.starts[2])
  log.append([{ topic: 0, value: payloadOf(0, 2, 200) }])
  const again = new StorageLog(simulatedWorld(disk), { bootId: bootB })
  expect(again.recovered.topics[0].next).toBe(5)
})

it('cuts at the sector that a file system shut down in the same boot has lost, wherever sectors begin', () => {
  const sample = new Sample().add(1).flush().add(12, 700)
  for (let record = 1; record < 12; record++) {
    const sector = Math.ceil(sample.starts[record] / 512) * 512
    const lose = (disk: SimulatedDisk) => disk.bytes(sample.path()).fill(0, sector, sector + 512)
    const lost = sample.starts.findLastIndex((start) => start < sector)
    sample.reopen(lose).expectExactly(sample.model, lost)
  }
})

it('takes the same bytes for a power cut in another boot, and cuts there', () => {
  const sample = new Sample().add(3).flush().add(6)
  const { log } = sample.reopen((disk) => {
    disk.bytes(sample.path())[sample.starts[5] + 70] ^= 4
  }, bootB)
  expect(log.recovered.damages).toEqual([])
  expect(log.recovered.topics[0].next).toBe(5)
})

it('does not go on in a segment that holds leftovers of a power cut', () => {
  const sample = new Sample().add(3).flush()
  sample.log.roll()
  sample.add(6, 300)
  // The end of the first segment is lost, and the first pages of the second; its later batches survived.
  const { disk, log } = sample.reopen((lost) => {
    lost.bytes(sample.path(0)).fill(0, sample.starts[2])
    lost.bytes(sample.path(1)).fill(0, 64, sample.starts[5] - testSegmentBytes)
    // Durable were two records.
    const control = lost.bytes(sample.log.controlPath())
    for (const at of controlRecordAt) control.fill(0, at, at + 128)
  }, bootB)
  expect(log.recovered.topics[0].next).toBe(2)
  for (let offset = 2; offset < 5; offset++) log.append([{ topic: 0, value: payloadOf(0, offset, 200) }])
  log.roll()
  // The same sizes at the same places as before the cut: leftovers would fit exactly behind them.
  log.append([{ topic: 0, value: payloadOf(0, 5, 300) }])
  log.append([{ topic: 0, value: payloadOf(0, 6, 300) }])
  const again = new StorageLog(simulatedWorld(disk), { bootId: bootB })
  expect(again.recovered.topics[0].next).toBe(7)
  expect(again.recovered.damages).toEqual([])
})
