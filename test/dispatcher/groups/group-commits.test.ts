import { expect, it } from 'vitest'
import { openedGroup, outcomeOf } from '../../support/groups.js'

it('any number of commits in a turn are one write, of the newest state, with one promise', async () => {
  const { world, group } = await openedGroup()
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
  const { world, group } = await openedGroup()
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
  const { world, group } = await openedGroup('disk')
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

it('a state that no file could hold is refused before it is written', async () => {
  const { world, group } = await openedGroup()
  const before = world.writes
  const outcome = outcomeOf(world.commits.commit(group, { committed: -1, ranges: [] }))
  await world.settle()
  expect(outcome.state).toBe('failed')
  expect(world.writes).toBe(before)
})

it('once committing has failed, everything pending and everything to come is told so', async () => {
  const { world, group } = await openedGroup('disk')
  const failure = new Error('gone')
  const pending = outcomeOf(world.commits.commit(group, { committed: 1, ranges: [] }))
  world.commits.refuse(failure)
  await Promise.resolve()
  expect(pending).toEqual({ state: 'failed', error: failure })
  await expect(world.commits.commit(group, { committed: 2, ranges: [] })).rejects.toBe(failure)
  await expect(world.commits.flush('process')).rejects.toBe(failure)
  expect(world.commits.isAwaited).toBe(false)
})
