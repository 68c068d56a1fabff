/** Which directories are opened as a log, or made one. */
import { expect, it } from 'vitest'
import { BookendError } from '../../../src/errors.js'
import { openLog } from '../../../src/storage/life/open-log.js'
import { caught } from '../../support/model.js'
import { Sample } from '../../support/reopened-log.js'
import { testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const options = (world: ReturnType<typeof simulatedWorld>) => ({
  disk: world.disk,
  directory: world.directory,
  segmentBytes: undefined as number | undefined,
  readOnly: false,
  now: () => 1,
  memory: world.plainMemory,
})

it('makes a new one in an empty directory, and counts up the epoch with every owner', () => {
  const world = simulatedWorld()
  const epochs = [1, 2, 3].map(() => {
    const log = openLog({ ...options(world), segmentBytes: testSegmentBytes })
    log.control.close()
    return log.epoch
  })
  expect(epochs).toEqual([1, 2, 3])
  expect(openLog(options(world)).files.segmentBytes).toBe(testSegmentBytes)
})

it('refuses a directory with files of somebody else, and a missing one for reading only', () => {
  const world = simulatedWorld()
  expect(caught(() => openLog({ ...options(world), readOnly: true })).code).toBe('BOOKEND_FORMAT')
  world.disk.put('/log/accounts.db', new Uint8Array(5))
  expect(caught(() => openLog(options(world)))).toBeInstanceOf(BookendError)
  expect(world.disk.has('/log/control')).toBe(false)
})

it('refuses segments without a control file instead of starting anew over them', () => {
  const sample = new Sample().add(3)
  sample.disk.drop(sample.log.controlPath())
  expect(caught(() => openLog(options(sample.world))).code).toBe('BOOKEND_FORMAT')
})

it('refuses another segment size than the log was made with', () => {
  const sample = new Sample()
  expect(() => openLog({ ...options(sample.world), segmentBytes: 2 * testSegmentBytes })).toThrow(RangeError)
})

it('takes no epoch and writes nothing for a reader', () => {
  const sample = new Sample().add(3)
  const before = sample.disk.fingerprint()
  const log = openLog({ ...options(sample.world), readOnly: true })
  expect(log.recovered.topics[0].next).toBe(3)
  expect(sample.disk.fingerprint()).toBe(before)
})
