/** A small log on the simulated disk, and what its next owner finds after this and that. */
import { expect } from 'vitest'
import { payloadOf } from './frames.js'
import { expectPrefix, expectReadable, Model } from './model.js'
import type { SimulatedDisk } from './simulated-disk.js'
import { bootA, StorageLog } from './storage-log.js'
import { simulatedWorld } from './worlds.js'

/** A log of one topic, one record a batch, on a disk that can be copied and damaged. */
export class Sample {
  readonly world = simulatedWorld()
  readonly log = new StorageLog(this.world)
  readonly model = new Model()
  /** Where each record's batch begins. */
  readonly starts: number[] = []

  constructor() {
    this.model.declare('orders')
    this.log.append([{ declare: 'orders', topic: 0 }])
  }

  get disk(): SimulatedDisk {
    return this.world.disk
  }

  add(count: number, bytes = 200): this {
    for (let index = 0; index < count; index++) {
      const value = payloadOf(0, this.model.order.length, bytes)
      this.starts.push(this.log.published)
      this.model.add(0, value)
      this.log.append([{ topic: 0, value }])
    }
    return this
  }

  flush(): this {
    this.log.flush()
    return this
  }

  path(segment = 0): string {
    return this.log.path(segment)
  }

  /** The log as the next owner finds it, on a copy of the disk. */
  reopen(damage: (disk: SimulatedDisk) => void = () => {}, bootId = bootA, mayRepair = true): Reopened {
    const disk = this.disk.copy()
    damage(disk)
    return new Reopened(disk, new StorageLog(simulatedWorld(disk), { bootId, mayRepair }))
  }
}

export class Reopened {
  readonly disk: SimulatedDisk
  readonly log: StorageLog

  constructor(disk: SimulatedDisk, log: StorageLog) {
    this.disk = disk
    this.log = log
  }

  /** The model's first `count` records are there, and nothing else. */
  expectExactly(model: Model, count: number): this {
    const found = expectPrefix(this.log.recovered, model, count)
    expect(found.count).toBe(count)
    expectReadable(this.log.reader, this.log.recovered, model)
    return this
  }
}

/** Two sealed segments with an index each, and an active one. */
export async function threeSegments(): Promise<Sample> {
  const sample = new Sample().add(4, 3_000)
  sample.log.roll()
  sample.add(4, 30_000)
  sample.log.roll()
  await sample.log.index()
  return sample.add(4, 9_000)
}
