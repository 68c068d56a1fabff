import { expect, it } from 'vitest'
import { payloadOf } from '../../support/frames.js'
import { checkedLog } from '../../support/repair.js'
import { StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

it('lost messages of a topic whose declaration is lost too are called by the name that another segment gives', () => {
  const world = simulatedWorld()
  const log = new StorageLog(world, { segmentBytes: 16 * 1024 })
  log.append([{ declare: 'orders', topic: 0 }])
  const add = (offset: number) => log.append([{ topic: 0, value: payloadOf(0, offset, 100) }])
  for (let offset = 0; offset < 3; offset++) add(offset)
  log.roll()
  for (let offset = 3; offset < 9; offset++) add(offset)
  log.flush()
  const places = [3, 6].map((offset) => log.catalog.locate(0, offset)?.frame ?? 0)
  const second = world.disk.bytes(log.path(1))
  log.close(true)
  // The first one takes the declaration with it.
  for (const frame of places) second[frame + 20] ^= 1
  const { damages } = checkedLog(world).report
  expect(damages.flatMap(({ lost }) => lost)).toEqual([
    { topic: 'orders', from: 3, to: 4 },
    { topic: 'orders', from: 6, to: 7 },
  ])
})

it('a name that damage has garbled is not what lost messages are called by where another segment has it whole', () => {
  const world = simulatedWorld()
  const log = new StorageLog(world, { segmentBytes: 16 * 1024 })
  const message = (offset: number) => ({ topic: 0, value: payloadOf(0, offset, 100) })
  log.append([{ declare: 'orders', topic: 0 }, message(0), message(1)])
  log.append([message(2)])
  log.roll()
  log.append([message(3)])
  log.flush()
  log.close(true)
  const first = world.disk.bytes(log.path(0))
  first[Buffer.from(first.buffer, first.byteOffset, first.length).indexOf('orders') + 1] ^= 8
  const { damages } = checkedLog(world).report
  expect(damages.flatMap(({ lost }) => lost)).toEqual([{ topic: 'orders', from: 0, to: 2 }])
})
