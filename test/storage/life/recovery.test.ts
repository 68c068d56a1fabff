import { describe, expect, it } from 'vitest'
import { controlRecordAt } from '../../../src/format/control-layout.js'
import { caught } from '../../support/model.js'
import { Reopened, Sample } from '../../support/reopened-log.js'
import { bootB, StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

describe('recovery', () => {
  it('finds everything after a clean stop, and cuts nothing', () => {
    const sample = new Sample().add(20)
    sample.log.close(true)
    const { log } = sample.reopen(() => {}, bootB).expectExactly(sample.model, 20)
    expect(log.recovered).toMatchObject({
      tornBytes: 0,
      published: sample.log.published,
      durable: sample.log.published,
    })
  })

  it('finds everything after the death of the process, flushed or not', () => {
    const sample = new Sample().add(10).flush().add(10)
    sample.reopen().expectExactly(sample.model, 20)
  })

  it('opens from the segments alone when both records of the control file are damaged', () => {
    const sample = new Sample().add(3)
    sample.log.roll()
    sample.add(3).flush()
    sample
      .reopen((disk) => {
        for (const at of controlRecordAt) disk.bytes(sample.log.controlPath())[at + 9] ^= 1
      })
      .expectExactly(sample.model, 6)
  })

  it('refuses a control file of another version or of something else, and changes nothing', () => {
    const sample = new Sample().add(3)
    for (const at of [0, 8, 12]) {
      const disk = sample.disk.copy()
      disk.bytes(sample.log.controlPath())[at] ^= 1
      const before = disk.fingerprint()
      expect(caught(() => new StorageLog(simulatedWorld(disk))).code).toBe('BOOKEND_FORMAT')
      expect(disk.fingerprint()).toBe(before)
    }
  })

  it('does not repair for somebody who may only look, and shows the same log', () => {
    const sample = new Sample().add(5).flush().add(2)
    const disk = sample.disk.copy()
    disk.bytes(sample.path())[sample.starts[6] + 60] ^= 1
    disk.put(`${sample.path(3)}.new`, new Uint8Array(10))
    disk.put(sample.path(4), new Uint8Array(100))
    const before = disk.fingerprint()
    const log = new StorageLog(simulatedWorld(disk), { mayRepair: false })
    expect(disk.fingerprint()).toBe(before)
    new Reopened(disk, log).expectExactly(sample.model, 6)
  })
})
