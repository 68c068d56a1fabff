/** The lock is lost while a log closes: another owner may have it from then on, and must find what it has written. */
import { expect, it } from 'vitest'
import type { Owner } from '../../../src/storage/files/ownership.js'
import { Engine } from '../../support/engine.js'
import { payloadOf } from '../../support/frames.js'
import { simulatedWorld } from '../../support/worlds.js'

/** A log with records that are not flushed. Its lock is kept until `lose` is called. */
async function unflushed() {
  const world = simulatedWorld()
  let isKept = true
  const owner: Owner = { isKept: () => isKept, isKeptOfLate: () => isKept }
  const engine = new Engine(world, { owner })
  await engine.settle(4)
  engine.offer([{ declare: 'a', topic: 0 }])
  for (let number = 0; number < 3; number++) {
    engine.append(0, payloadOf(0, number, 1_000))
    engine.writer.doWork()
  }
  const { calls } = world.disk
  const lose = () => {
    isKept = false
  }
  return { engine, world, calls, begun: calls.length, lose }
}

it('writes nothing any more, at whichever step of closing it is lost', async () => {
  const { engine, calls, begun } = await unflushed()
  await engine.reaper.stop(true)
  const closing = calls.slice(begun).map(({ call, file }) => `${call} ${file}`)
  expect(closing).toContain('write /log/control')
  expect(closing.filter((what) => what.startsWith('sync')).length).toBeGreaterThan(1)
  for (const [step, what] of closing.entries()) {
    const { engine, world, calls, begun, lose } = await unflushed()
    let taken = 0
    world.disk.fault = () => {
      if (taken++ === step) lose()
    }
    await engine.reaper.stop(true)
    const written = calls.slice(begun + step + 1).filter(({ call }) => call === 'write')
    expect(written, `lost at ${what}`).toEqual([])
  }
})

it('leaves no file open, and says why it ended', async () => {
  const kept = await unflushed()
  await kept.engine.reaper.stop(true)
  const lost = await unflushed()
  lost.world.disk.fault = ({ call }) => {
    if (call === 'sync') lost.lose()
  }
  await lost.engine.reaper.stop(true)
  expect(lost.world.disk.openFiles).toBe(kept.world.disk.openFiles)
  expect(lost.engine.events.filter(({ type }) => type === 'error')).toMatchObject([{ what: 'keeping the lock' }])
})
