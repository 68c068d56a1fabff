import { expect, it } from 'vitest'
import { GroupWorld, outcomeOf, topicState } from '../../support/groups.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'

it('any number of commits in a turn are one write, of the newest state, with one promise', async () => {
  const { world, group } = await opened()
  const before = world.writes
  const state = { committed: 1, ranges: [] }
  const first = world.commits.commit(group, state)
  const second = world.commits.commit(group, { committed: 2, ranges: [] })
  expect(second).toBe(first)
  await world.settle()
  await first
  expect(world.writes - before).toBe(1)
  expect(group.state.committed).toBe(2)
})

it('a commit that comes while one is under way is written after it', async () => {
  const { world, group } = await opened()
  const first = outcomeOf(world.commits.commit(group, { committed: 1, ranges: [] }))
  world.commits.handOver()
  const second = outcomeOf(world.commits.commit(group, { committed: 2, ranges: [] }))
  world.writer.doWork()
  world.commits.settle()
  await Promise.resolve()
  expect([first.state, second.state]).toEqual(['done', 'pending'])
  await world.settle()
  expect(second.state).toBe('done')
})

it('at level disk a commit is awaited until it is flushed', async () => {
  const { world, group } = await opened('disk')
  const outcome = outcomeOf(world.commits.commit(group, { committed: 1, ranges: [] }))
  world.commits.handOver()
  world.writer.doWork()
  world.commits.settle()
  await Promise.resolve()
  expect(outcome.state).toBe('pending')
  expect(world.commits.isAwaited).toBe(true)
  await world.settle()
  expect(outcome.state).toBe('done')
  expect(world.commits.isFlushed).toBe(true)
})

it('concurrent openings of one group share its creation', async () => {
  const world = worldOf()
  const both = Promise.all([world.commits.open('t', 'g', () => 0), world.commits.open('t', 'g', () => 5)])
  await world.settle()
  const [one, other] = await both
  expect(other).toBe(one)
  expect(world.commits.count).toBe(1)
})

it('a removed group is known no more, and commits nothing', async () => {
  const { world, group } = await opened()
  const removing = world.commits.remove(group)
  await world.settle()
  await removing
  const before = world.writes
  await world.commits.commit(group, { committed: 1, ranges: [] })
  await world.settle()
  expect(world.commits.known('t', 'g')).toBeUndefined()
  expect(world.writes).toBe(before)
})

it('a state that no file could hold is refused before it is written', async () => {
  const { world, group } = await opened()
  const before = world.writes
  const outcome = outcomeOf(world.commits.commit(group, { committed: -1, ranges: [] }))
  await world.settle()
  expect(outcome.state).toBe('failed')
  expect(world.writes).toBe(before)
})

it('once committing has failed, everything pending and everything to come is told so', async () => {
  const { world, group } = await opened('disk')
  const failure = new Error('gone')
  const pending = outcomeOf(world.commits.commit(group, { committed: 1, ranges: [] }))
  world.commits.refuse(failure)
  await Promise.resolve()
  expect(pending).toEqual({ state: 'failed', error: failure })
  await expect(world.commits.commit(group, { committed: 2, ranges: [] })).rejects.toBe(failure)
  await expect(world.commits.flush('process')).rejects.toBe(failure)
  expect(world.commits.isAwaited).toBe(false)
})

it('of a log opened read-only nothing is committed', async () => {
  const world = worldOf('process', true)
  await expect(world.commits.open('t', 'g', () => 0)).rejects.toMatchObject({ code: 'BOOKEND_READ_ONLY' })
})

function worldOf(durability: 'process' | 'disk' = 'process', readOnly = false): GroupWorld {
  return new GroupWorld(new SimulatedDisk(), { topics: [topicState(0, 't', 10)], durability, readOnly })
}

async function opened(durability: 'process' | 'disk' = 'process') {
  const world = worldOf(durability)
  const opening = world.commits.open('t', 'g', () => 0)
  await world.settle()
  return { world, group: await opening }
}
