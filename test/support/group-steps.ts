/** Consumer groups stopped between any two steps of writing them: what others may believe by then, and what the file holds. */
import type { GroupState } from '../../src/format/group-layout.js'
import { GroupWorld, groupsPath, topicState } from './groups.js'
import { imageStyles } from './power-cuts.js'
import type { Seeded } from './seeded.js'
import { SimulatedDisk } from './simulated-disk.js'

const topics = [topicState(0, 't', 2 ** 30)]
const at = (committed: number): GroupState => ({ committed, ranges: [] })

function stateIn(disk: SimulatedDisk, name: string): GroupState | undefined {
  const world = new GroupWorld(disk, { topics, readOnly: true })
  return world.opened.find((group) => group.name === name)?.state
}

/**
 * Several groups commit in one turn, and the process ends before any of the writes: commits that count as done by then are in the file.
 * @returns how many moments were looked at
 */
export async function endAtEveryCommit(rounds: number): Promise<number> {
  const disk = new SimulatedDisk()
  const world = new GroupWorld(disk, { topics })
  const names = ['a', 'b', 'c', 'd']
  const groups = await Promise.all(
    names.map(async (name) => {
      const opening = world.registry.open('t', name, () => 0)
      await world.settle()
      return opening
    }),
  )
  let moments = 0
  for (let round = 1; round <= rounds; round++) {
    const before = world.state.commitDone.load()
    const all = groups.map((group) => world.commits.commit(group, at(round)))
    disk.fault = ({ call, file }) => {
      if (call !== 'write' || file !== groupsPath) return
      moments += 1
      const left = disk.copy()
      // In the order in which they were handed over.
      for (let done = (world.state.commitDone.load() - before) | 0; done > 0; done--) {
        const found = stateIn(left, names[done - 1])
        if (found?.committed !== round)
          throw new Error(
            `commit ${round} of ${names[done - 1]} counts as written, and the file has ${found?.committed}`,
          )
      }
    }
    await world.settle()
    disk.fault = () => {}
    await Promise.all(all)
  }
  return moments
}

/**
 * A group is made in a new cell, or in one that another has left, and the power goes at any moment: it is not there, or it is
 * where it was to begin.
 * @returns how many images were looked at
 */
export async function cutAtEveryStepOfCreation(random: Seeded, imagesEach: number): Promise<number> {
  let images = 0
  for (const isCellUsed of [false, true]) {
    const disk = new SimulatedDisk()
    const world = new GroupWorld(disk, { topics, durability: 'disk' })
    if (isCellUsed) {
      const old = await settled(
        world,
        world.registry.open('t', 'old', () => 70),
      )
      await settled(world, world.commits.commit(old, at(80)))
      await settled(world, world.registry.remove(old))
      disk.settle()
    }
    const first = disk.events.length
    const made = await settled(
      world,
      world.registry.open('t', 'new', () => 500),
    )
    if (made.state.committed !== 500) throw new Error('the group begins where it was told to')
    for (let event = first; event <= disk.events.length; event++) {
      for (const style of imageStyles) {
        for (let image = 0; image < imagesEach; image++) {
          images += 1
          const found = stateIn(disk.imageAfter(event, random, style), 'new')
          if (found !== undefined && found.committed !== 500)
            throw new Error(
              `cut at event ${event - first} (${style}), a group that begins at 500 is at ${found.committed}`,
            )
        }
      }
    }
  }
  return images
}

async function settled<T>(world: GroupWorld, work: Promise<T>): Promise<T> {
  await world.settle()
  return work
}
