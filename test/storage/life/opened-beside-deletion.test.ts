/** A log that is opened for reading while its owner lets segments go. */
import { expect, it } from 'vitest'
import { openLog } from '../../../src/storage/life/open-log.js'
import { threeSegments } from '../../support/reopened-log.js'
import type { SimulatedDisk } from '../../support/simulated-disk.js'
import { testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

/** As the owner does it: the trim position first, then the files, the oldest first. */
type Deletion = (disk: SimulatedDisk) => void

/** Calls `before` in front of each call of a method. */
function watched<T extends object>(watched: T, before: () => void): T {
  return new Proxy(watched, {
    get(target, name) {
      const member = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        before()
        return member.apply(target, args)
      }
    },
  })
}

/** @returns what was found, and how many calls it took */
function openedBeside(disk: SimulatedDisk, at: number, deletion: Deletion) {
  const { plainMemory } = simulatedWorld(disk, false)
  let calls = 0
  const before = () => {
    if (calls++ === at) deletion(disk)
  }
  const log = openLog({
    disk: watched(disk, before),
    memory: watched(plainMemory, before),
    directory: '/log',
    segmentBytes: undefined,
    readOnly: true,
    now: () => 1,
  })
  log.control.close()
  return { calls, ...log.recovered }
}

it('is the log as it was before or as it is behind the deletion, at whatever call of the opening it comes', async () => {
  const sample = await threeSegments()
  const whole = sample.disk.copy()
  sample.log.append([{ declare: 'orders', topic: 0, first: 8 }])
  sample.log.deleteBelow(2)
  const control = sample.disk.bytes('/log/control')
  const gone = whole.list('/log/log').filter((name) => !sample.disk.has(`/log/log/${name}`))
  expect(gone.length).toBeGreaterThan(1)
  const deletion: Deletion = (disk) => {
    // What says from where the topic goes on was appended, and is durable.
    disk.put(sample.path(2), sample.disk.bytes(sample.path(2)))
    disk.put('/log/control', control)
    for (const name of gone) disk.drop(`/log/log/${name}`)
  }
  const trims = new Set<number>()
  let at = 0
  for (let calls = 1; at < calls; at++) {
    const found = openedBeside(whole.copy(), at, deletion)
    calls = found.calls
    expect(found.damages, `deleted at call ${at}`).toEqual([])
    expect(found.topics).toMatchObject([{ name: 'orders', next: 12 }])
    trims.add(found.trim)
  }
  expect(at).toBeGreaterThan(10)
  expect([...trims].sort((a, b) => a - b)).toEqual([0, 2 * testSegmentBytes])
})

it('a segment that is lost is still told, where nobody has let it go', async () => {
  const sample = await threeSegments()
  sample.flush().disk.drop(sample.path(1))
  const { damages } = openedBeside(sample.disk, Number.POSITIVE_INFINITY, () => {})
  expect(damages).toMatchObject([{ from: testSegmentBytes }])
})
