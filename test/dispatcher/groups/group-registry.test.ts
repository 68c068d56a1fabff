import { expect, it } from 'vitest'
import { groupWorld, openedGroup } from '../../support/groups.js'

it('concurrent openings of one group share its creation', async () => {
  const world = groupWorld()
  const both = Promise.all([world.registry.open('t', 'g', () => 0), world.registry.open('t', 'g', () => 5)])
  await world.settle()
  const [one, other] = await both
  expect(other).toBe(one)
  expect(world.registry.count).toBe(1)
})

it('a removed group is known no more, and commits nothing', async () => {
  const { world, group } = await openedGroup()
  const removing = world.registry.remove(group)
  await world.settle()
  await removing
  const before = world.writes
  await world.commits.commit(group, { committed: 1, ranges: [] })
  await world.settle()
  expect(world.registry.known('t', 'g')).toBeUndefined()
  expect(world.writes).toBe(before)
})

it('of a log opened read-only no group is made', async () => {
  const world = groupWorld('process', true)
  await expect(world.registry.open('t', 'g', () => 0)).rejects.toMatchObject({ code: 'BOOKEND_READ_ONLY' })
})
