/** Mappings of threads that have ended. */
import { expect, it } from 'vitest'
import { SegmentWindows } from '../../../src/storage/files/segment-windows.js'
import { start } from '../../support/driven-reaper.js'

it('takes over what a dead thread has left, pinned or not', () => {
  const { engine, world } = start()
  engine.readWindows.acquire(0)
  const [row] = [...engine.slots.rows()].filter(({ access }) => access === 'read')
  engine.reaper.ownerDied(row.owner)
  expect(world.calls.retired.map(({ address }) => address)).toContain(row.address)
  expect([...engine.slots.rows()]).toEqual([])
})

it('gives the addresses of a dead reader to others, but not where something may still look: what was lent, or is being flushed', () => {
  const { engine, world, add } = start()
  add(1_000)
  const unmapped: number[] = []
  world.calls.unmap = (address) => {
    unmapped.push(address)
  }
  for (const isLent of [false, true]) {
    const windows = new SegmentWindows(world.memory, world.plainMemory, engine.files, engine.slots, 'read', 4)
    const pinned = windows.acquire(0)
    if (isLent) windows.lend(pinned, 64, 8)
    const [row] = [...engine.slots.rows()].filter(({ access }) => access === 'read')
    unmapped.length = 0
    engine.reaper.ownerDied(row.owner)
    expect(unmapped).toEqual(isLent ? [] : [row.address])
  }
})
