import { expect, it } from 'vitest'
import { noEpoch } from '../../../src/format/bell-layout.js'
import { BellFile } from '../../../src/storage/files/bell-file.js'
import { openLog } from '../../../src/storage/life/open-log.js'
import { readAround, smallLog } from '../../faults/small-log.js'
import { reopenAndCut } from '../../support/reopening.js'
import { repairedLog } from '../../support/repaired-log.js'
import { Seeded } from '../../support/seeded.js'
import { simulatedWorld } from '../../support/worlds.js'

it('a log that was opened again is not taken for one that was closed, whatever a power cut leaves, and no epoch comes twice', () => {
  for (let seed = 1; seed <= 10; seed++) expect(reopenAndCut(new Seeded(seed))).toBeGreaterThan(0)
})

it.each([true, false])(
  'segments without their control file are left as they are, and a repair brings all back (closed: %s)',
  async (isClean) => {
    const { disk, values } = await smallLog(isClean)
    disk.drop('/log/control')
    const names = ['/log', '/log/log'].map((directory) => disk.list(directory))
    expect(readAround(disk, values).refused).toBe('BOOKEND_FORMAT')
    expect(['/log', '/log/log'].map((directory) => disk.list(directory))).toEqual(names)
    repairedLog(simulatedWorld(disk, false))
    const { refused, errors, delivered } = readAround(disk, values)
    expect([refused, errors]).toEqual([undefined, 0])
    expect(delivered.map(({ size }) => size)).toEqual(values.map(({ length }) => length))
  },
)

it('what was rung before means nothing to whoever hears it once another owner has opened the log, and only then', async () => {
  const { disk } = await smallLog(true)
  const { plainMemory: memory } = simulatedWorld(disk, false)
  const open = (readOnly: boolean) =>
    openLog({ disk, directory: '/log', segmentBytes: undefined, memory, readOnly, now: () => 1 })
  const { files, epoch, control } = open(true)
  control.close()
  // Of an owner whose epoch a power cut has taken from everything but its bell.
  const bell = BellFile.forRinging(disk, '/log', files.id)
  const rung = { sequence: 7, epoch, published: 1_000_000, trim: 0 }
  bell.ring(rung)
  open(true).control.close()
  expect(bell.read()).toEqual(rung)
  const owner = open(false)
  expect(owner.epoch).toBe(epoch)
  expect(bell.read()).toEqual({ sequence: 8, epoch: noEpoch, published: 0, trim: 0 })
  owner.control.close()
})
