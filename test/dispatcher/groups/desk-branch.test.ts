/** What a thread holds that may not be there any more, without having ended. */
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Lease } from '../../../src/dispatcher/groups/lease.js'
import { FarDesk, NearDesk } from '../../support/far-desk.js'

const ackTimeoutMs = 5_000
/** Longer than any term that begins now, with what it is rounded to. */
const termMs = 5_200
/** Longer than a thread is waited for. */
const silenceMs = 1_100

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Everything that is said between these threads arrives, and whatever it leads to. */
async function settle(...desks: FarDesk[]): Promise<void> {
  let quiet = 0
  while (quiet < 3) {
    await turn()
    const hasMoved = desks.map((desk) => [desk.deliver(false), desk.deliver(true)].includes(true)).includes(true)
    quiet = hasMoved ? 0 : quiet + 1
  }
}

async function opened(near: NearDesk): Promise<FarDesk> {
  const far = new FarDesk(near)
  const done = far.desk.open('first')
  await settle(far)
  await done
  return far
}

/** A message that is in the thread's hands, and whoever asks for one after it. */
async function heldAndWanted() {
  const near = new NearDesk()
  near.publish(1)
  const [holder, other] = [await opened(near), await opened(near)]
  const given = holder.desk.request(1, false, ackTimeoutMs)
  await settle(holder)
  const held = await given.lease
  let got: Lease | undefined
  void other.desk.request(1, false, ackTimeoutMs).lease.then((lease) => {
    got = lease
  })
  await settle(holder, other)
  return { near, holder, other, held, got: () => got }
}

it('of a thread that does not answer goes to others when its time is over, as the next attempt', async () => {
  const { other, got } = await heldAndWanted()
  vi.advanceTimersByTime(ackTimeoutMs - 100)
  await settle(other)
  vi.advanceTimersByTime(silenceMs - 200)
  await settle(other)
  expect(got()).toBe(undefined)
  vi.advanceTimersByTime(silenceMs + 200)
  await settle(other)
  expect(got()).toMatchObject({ first: 0, end: 1, attempt: 2 })
})

it('of a thread that answers stays there, however often that is', async () => {
  const { holder, other, got } = await heldAndWanted()
  for (let passedMs = 0; passedMs < 3 * termMs; passedMs += silenceMs / 2) {
    vi.advanceTimersByTime(silenceMs / 2)
    await settle(holder, other)
  }
  expect(got()).toBe(undefined)
  vi.advanceTimersByTime(termMs)
  await settle(other)
  vi.advanceTimersByTime(silenceMs)
  await settle(other)
  expect(got()).toMatchObject({ first: 0, attempt: 2 })
})

it('is done all the same if the thread says so later, and is not taken from others if it gives it back', async () => {
  for (const isDone of [true, false]) {
    const { near, holder, other, held, got } = await heldAndWanted()
    vi.advanceTimersByTime(termMs)
    await settle(other)
    vi.advanceTimersByTime(silenceMs)
    await settle(other)
    expect(got()).toMatchObject({ first: 0, attempt: 2 })
    if (isDone) void holder.desk.acknowledge(held, 0, 1)
    else holder.desk.giveBack(held, 0, 1, held.attempt + 1, 0)
    const third = await opened(near)
    let again: Lease | undefined
    void third.desk.request(1, false, ackTimeoutMs).lease.then((lease) => {
      again = lease
    })
    await settle(holder, other, third)
    expect(near.committed).toBe(isDone ? 1 : 0)
    expect(again).toBe(undefined)
  }
})

it('without a time stays with its thread until that ends', async () => {
  const near = new NearDesk()
  near.publish(1)
  const [holder, other] = [await opened(near), await opened(near)]
  const given = holder.desk.request(1, true)
  await settle(holder)
  await given.lease
  let got: Lease | undefined
  void other.desk.request(1, false, ackTimeoutMs).lease.then((lease) => {
    got = lease
  })
  vi.advanceTimersByTime(100 * termMs)
  await settle(other)
  expect(got).toBe(undefined)
  holder.end()
  await settle(other)
  expect(got).toMatchObject({ first: 0, attempt: 2 })
})

it('in stock is dealt out no more once others have it', async () => {
  const near = new NearDesk()
  near.publish(40)
  const holder = await opened(near)
  const own: number[] = []
  while (own.length < 8) {
    const given = holder.desk.takeInTurn() ?? holder.desk.request(1, false, ackTimeoutMs).lease
    await settle(holder)
    own.push((await given).first)
  }
  const other = await opened(near)
  vi.advanceTimersByTime(1)
  const theirs = new Set<number>()
  const takeAll = async () => {
    for (;;) {
      const lease = other.desk.takeInTurn()
      if (lease !== undefined) theirs.add(lease.first)
      else {
        let got: Lease | undefined
        const asked = other.desk.request(1, false, ackTimeoutMs)
        void asked.lease.then((lease) => {
          got = lease
        })
        await settle(other)
        if (got === undefined) return void asked.cancel()
        theirs.add((got as Lease).first)
      }
    }
  }
  await takeAll()
  vi.advanceTimersByTime(termMs)
  await settle(other)
  vi.advanceTimersByTime(silenceMs)
  await takeAll()
  expect(theirs.size).toBe(40)
  await settle(holder)
  expect(holder.desk.takeInTurn()).toBe(undefined)
})
