import { expect, it } from 'vitest'
import { failedCall } from '../../../src/memory/errno.js'
import { SlotTable } from '../../../src/ring/slot-table.js'
import { SegmentFiles } from '../../../src/storage/files/segment-files.js'
import { SegmentWindows } from '../../../src/storage/files/segment-windows.js'
import { testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

/** Windows of one thread onto ten segments, each of which begins with its number. */
function tenSegments({ maxHeld = 8, maxMapped = 100 } = {}) {
  const { disk, memory, plainMemory } = simulatedWorld()
  const files = new SegmentFiles(disk, '/log', testSegmentBytes, '')
  for (let segment = 0; segment < 10; segment++) {
    disk.put(files.path(segment), new Uint8Array(testSegmentBytes).fill(segment, 0, 1))
  }
  const slots = new SlotTable(SlotTable.allocate())
  let asked = 0
  const another = () =>
    new SegmentWindows(memory, plainMemory, files, slots, 'read', maxHeld, maxMapped, () => {
      asked += 1
    })
  const windows = another()
  const read = (segment: number) => windows.with(segment, ({ window }) => window.read(0, 1)[0])
  const retire = (segment: number) => {
    const row = [...slots.rows()].find((each) => each.segment === segment)
    if (row === undefined || !slots.tryRetire(row)) throw new Error('it is mapped, and nobody uses it')
    slots.finishRetiring(row.slot, () => {
      const window = memory.mapped.get(row.address)
      if (window !== undefined) window.isRetired = true
    })
  }
  const mapped = () => [...slots.rows()].map(({ segment }) => segment).sort((a, b) => a - b)
  return { disk, memory, files, slots, windows, another, read, retire, mapped, asked: () => asked }
}

it('a segment is mapped once, and pinned as often as it is used', () => {
  const { windows, slots } = tenSegments()
  const pins = () => [...slots.rows()].map((row) => row.pins)
  const first = windows.acquire(3)
  expect(windows.acquire(3).window).toBe(first.window)
  expect(pins()).toEqual([2])
  windows.release(3)
  windows.release(3)
  expect(pins()).toEqual([0])
  expect(() => windows.release(3)).toThrow('pinned')
})

it('a pin ends with its use, also when that fails', () => {
  const { windows, slots } = tenSegments()
  const failing = () =>
    windows.with(0, () => {
      throw new Error('while it is used')
    })
  expect(failing).toThrow('while it is used')
  expect([...slots.rows()].map((row) => row.pins)).toEqual([0])
})

it('what was verified through a mapping is forgotten with it: what comes next is read anew', () => {
  const { windows, read, retire } = tenSegments()
  windows.with(2, (pinned) => {
    pinned.markVerified(64)
    expect([64, 128].map((batch) => pinned.isVerified(batch))).toEqual([true, false])
  })
  windows.with(2, (pinned) => expect(pinned.isVerified(64)).toBe(true))
  retire(2)
  // Through the old mapping this would be a zero.
  expect(read(2)).toBe(2)
  windows.with(2, (pinned) => expect(pinned.isVerified(64)).toBe(false))
})

it('gives the addresses of retired mappings back, and says which', () => {
  const { windows, memory, read, retire, mapped } = tenSegments()
  for (const segment of [1, 2, 3]) read(segment)
  retire(1)
  retire(3)
  expect(windows.dropRetired()).toEqual([1, 3])
  expect(mapped()).toEqual([2])
  expect(memory.mapped.size).toBe(1)
})

it('keeps the windows that were used last, and every one that is in use', () => {
  const { windows, read, mapped } = tenSegments({ maxHeld: 3 })
  windows.acquire(0)
  for (const segment of [1, 2, 1, 3]) read(segment)
  expect(mapped()).toEqual([0, 1, 3])
  windows.acquire(1)
  windows.acquire(3)
  // None can go: one more than there should be.
  expect(read(4)).toBe(4)
  expect(mapped()).toEqual([0, 1, 3, 4])
})

it('beyond the mappings that all threads may have, reads without one and asks for room; mapped once there is some', () => {
  const { windows, another, read, mapped, asked } = tenSegments({ maxMapped: 2 })
  const others = another()
  others.acquire(8)
  others.acquire(9)
  expect(read(1)).toBe(1)
  expect([mapped(), asked(), windows.isUnmapped]).toEqual([[8, 9], 1, true])
  for (const segment of [8, 9]) others.release(segment)
  others.closeAll()
  expect(read(1)).toBe(1)
  expect([mapped(), windows.isUnmapped]).toEqual([[1], false])
})

it('a thread gives its own least recent mapping up before it does without one', () => {
  const { read, mapped, asked } = tenSegments({ maxMapped: 2 })
  for (const segment of [1, 2, 3]) expect(read(segment)).toBe(segment)
  expect([mapped(), asked()]).toEqual([[2, 3], 0])
})

it('maps nothing for whoever does not want it, and uses what is mapped', () => {
  const { windows, read, mapped } = tenSegments()
  windows.acquire(1, 'inOrder', false)
  windows.release(1)
  expect(mapped()).toEqual([])
  read(2)
  expect(windows.acquire(2, 'inOrder', false).window.address).toBeGreaterThan(0)
  windows.release(2)
})

it('reads and writes without a mapping where the process may have no more', () => {
  const { memory, windows, read, mapped } = tenSegments()
  const open = memory.open.bind(memory)
  memory.open = () => {
    throw failedCall('mmap', 12)
  }
  expect(read(5)).toBe(5)
  expect([mapped(), windows.isUnmapped]).toEqual([[], true])
  memory.open = open
  expect(read(6)).toBe(6)
  expect(mapped()).toEqual([6])
})

it('a segment that cannot be opened costs no slot', () => {
  const { disk, files, read, mapped } = tenSegments({ maxMapped: 1 })
  disk.drop(files.path(4))
  for (let look = 0; look < 3; look++) expect(() => read(4)).toThrow()
  expect(read(5)).toBe(5)
  expect(mapped()).toEqual([5])
})

it('windows of deleted segments are closed, but not under whoever uses one', () => {
  const { windows, read, mapped } = tenSegments()
  for (const segment of [0, 1, 2, 3]) read(segment)
  windows.acquire(1)
  windows.acquire(0, 'inOrder', false)
  windows.release(0)
  windows.dropUnmappedBelow(3)
  expect(mapped()).toEqual([0, 1, 2, 3])
  windows.dropBelow(3)
  expect(mapped()).toEqual([1, 3])
  expect(() => windows.closeAll()).toThrow('in use')
})

it('windows of files that were deleted or have others in their place are closed, but not under whoever uses one', () => {
  const { disk, files, windows, read, mapped } = tenSegments()
  for (const segment of [0, 1, 2, 3, 4]) read(segment)
  windows.acquire(4, 'inOrder', false)
  expect(windows.dropReplaced()).toBe(false)
  for (const segment of [1, 2, 4]) disk.remove(files.path(segment))
  for (const segment of [2, 4])
    disk.create(files.path(segment)).write(0, new Uint8Array(testSegmentBytes).fill(77, 0, 1))
  expect(windows.dropReplaced()).toBe(true)
  expect(mapped()).toEqual([0, 3, 4])
  expect([read(0), read(2), read(4)]).toEqual([0, 77, 4])
  windows.release(4)
  expect(windows.dropReplaced()).toBe(true)
  expect(read(4)).toBe(77)
  expect(windows.dropReplaced()).toBe(false)
  windows.closeAll()
})

it('a thread that ends unexpectedly takes its mappings out of the table, and leaves them in place', () => {
  const { memory, windows, read, mapped } = tenSegments()
  for (const segment of [0, 1]) read(segment)
  windows.forgetAll()
  expect(mapped()).toEqual([])
  expect(memory.mapped.size).toBe(2)
})
