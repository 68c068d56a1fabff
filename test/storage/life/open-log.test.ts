import { expect, it } from 'vitest'
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
