import { expect, it } from 'vitest'
import { AbortWord } from '../../../src/ring/abort-word.js'
import { Engine } from '../../support/engine.js'
import { payloadOf } from '../../support/frames.js'
import { expectReadable, Model } from '../../support/model.js'
import { bootA, StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

it('deletes nothing while a backup runs, and all of it afterwards', async () => {
  const world = simulatedWorld()
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const engine = new Engine(world, { ringBytes: 1 << 20, beforeCopy: () => held })
  const model = new Model()
  model.declare('a')
  engine.offer([{ declare: 'a', topic: 0 }])
  while (engine.tail.segment < 3) {
    const value = payloadOf(0, model.order.length, 60_000)
    model.add(0, value)
    engine.append(0, value)
    await engine.settle(2)
  }
  await engine.flush()

  const backup = engine.reaper.backUp('/copy', new AbortWord())
  engine.offer([{ declare: 'a', topic: 0, first: model.order.length }])
  await engine.flush()
  await engine.settle(50)
  expect(engine.files.list()).toEqual([0, 1, 2, 3, 4, 5])
  expect(engine.state.deletedCount.load()).toBe(0)

  release()
  await backup
  await engine.settle(50)
  expect(engine.state.deletedCount.load()).toBe(3)
  const copy = new StorageLog({ ...simulatedWorld(world.disk.copy()), directory: '/copy' }, { bootId: bootA })
  expect(copy.recovered.damages).toEqual([])
  expectReadable(copy.reader, copy.recovered, model)
})
