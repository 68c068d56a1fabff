/** A deletion that was not finished, or that somebody else has done. */
import { expect, it } from 'vitest'
import { readAll } from '../../support/model.js'
import { threeSegments } from '../../support/reopened-log.js'
import { testSegmentBytes } from '../../support/storage-log.js'

it('finishes a deletion that a crash has interrupted behind the trim position', async () => {
  const sample = await threeSegments()
  const whole = sample.disk.copy()
  sample.model.topics[0].first = 8
  sample.log.append([{ declare: 'orders', topic: 0, first: 8 }])
  sample.log.deleteBelow(2)
  const { disk, log } = sample.reopen((crashed) => crashed.put(sample.path(1), whole.bytes(sample.path(1))))
  expect(disk.has(sample.path(1))).toBe(false)
  expect(log.recovered).toMatchObject({ trim: 2 * testSegmentBytes, damages: [] })
  expect(log.recovered.topics[0]).toMatchObject({ name: 'orders', first: 8, next: 12 })
  expect(readAll(log.reader, 0, 8, 12, 'dense')).toHaveLength(4)
})

it('deletes a segment that somebody has deleted already', async () => {
  const sample = await threeSegments()
  sample.log.append([{ declare: 'orders', topic: 0, first: 8 }])
  sample.disk.drop(sample.path(0))
  sample.log.deleteBelow(2)
  expect(sample.disk.has(sample.path(1))).toBe(false)
})
