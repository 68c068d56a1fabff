/** What a crash has torn off the end of a log is cut, and leaves nothing. */
import { expect, it } from 'vitest'
import { payloadOf } from '../../support/frames.js'
import { Reopened, Sample } from '../../support/reopened-log.js'
import type { SimulatedDisk } from '../../support/simulated-disk.js'
import { StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

function lastNonZero(bytes: Uint8Array): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return end
}

it('cuts a last batch that was cut off at any byte, zeroes what it left, and counts it', () => {
  const sample = new Sample().add(3).flush().add(1, 64)
  const [start, end] = [sample.starts[3], sample.log.published]
  for (let keep = start; keep < end; keep += keep < start + 56 ? 1 : 7) {
    const { disk, log } = sample
      .reopen((torn) => torn.bytes(sample.path()).fill(0, keep))
      .expectExactly(sample.model, 3)
    expect(log.published).toBe(start)
    expect(
      disk
        .bytes(sample.path())
        .subarray(start)
        .every((byte) => byte === 0),
    ).toBe(true)
    const left = sample.disk.bytes(sample.path()).subarray(start, keep)
    expect(log.recovered.tornBytes).toBe(lastNonZero(left))
    expect(log.recovered.damages).toEqual([])
  }
})

it('cuts a last batch with any flipped bit', () => {
  const sample = new Sample().add(2).flush().add(1, 16)
  const [start, end] = [sample.starts[2], sample.log.published]
  for (let bit = start * 8; bit < end * 8; bit += 5) {
    const flip = (disk: SimulatedDisk) => {
      disk.bytes(sample.path())[bit >>> 3] ^= 1 << (bit & 7)
    }
    const { disk } = sample.reopen(flip).expectExactly(sample.model, 2)
    expect(
      disk
        .bytes(sample.path())
        .subarray(start)
        .every((byte) => byte === 0),
    ).toBe(true)
  }
})

it('has the zeros on the device before anything is appended', () => {
  const sample = new Sample().add(2).flush().add(1)
  const { disk } = sample.reopen((torn) => {
    torn.bytes(sample.path())[sample.starts[2] + 60] ^= 1
  })
  const cut = disk.calls.findIndex(({ call, file }) => call === 'write' && file === sample.path())
  const flushed = disk.calls.findIndex(
    ({ call, file }, index) => index > cut && call === 'sync' && file === sample.path(),
  )
  expect(cut).toBeGreaterThanOrEqual(0)
  expect(flushed).toBeGreaterThan(cut)
})

it('goes on appending in place of what was cut, and finds that again', () => {
  const sample = new Sample().add(5).flush().add(1)
  const { disk, log } = sample.reopen((torn) => torn.bytes(sample.path()).fill(0xee, sample.starts[5] + 20))
  const value = payloadOf(0, 5, 99, 1)
  log.append([{ topic: 0, value }])
  sample.model.topics[0].values[5] = value
  new Reopened(disk, new StorageLog(simulatedWorld(disk))).expectExactly(sample.model, 6)
})
