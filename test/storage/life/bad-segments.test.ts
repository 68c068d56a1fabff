/** Whole segments are missing, cut or without a header. */
import { expect, it } from 'vitest'
import { payloadOf } from '../../support/frames.js'
import { caught, expectReadable, readAll } from '../../support/model.js'
import { Sample, threeSegments } from '../../support/reopened-log.js'
import type { SimulatedDisk } from '../../support/simulated-disk.js'
import { testSegmentBytes } from '../../support/storage-log.js'

it.each([
  ['truncated', (disk: SimulatedDisk, file: string) => disk.truncate(file, testSegmentBytes - 1)],
  ['cut to nothing', (disk: SimulatedDisk, file: string) => disk.truncate(file, 0)],
  ['missing', (disk: SimulatedDisk, file: string) => disk.drop(file)],
  [
    'of another place',
    (disk: SimulatedDisk, file: string) => disk.put(file, disk.bytes(file.replace('01048576', '00000000'))),
  ],
])('reports a segment in the middle that is %s, and delivers what is before and behind it', async (_, damage) => {
  const sample = await threeSegments()
  const { disk, log } = sample.reopen((hit) => damage(hit, sample.path(1)))
  expect(log.recovered.damages).toEqual([{ from: testSegmentBytes, to: 2 * testSegmentBytes }])
  expect(log.recovered.topics[0]).toMatchObject({ name: 'orders', next: 12 })
  expect(log.tail.segment).toBe(2)
  expect(readAll(log.reader, 0, 0, 4, 'dense')).toHaveLength(4)
  expect(readAll(log.reader, 0, 8, 12, 'dense')).toHaveLength(4)
  for (const way of ['dense', 'sparse'] as const) {
    const error = caught(() => readAll(log.reader, 0, 4, 12, way))
    expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 4 })
  }
  // What may be left of it is not thrown away.
  expect(disk.has(sample.path(1))).toBe(sample.disk.has(sample.path(1)) && _ !== 'missing')
})

it('believes the footer of a segment without a valid header, and delivers all of it', async () => {
  const sample = await threeSegments()
  const { log } = sample.reopen((hit) => hit.bytes(sample.path(1)).fill(9, 0, 20))
  expect(log.recovered.damages).toEqual([{ from: testSegmentBytes, to: testSegmentBytes + 64 }])
  expectReadable(log.reader, log.recovered, sample.model)
})

it('knows the topics and offsets of a segment without a valid header that has no footer, and appends behind it', () => {
  const sample = new Sample().add(3).flush()
  sample.log.roll()
  sample.model.declare('late')
  sample.log.append([{ declare: 'late', topic: 1 }])
  for (let offset = 0; offset < 5; offset++) sample.model.add(1, payloadOf(1, offset, 100))
  sample.log.append(sample.model.topics[1].values.map((value) => ({ topic: 1, value })))
  sample.flush()
  const { log } = sample.reopen((hit) => hit.bytes(sample.path(1)).fill(9, 0, 20))
  expect(log.recovered.damages).toEqual([{ from: testSegmentBytes, to: 2 * testSegmentBytes }])
  expect(log.recovered.topics.map(({ name, next }) => [name, next])).toEqual([
    ['orders', 3],
    ['late', 5],
  ])
  expect(log.tail.segment).toBe(2)
  expectReadable(log.reader, log.recovered, sample.model)
})
