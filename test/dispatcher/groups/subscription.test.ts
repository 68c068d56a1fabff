import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { GroupDesk } from '../../../src/dispatcher/groups/group-desk.js'
import type { GroupFeed, MakeDelivery } from '../../../src/dispatcher/groups/group-feed.js'
import type { Lease } from '../../../src/dispatcher/groups/lease.js'
import { DeskSubscription } from '../../../src/dispatcher/groups/subscription.js'
import type { SubscribeOptions } from '../../../src/engine/group-seat.js'
import { storedGroup } from '../../support/stored-groups.js'

interface Delivery {
  offset: number
  lease: Lease
}

const never = Number.POSITIVE_INFINITY

/** A group on a topic whose end is the test's to make, and whose messages are always at hand. */
class SeatWorld {
  next = 0
  isOpen = true
  readonly onClose = new Set<() => void>()
  readonly committed: number[] = []
  readonly waits = new Set<() => void>()
  readonly desk: GroupDesk

  constructor(next: number) {
    this.next = next
    this.desk = new GroupDesk({
      ...storedGroup({}, async ({ committed }) => void this.committed.push(committed)),
      first: () => 0,
      next: () => this.next,
      checkOpen: () => this.checkOpen(),
      onSkipped() {},
      whenNext: (offset, resolve) => {
        if (this.next > offset) resolve()
        else this.waits.add(resolve)
        return () => this.waits.delete(resolve)
      },
    })
  }

  checkOpen(): void {
    if (!this.isOpen) throw new Error('closed')
  }

  publish(count: number): void {
    this.next += count
    for (const resolve of [...this.waits]) resolve()
  }

  seat(
    options: Partial<SubscribeOptions> = {},
    make: (offset: number) => number = (offset) => offset,
  ): DeskSubscription<Delivery> {
    // The desk is what is looked at: the feed has every message, and hands it over at once.
    const message = (lease: Lease) => ({ offset: make(lease.first), lease })
    const feed = { message } as unknown as GroupFeed
    const all = { from: 'first', prefetch: 10, ackTimeoutMs: 1_000, signal: undefined, ...options } as SubscribeOptions
    return new DeskSubscription<Delivery>(this, this.desk, feed, undefined as unknown as MakeDelivery<Delivery>, all)
  }
}

async function next(seat: DeskSubscription<Delivery>): Promise<Delivery> {
  const delivery = await seat.next(never, undefined)
  if (delivery === undefined) throw new Error('nothing came')
  return delivery
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

it('a message at hand comes without a promise, once the group is open', async () => {
  const seat = new SeatWorld(3).seat()
  expect((await next(seat)).offset).toBe(0)
  expect(seat.next(never, undefined)).toMatchObject({ offset: 1 })
})

it('what is not settled in time goes to the next who asks, as a further attempt', async () => {
  const world = new SeatWorld(1)
  await next(world.seat({ ackTimeoutMs: 100 }))
  const other = next(world.seat())
  await turn()
  vi.advanceTimersByTime(200)
  expect((await other).lease.attempt).toBe(2)
})

it('extended, it stays where it is for as long again, counted from then', async () => {
  const world = new SeatWorld(1)
  const { lease } = await next(world.seat({ ackTimeoutMs: 100 }))
  vi.advanceTimersByTime(60)
  lease.extend()
  vi.advanceTimersByTime(60)
  expect(lease.isHeld).toBe(true)
  vi.advanceTimersByTime(60)
  expect(lease.isHeld).toBe(false)
})

it('who holds as many as it may waits for a free place, not for a message', async () => {
  const world = new SeatWorld(3)
  const seat = world.seat({ prefetch: 1 })
  const { lease } = await next(seat)
  const waiting = next(seat)
  await turn()
  await lease.acknowledge()
  expect((await waiting).offset).toBe(1)
  expect(world.committed).toEqual([1])
})

it('whose deadline passes gets nothing, and takes nothing', async () => {
  const world = new SeatWorld(0)
  const seat = world.seat()
  const waiting = seat.next(performance.now() + 50, undefined)
  await turn()
  vi.advanceTimersByTime(60)
  expect(await waiting).toBeUndefined()
  world.publish(1)
  expect((await next(world.seat())).lease.attempt).toBe(1)
})

it('given up by its signal, it wakes who waits with the reason, and takes nothing', async () => {
  const world = new SeatWorld(0)
  const abort = new AbortController()
  const waiting = Promise.resolve(world.seat().next(never, abort.signal))
  await turn()
  const reason = new Error('enough')
  abort.abort(reason)
  await expect(waiting).rejects.toBe(reason)
  world.publish(1)
  expect((await next(world.seat())).offset).toBe(0)
})

it('closed, it gives back what it held and ends who waits; nothing of it stays with the log', async () => {
  const world = new SeatWorld(1)
  const signal = new AbortController().signal
  const seat = world.seat({ signal })
  const { lease } = await next(seat)
  const waiting = Promise.resolve(seat.next(never, undefined))
  await turn()
  seat.close()
  expect(await waiting).toBeUndefined()
  expect(lease.isHeld).toBe(false)
  expect(world.onClose.size).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
  expect((await next(world.seat())).lease.attempt).toBe(2)
})

it('of a removed group nothing more comes, and who waits is told', async () => {
  const world = new SeatWorld(0)
  const seat = world.seat()
  const waiting = Promise.resolve(seat.next(never, undefined))
  await turn()
  await world.desk.remove()
  expect(await waiting).toBeUndefined()
  expect(seat.isOpen).toBe(false)
})

it('a message that cannot be made is given back as the same attempt, and its error told', async () => {
  const world = new SeatWorld(1)
  let isBroken = true
  const seat = world.seat({}, (offset) => {
    if (isBroken) throw new Error('no such codec')
    return offset
  })
  await expect(next(seat)).rejects.toThrow('no such codec')
  isBroken = false
  expect((await next(seat)).lease.attempt).toBe(1)
  await expect(Promise.resolve(seat.next(0, undefined))).resolves.toBeUndefined()
})
