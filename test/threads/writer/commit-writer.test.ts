import os from 'node:os'
import { describe, expect, it } from 'vitest'
import { type GroupState, groupRecordAt } from '../../../src/format/group-layout.js'
import { maxGroupRanges } from '../../../src/limits.js'
import { failedCall } from '../../../src/memory/errno.js'
import { writerState } from '../../../src/ring/shared-state.js'
import { Engine } from '../../support/engine.js'
import { GroupWorld, groupsPath, outcomeOf, topicState } from '../../support/groups.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { simulatedWorld } from '../../support/worlds.js'

const { errno } = os.constants
const topics = [topicState(0, 'a', 1_000), topicState(1, 'b', 1_000)]
const at = (committed: number): GroupState => ({ committed, ranges: [] })

async function start(options: ConstructorParameters<typeof GroupWorld>[1] = {}) {
  const world = new GroupWorld(new SimulatedDisk(), { topics, ...options })
  const group = await world.registry.open('a', 'g', () => 0)
  world.disk.calls.length = 0
  return { world, group, commits: world.commits, registry: world.registry }
}

/** What the next owner of the disk finds. */
function found(world: GroupWorld, name = 'g'): GroupState | undefined {
  const next = new GroupWorld(world.disk.copy(), { topics, readOnly: true })
  return next.opened.find((group) => group.name === name)?.state
}

describe('commits', () => {
  it('of a turn cost one write, of the newest state, and all of them are answered', async () => {
    const { world, group, commits } = await start()
    const all = Array.from({ length: 50 }, (_, index) => outcomeOf(commits.commit(group, at(index + 1))))
    expect(group.state).toEqual(at(50))
    expect(world.writes).toBe(0)
    await world.settle()
    expect(world.writes).toBe(1)
    expect(all.map(({ state }) => state)).toEqual(Array(50).fill('done'))
    expect(found(world)).toEqual(at(50))
    expect(commits.writtenCount).toBe(1)
  })

  it('that come while one of the group is under way wait for it, and go together', async () => {
    const { world, group, commits } = await start()
    const first = outcomeOf(commits.commit(group, at(1)))
    await Promise.resolve()
    const later = [2, 3].map((committed) => outcomeOf(commits.commit(group, at(committed))))
    await new Promise(setImmediate)
    world.writer.doWork()
    commits.settle()
    await Promise.resolve()
    expect([first.state, ...later.map(({ state }) => state)]).toEqual(['done', 'pending', 'pending'])
    expect(found(world)).toEqual(at(1))
    await world.settle()
    expect(later.map(({ state }) => state)).toEqual(['done', 'done'])
    expect(found(world)).toEqual(at(3))
    expect(world.writes).toBe(2)
  })

  it('of many groups go together, each to its own', async () => {
    const { world, commits, registry } = await start()
    const groups = await Promise.all(
      Array.from({ length: 40 }, (_, index) => registry.open('b', `g${index}`, () => index)),
    )
    for (let round = 1; round <= 3; round++) {
      for (const [index, group] of groups.entries()) commits.commit(group, at(100 * round + index))
      commits.handOver()
      world.lane.bell.arm()
      const bell = world.lane.bell.token()
      expect(world.writer.doWork()).toBe(40)
      expect(world.lane.bell.token() - bell).toBe(1)
      await world.settle()
    }
    expect(groups.map((_, index) => found(world, `g${index}`))).toEqual(groups.map((_, index) => at(300 + index)))
  })

  it('keep acknowledged ranges, the first of them where there are too many', async () => {
    const { world, group, commits } = await start()
    const ranges = Array.from({ length: maxGroupRanges + 5 }, (_, index) => ({
      first: 10 * index + 15,
      end: 10 * index + 18,
    }))
    commits.commit(group, { committed: 10, ranges })
    await world.settle()
    expect(found(world)).toEqual({ committed: 10, ranges: ranges.slice(0, maxGroupRanges) })
  })

  it('of what is no state are refused before anything is written, and the next one counts', async () => {
    const { world, group, commits } = await start()
    await expect(commits.commit(group, { committed: 5, ranges: [{ first: 5, end: 6 }] })).rejects.toThrow('invariant')
    await world.settle()
    expect(world.writes).toBe(0)
    const next = commits.commit(group, at(1))
    await world.settle()
    await next
    expect(group.state).toEqual(at(1))
    expect(world.writes).toBe(1)
  })

  it('at level disk are answered when they are flushed, many by one flush', async () => {
    const { world, group, commits, registry } = await start({ durability: 'disk' })
    const other = await registry.open('b', 'h', () => 0)
    world.disk.calls.length = 0
    world.disk.holdSyncs()
    const all = [group, other, group].map((each, index) => outcomeOf(commits.commit(each, at(index + 1))))
    await new Promise(setImmediate)
    world.writer.doWork()
    commits.settle()
    world.keeper.tend()
    await new Promise(setImmediate)
    commits.settle()
    await new Promise(setImmediate)
    expect(world.writes).toBe(2)
    expect(all.map(({ state }) => state)).toEqual(['pending', 'pending', 'pending'])
    world.disk.finishSyncs()
    await world.settle(1)
    expect(all.map(({ state }) => state)).toEqual(['done', 'done', 'done'])
    expect(world.syncs).toBe(1)
  })

  it('are not answered by a flush that began before they were written', async () => {
    const { world, group, commits } = await start({ durability: 'disk' })
    world.disk.holdSyncs()
    const first = outcomeOf(commits.commit(group, at(1)))
    await new Promise(setImmediate)
    world.writer.doWork()
    commits.settle()
    world.keeper.tend()
    // The flush runs; a second commit is written meanwhile.
    const second = outcomeOf(commits.commit(group, at(2)))
    await new Promise(setImmediate)
    world.writer.doWork()
    commits.settle()
    world.disk.finishSyncs()
    await new Promise(setImmediate)
    commits.settle()
    await new Promise(setImmediate)
    expect([first.state, second.state]).toEqual(['done', 'pending'])
    await world.settle()
    expect(second.state).toBe('done')
    expect(world.syncs).toBe(2)
  })

  it('are flushed in the background, an interval after the first that was not', async () => {
    const { world, group, commits } = await start({ flushIntervalMs: 100 })
    world.state.reaper.arm()
    const bell = world.state.reaper.token()
    commits.commit(group, at(1))
    await world.settle()
    expect(world.state.reaper.token()).toBeGreaterThan(bell)
    expect(world.syncs).toBe(1)
    commits.commit(group, at(2))
    await world.settle()
    expect([world.syncs, world.keeper.isDirty]).toEqual([1, true])
    world.nowMs += 100
    await world.settle()
    expect([world.syncs, world.keeper.isDirty]).toEqual([2, false])
    world.nowMs += 1_000
    await world.settle()
    expect(world.syncs).toBe(2)
  })

  it('asked for before a flush are covered by it, at its level', async () => {
    const { world, group, commits } = await start()
    world.disk.holdSyncs()
    commits.commit(group, at(4))
    const process = outcomeOf(commits.flush('process'))
    const disk = outcomeOf(commits.flush('disk'))
    await new Promise(setImmediate)
    expect(process.state).toBe('pending')
    world.writer.doWork()
    commits.settle()
    await new Promise(setImmediate)
    expect([process.state, disk.state]).toEqual(['done', 'pending'])
    await world.settle()
    expect(disk.state).toBe('done')
    expect(world.syncs).toBe(1)
    // Nothing is left to wait for.
    await commits.flush('disk')
    expect(commits.isAwaited).toBe(false)
  })

  it('that go back replace both records', async () => {
    const { world, group, commits } = await start()
    for (const committed of [10, 20, 5]) {
      commits.commit(group, at(committed))
      await world.settle()
    }
    for (const sequence of [0, 1]) {
      const disk = world.disk.copy()
      disk.bytes(groupsPath)[groupRecordAt(group.id, sequence) + 8] ^= 0xff
      expect(new GroupWorld(disk, { topics, readOnly: true }).opened[0].state).toEqual(at(5))
    }
    commits.commit(group, at(6))
    await world.settle()
    expect(found(world)).toEqual(at(6))
  })

  it('are refused while the disk is full, each for itself, and work again by themselves', async () => {
    const { world, group, commits, registry } = await start()
    const other = await registry.open('b', 'h', () => 0)
    let isFull = true
    let writes = 0
    world.disk.fault = ({ call }) => {
      if (call === 'write' && isFull && ++writes === 1) throw failedCall('pwrite', errno.ENOSPC)
    }
    const refused = outcomeOf(commits.commit(group, at(1)))
    const taken = outcomeOf(commits.commit(other, at(1)))
    await world.settle()
    expect(refused).toMatchObject({ state: 'failed', error: { code: 'BOOKEND_NO_SPACE' } })
    expect(taken.state).toBe('done')
    expect(world.state.writerState.load()).toBe(writerState.running)
    isFull = false
    await Promise.all([commits.commit(group, at(2)), world.settle()])
    expect(found(world)).toEqual(at(2))
  })

  it('end for good where the device fails, with the state before still there', async () => {
    const { world, group, commits } = await start()
    await Promise.all([commits.commit(group, at(1)), world.settle()])
    world.disk.fault = ({ call }) => {
      // As Node says it, not as the system calls do.
      if (call === 'write') throw Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO', errno: -5 })
    }
    const refused = outcomeOf(commits.commit(group, at(2)))
    await world.settle()
    expect(refused).toMatchObject({ state: 'failed', error: { code: 'BOOKEND_IO', cause: { errno: 5 } } })
    expect(world.state.writerState.load()).toBe(writerState.failed)
    expect(world.state.writerErrno.load()).toBe(5)
    expect(found(world)).toEqual(at(1))
  })

  it('are written while appending waits for space', async () => {
    const world = simulatedWorld()
    const engine = new Engine(world)
    engine.offer([{ declare: 'a', topic: 0 }])
    const id = await engine.groups.create('a', 'g', 0)
    world.disk.fault = ({ call }) => {
      if (call === 'allocate') throw failedCall('fallocate', errno.ENOSPC)
    }
    for (let round = 0; round < 200 && !engine.writer.isStalled; round++) {
      engine.offer([{ topic: 0, value: new Uint8Array(30_000) }])
      engine.writer.doWork()
    }
    expect(engine.writer.isStalled).toBe(true)
    engine.mailboxes.fill(0, id, at(7))
    engine.state.commitRequest.store(1)
    expect(engine.writer.doWork()).toBe(0)
    expect(engine.writer.isStalled).toBe(true)
    expect(engine.state.commitDone.load()).toBe(1)
    expect(engine.mailboxes.written(id)).toBe(7)
  })

  it('go on where their numbers pass 32 bits', async () => {
    const { world, group, commits, registry } = await start({ number: 2 ** 32 - 16, durability: 'disk' })
    const other = await registry.open('b', 'h', () => 0)
    for (let round = 1; round <= 40; round++) {
      const both = [commits.commit(group, at(round)), commits.commit(other, at(2 * round))]
      await Promise.all([...both, world.settle(2)])
    }
    expect(world.state.commitRequest.load()).toBeGreaterThan(2 ** 32)
    expect([found(world), found(world, 'h')]).toEqual([at(40), at(80)])
  })
})

describe('groups', () => {
  it('are created durably, once for all who ask, with the offset they start at', async () => {
    const world = new GroupWorld(new SimulatedDisk(), { topics })
    let starts = 0
    const opened = await Promise.all(
      Array.from({ length: 5 }, () =>
        world.registry.open('a', 'g', () => {
          starts += 1
          return 42
        }),
      ),
    )
    expect(starts).toBe(1)
    expect(new Set(opened).size).toBe(1)
    expect(world.registry.known('a', 'g')).toBe(opened[0])
    expect(world.registry.known('b', 'g')).toBeUndefined()
    expect(world.registry.list('a')).toEqual([opened[0]])
    expect(found(world)).toEqual(at(42))
    expect(await world.registry.open('a', 'g', () => 7)).toBe(opened[0])
  })

  it('that are removed stay away, and their cells are used again', async () => {
    const { world, group, commits, registry } = await start()
    commits.commit(group, at(50))
    const removing = registry.remove(group)
    expect(registry.known('a', 'g')).toBeUndefined()
    // Whoever opens it now gets a new one.
    const again = registry.open('a', 'g', () => 3)
    await world.settle()
    await removing
    const next = await again
    expect([next.id, next.state]).toEqual([group.id, at(3)])
    expect(found(world)).toEqual(at(3))
    await commits.commit(group, at(60))
    expect(next.state).toEqual(at(3))
    await Promise.all([commits.commit(next, at(4)), world.settle()])
    expect(found(world)).toEqual(at(4))
    await registry.remove(next)
    expect(found(world)).toBeUndefined()
    expect(registry.list()).toEqual([])
  })

  it('cannot be made where the disk is full, until there is space', async () => {
    const world = new GroupWorld(new SimulatedDisk(), { topics })
    world.disk.fault = ({ call }) => {
      if (call === 'write') throw failedCall('pwrite', errno.ENOSPC)
    }
    await expect(world.registry.open('a', 'g', () => 0)).rejects.toMatchObject({ code: 'BOOKEND_NO_SPACE' })
    expect(world.registry.known('a', 'g')).toBeUndefined()
    world.disk.fault = () => {}
    await world.registry.open('a', 'g', () => 0)
    expect(found(world)).toEqual(at(0))
  })

  it('of a log opened read-only can be looked at, and nothing is written', async () => {
    const { world, group, commits } = await start()
    await Promise.all([commits.commit(group, at(9)), world.settle()])
    const before = world.disk.fingerprint()
    const looking = new GroupWorld(world.disk, { topics: [topicState(0, 'a', 5)], readOnly: true })
    const [seen] = looking.registry.list('a')
    expect(seen.state).toEqual(at(5))
    await expect(looking.registry.open('a', 'new', () => 0)).rejects.toMatchObject({ code: 'BOOKEND_READ_ONLY' })
    await expect(looking.commits.commit(seen, at(3))).rejects.toMatchObject({ code: 'BOOKEND_READ_ONLY' })
    await expect(looking.registry.remove(seen)).rejects.toMatchObject({ code: 'BOOKEND_READ_ONLY' })
    expect(world.disk.fingerprint()).toBe(before)
  })

  it('say how far their topic is consumed: as far as the last of them, as it is in the file', async () => {
    const { world, group, commits, registry } = await start()
    const { keeper } = world
    expect(keeper.consumedTo(1)).toBeUndefined()
    const other = await registry.open('a', 'h', () => 0)
    commits.commit(group, at(30))
    expect(keeper.consumedTo(0)).toBe(0)
    commits.commit(other, at(20))
    await world.settle()
    expect(keeper.consumedTo(0)).toBe(20)
    // A group of a topic without messages holds them from the first on.
    await registry.open('later', 'k', () => 0)
    const handle = world.topics.handle('later')
    expect([handle.id, handle.isInLog]).toEqual([2, false])
    expect(keeper.consumedTo(handle.id)).toBe(0)
    // The next owner knows the same before its clockwork starts.
    const next = new GroupWorld(world.disk.copy(), { topics: [...topics, topicState(2, 'later', 5)] })
    expect([0, 1, 2].map((id) => next.keeper.consumedTo(id))).toEqual([20, undefined, 0])
    await registry.remove(other)
    expect(keeper.consumedTo(0)).toBe(30)
    await registry.remove(group)
    expect(keeper.consumedTo(0)).toBeUndefined()
  })

  it('are flushed before what they have consumed goes', async () => {
    const { world, group, commits } = await start()
    await Promise.all([commits.commit(group, at(30)), world.settle()])
    world.disk.calls.length = 0
    expect(world.keeper.consumedTo(0)).toBe(30)
    world.keeper.beforeConsumedTrim()
    expect(world.syncs).toBe(1)
    expect(world.keeper.isDirty).toBe(false)
  })

  it('and their log end with a flush that fails', async () => {
    const { world, group, commits } = await start({ durability: 'disk' })
    world.disk.fault = ({ call }) => {
      if (call === 'sync') throw failedCall('fdatasync', errno.EIO)
    }
    const waiting = outcomeOf(commits.commit(group, at(1)))
    await world.settle()
    expect(world.failures).toHaveLength(1)
    expect(waiting.state).toBe('pending')
    expect(world.state.commitFlushed.load()).toBe(0)
    expect(() => world.keeper.beforeConsumedTrim()).toThrow('EIO')
  })
})
