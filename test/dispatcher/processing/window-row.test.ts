/** Windows that all lanes walk: each lane sees all of them, in one order, and each is leased once. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { LeasedWindow } from '../../../src/dispatcher/processing/leased-window.js'
import { WindowRow } from '../../../src/dispatcher/processing/window-row.js'

const lanes = 2

/** A group of so many windows of ten messages, leased a turn later. */
class RowWorld {
  leased = 0
  readonly row: WindowRow

  constructor(count: number) {
    this.row = new WindowRow(async () => {
      await turn()
      if (this.leased === count) return undefined
      const first = 10 * this.leased++
      return new LeasedWindow({ first, end: first + 10, attempt: 1, generation: 0 }, lanes)
    })
  }

  /** Walks all windows as a lane does, and says which ones those were. */
  async walk(): Promise<number[]> {
    const firsts: number[] = []
    let index = 0
    for (let window = await this.row.at(index); window !== undefined; window = await this.row.at(index)) {
      firsts.push(window.lease.first)
      index += 1
      if (window.leave()) this.row.leave(window)
    }
    return firsts
  }
}

it('is the same for every lane, and asks for each window once', async () => {
  const world = new RowWorld(3)
  expect(await Promise.all([world.walk(), world.walk()])).toEqual([
    [0, 10, 20],
    [0, 10, 20],
  ])
  expect(world.leased).toBe(3)
  expect(world.row.count).toBe(0)
})

it('keeps what the slower lane has not left', async () => {
  const world = new RowWorld(3)
  expect(await world.walk()).toEqual([0, 10, 20])
  expect(world.row.count).toBe(30)
  expect(await world.walk()).toEqual([0, 10, 20])
  expect(world.row.count).toBe(0)
})

it('begins anew with what comes next when it was cleared', async () => {
  const world = new RowWorld(2)
  const first = await world.row.at(0)
  expect(world.row.clear()).toEqual([first])
  expect((await world.row.at(0))?.lease.first).toBe(10)
})

it('is not walked backwards, nor left out of order', async () => {
  const world = new RowWorld(2)
  const [first, second] = [await world.row.at(0), await world.row.at(1)]
  expect(() => world.row.leave(second as LeasedWindow)).toThrow('windows are left in their order')
  world.row.leave(first as LeasedWindow)
  await expect(world.row.at(0)).rejects.toThrow('a window stays in the row until all lanes have left it')
})
