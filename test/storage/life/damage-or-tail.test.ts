/** Damage is no torn tail: the log goes on behind it. */
import { expect, it } from 'vitest'
import { payloadOf } from '../../support/frames.js'
import { caught, readAll } from '../../support/model.js'
import { Sample } from '../../support/reopened-log.js'
import { bootA, bootB, StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

it('reports damage before the durable position, and delivers everything around it', () => {
  const sample = new Sample().add(10).flush()
  for (const bootId of [bootA, bootB]) {
    const { log } = sample.reopen((disk) => {
      disk.bytes(sample.path())[sample.starts[4] + 70] ^= 4
    }, bootId)
    expect(log.recovered.damages).toEqual([{ from: sample.starts[4], to: sample.starts[5] }])
    expect(log.recovered.topics[0].next).toBe(10)
    expect(log.recovered.tornBytes).toBe(0)
    expect(readAll(log.reader, 0, 0, 4, 'dense')).toHaveLength(4)
    expect(readAll(log.reader, 0, 5, 10, 'dense')).toHaveLength(5)
    for (const read of [() => readAll(log.reader, 0, 0, 10, 'dense'), () => log.reader.readOne(0, 4)]) {
      expect(caught(read)).toMatchObject({
        code: 'BOOKEND_CORRUPT',
        offset: 4,
        next: 5,
        position: sample.starts[4],
        file: sample.path(),
      })
    }
  }
})

it('reports damage at the very end of what was durable, instead of taking it for a torn tail', () => {
  const sample = new Sample().add(5).flush()
  const { log } = sample.reopen((disk) => {
    disk.bytes(sample.path())[sample.starts[4] + 70] ^= 4
  })
  expect(log.recovered.damages).toEqual([{ from: sample.starts[4], to: sample.log.published }])
  expect(log.published).toBe(sample.log.published)
  expect(log.recovered.tornBytes).toBe(0)
  // What is appended now stands behind the damage and is found again.
  log.append([{ topic: 0, value: payloadOf(0, 9, 50) }])
  expect(log.published).toBeGreaterThan(sample.log.published)
})

it('reports damage past the durable position as damage if the page cache has survived', () => {
  const sample = new Sample().add(3).flush().add(6)
  const { log } = sample.reopen((disk) => {
    disk.bytes(sample.path())[sample.starts[5] + 70] ^= 4
  })
  expect(log.recovered.damages).toEqual([{ from: sample.starts[5], to: sample.starts[6] }])
  expect(log.recovered.topics[0].next).toBe(9)
  expect(readAll(log.reader, 0, 6, 9, 'dense')).toHaveLength(3)
})

it('lists several damaged places apart and in order', () => {
  const sample = new Sample().add(12).flush()
  const { log } = sample.reopen((disk) => {
    for (const record of [2, 3, 7]) disk.bytes(sample.path())[sample.starts[record] + 70] ^= 4
  })
  expect(log.recovered.damages).toEqual([
    { from: sample.starts[2], to: sample.starts[4] },
    { from: sample.starts[7], to: sample.starts[8] },
  ])
  expect(caught(() => log.reader.readOne(0, 3))).toMatchObject({ next: 4, position: sample.starts[2] })
})

it('keeps the name of a topic whose latest declaration was damaged, also when older segments go', () => {
  const sample = new Sample().add(2)
  sample.log.roll()
  sample.add(3).flush()
  const { disk, log } = sample.reopen((damaged) => {
    damaged.bytes(sample.path(1))[70] ^= 1
  })
  expect(log.recovered.topics[0]).toMatchObject({ name: 'orders', next: 5, declaredIn: 0 })
  log.deleteBelow(1)
  const again = new StorageLog(simulatedWorld(disk))
  expect(again.recovered.topics[0]).toMatchObject({ name: 'orders', next: 5 })
})
