/** A device that fails, as the kernel tells of it: each open file hears of a failure once, whichever of its flushes ends first. */
import { expect, it } from 'vitest'
import { errno, failedCall } from '../../../src/memory/errno.js'
import type { DiskFile } from '../../../src/storage/files/disk.js'
import { GroupWorld, groupsPath, outcomeOf, topicState } from '../../support/groups.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'

class FailingDisk extends SimulatedDisk {
  /** Open files that have not heard of the failure. */
  readonly #unaware = new Set<DiskFile>()
  readonly #files = new Set<DiskFile>()
  readonly flushes: (() => void)[] = []
  holds = false

  fail(): void {
    for (const file of this.#files) this.#unaware.add(file)
  }

  override open(path: string, access: 'read' | 'write'): DiskFile | undefined {
    const file = super.open(path, access)
    return file === undefined || path !== groupsPath ? file : this.#wrap(file)
  }

  override create(path: string): DiskFile {
    return this.#wrap(super.create(path))
  }

  #wrap(inner: DiskFile): DiskFile {
    const end = () => {
      if (this.#unaware.delete(file)) throw failedCall('fdatasync', errno.EIO)
    }
    const file: DiskFile = {
      ...inner,
      sync() {
        inner.sync()
        end()
      },
      syncLater: async () => {
        if (this.holds) await new Promise<void>((resolve) => this.flushes.push(resolve))
        await inner.syncLater()
        end()
      },
    }
    this.#files.add(file)
    return file
  }
}

/** A group whose commit is being flushed. */
async function flushing(): Promise<{ world: GroupWorld; disk: FailingDisk }> {
  const disk = new FailingDisk()
  const world = new GroupWorld(disk, { topics: [topicState(0, 't', 2 ** 20)], flushIntervalMs: 0 })
  const opening = world.registry.open('t', 'g', () => 0)
  await world.settle()
  const group = await opening
  disk.holds = true
  world.commits.commit(group, { committed: 5, ranges: [] }).catch(() => {})
  await new Promise(setImmediate)
  world.writer.doWork()
  expect(world.keeper.isDirty).toBe(true)
  world.keeper.tend()
  await new Promise(setImmediate)
  expect(disk.flushes.length).toBe(1)
  return { world, disk }
}

const turns = async () => {
  for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate)
}

it('a group that is made while a flush is under way is not told "done" by a flush of its own whose failure that one has heard', async () => {
  const { world, disk } = await flushing()
  const made = outcomeOf(world.keeper.create('t', 'h', 0))
  await turns()
  expect(disk.flushes.length).toBe(1)
  disk.fail()
  disk.holds = false
  for (const end of disk.flushes.splice(0)) end()
  await turns()
  expect(made).toMatchObject({ state: 'failed', error: { code: 'EIO' } })
  expect(world.failures.length).toBeGreaterThan(0)
})

it('nothing is deleted on the strength of a flush whose failure another one has heard', async () => {
  const { world, disk } = await flushing()
  disk.fail()
  disk.holds = false
  for (const end of disk.flushes.splice(0)) end()
  await turns()
  expect(() => world.keeper.beforeConsumedTrim()).toThrow('EIO')
})
