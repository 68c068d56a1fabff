import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { HeldLeases } from '../../../src/dispatcher/groups/held-leases.js'
import { Lease, type LeaseHolder } from '../../../src/dispatcher/groups/lease.js'

const holder = {} as LeaseHolder
const never = Number.POSITIVE_INFINITY

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

function holding(timeoutMs: number) {
  const onClose = new Set<() => void>()
  const late: number[] = []
  const held: HeldLeases = new HeldLeases(timeoutMs, onClose, (lease) => {
    late.push(lease.offset)
    held.release(lease)
  })
  const hold = (offset: number) => {
    const lease = new Lease(offset, offset + 1, 1, 0)
    held.hold(lease, holder)
    return lease
  }
  return { held, hold, late, onClose }
}

it('what is not settled by its deadline is late, once, in the order of delivery', () => {
  const { held, hold, late } = holding(100)
  const [, second] = [hold(0), hold(1), hold(2)]
  held.release(second)
  vi.advanceTimersByTime(99)
  expect([late, held.count]).toEqual([[], 2])
  vi.advanceTimersByTime(10)
  expect([late, held.count]).toEqual([[0, 2], 0])
  vi.advanceTimersByTime(1_000)
  expect(late).toEqual([0, 2])
})

it('an extended one has as long again, and the others no longer', () => {
  const { held, hold, late } = holding(100)
  const [first] = [hold(0), hold(1)]
  vi.advanceTimersByTime(60)
  held.extend(first)
  vi.advanceTimersByTime(50)
  expect(late).toEqual([1])
  vi.advanceTimersByTime(60)
  expect(late).toEqual([1, 0])
})

it('who gives up has everything late at once, also where nothing ever would be', () => {
  for (const timeoutMs of [100, never]) {
    const { held, hold, late } = holding(timeoutMs)
    held.extend(hold(0))
    hold(1)
    held.giveUp()
    expect([[...late].sort(), held.count]).toEqual([[0, 1], 0])
  }
})

it('nothing stays with the log once it is stopped', () => {
  const { held, hold, late, onClose } = holding(100)
  hold(0)
  expect(onClose.size).toBe(1)
  held.stop()
  vi.advanceTimersByTime(1_000)
  expect([late, onClose.size]).toEqual([[], 0])
})
