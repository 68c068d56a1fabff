import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { GroupRemovedError } from '../../../src/dispatcher/groups/group-desk.js'
import type { Lease } from '../../../src/dispatcher/groups/lease.js'
import { FarDesk, NearDesk } from '../../support/far-desk.js'
import { outcomeOf } from '../../support/groups.js'

/** Everything that is under way arrives, and whatever it leads to. */
async function settle(...desks: FarDesk[]): Promise<void> {
  for (let isMoving = true; isMoving; ) {
    await turn()
    isMoving = desks.map((desk) => [desk.deliver(false), desk.deliver(true)].includes(true)).includes(true)
  }
}

async function opened(near: NearDesk): Promise<FarDesk> {
  const far = new FarDesk(near)
  const done = far.desk.open('first')
  await settle(far)
  await done
  return far
}

async function taken(far: FarDesk, ...others: FarDesk[]): Promise<Lease> {
  const lease = far.desk.takeInTurn() ?? far.desk.request(1, false).lease
  await settle(far, ...others)
  return lease
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

it('deals out what is leased in order, and asks for more at a time the faster it is taken', async () => {
  const near = new NearDesk()
  near.publish(500)
  const far = await opened(near)
  const offsets: number[] = []
  let asked = 0
  while (offsets.length < 500) {
    const atHand = far.desk.takeInTurn()
    const lease = atHand ?? (await taken(far))
    if (atHand === undefined) asked += 1
    offsets.push(lease.first)
  }
  expect(offsets).toEqual(Array.from({ length: 500 }, (_, index) => index))
  expect(asked).toBeLessThan(12)
})

it('what nobody takes goes back, as the attempt it was', async () => {
  const near = new NearDesk()
  near.publish(40)
  const far = await opened(near)
  for (let count = 0; count < 20; count++) await taken(far)
  const other = await opened(near)
  vi.advanceTimersByTime(60)
  await settle(far, other)
  const rest = new Map<number, number>()
  for (let count = 0; count < 20; count++) {
    const lease = await taken(other)
    rest.set(lease.first, lease.attempt)
  }
  expect([...rest.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => 20 + index))
  expect(new Set(rest.values())).toEqual(new Set([1]))
})

it('what a thread does not come to goes back although it takes some, once it is slower than it was', async () => {
  const near = new NearDesk()
  near.publish(5_000)
  const far = await opened(near)
  for (let count = 0; count < 3_000; count++) if (far.desk.takeInTurn() === undefined) await taken(far)
  const own = new Set<number>()
  for (let count = 0; count < 20; count++) {
    vi.advanceTimersByTime(20)
    own.add((await taken(far)).first)
  }
  const other = await opened(near)
  const theirs = new Set<number>()
  for (let got: Lease | undefined = await taken(other, far); got !== undefined; ) {
    theirs.add(got.first)
    got = other.desk.takeInTurn()
    if (got !== undefined) continue
    void other.desk.request(1, false).lease.then((lease) => {
      got = lease
    })
    await settle(other, far)
  }
  // But for what is on its way to the slow one.
  expect(theirs.size).toBeGreaterThan(1_900)
  for (const offset of own) expect(theirs.has(offset)).toBe(false)
})

it('who wants one message alone leaves nothing in stock', async () => {
  const near = new NearDesk()
  near.publish(10)
  const far = await opened(near)
  for (let offset = 0; offset < 5; offset++) {
    const { lease } = far.desk.request(1, true)
    await settle(far)
    expect((await lease).first).toBe(offset)
    expect(far.desk.takeInTurn()).toBeUndefined()
  }
})

/** Words of the thread arrive, and none of those that are on their way to it. */
async function hears(far: FarDesk): Promise<void> {
  while (far.deliver(false)) await turn()
}

it('an ask that is given up when its answer is under way keeps nothing, from the next word of its thread on', async () => {
  for (const isAlone of [true, false]) {
    const near = new NearDesk()
    const far = await opened(near)
    const { lease, cancel } = far.desk.request(1, isAlone)
    await settle(far)
    near.publish(1)
    await turn()
    expect(cancel()).toBe(true)
    await hears(far)
    const other = near.desk.takeInTurn(1)
    expect(other).toMatchObject({ first: 0, end: 1, attempt: 1 })
    // The answer comes to a thread that has given it up, and must not take it from who has it now.
    await settle(far)
    expect(await Promise.race([lease.then(() => 'given'), turn('nothing')])).toBe('nothing')
    expect(near.desk.takeInTurn(1)).toBe(undefined)
  }
})

it('an ask that is given up in the turn in which the desk serves it keeps nothing', async () => {
  const near = new NearDesk()
  const far = await opened(near)
  const { cancel } = far.desk.request(1, true)
  await settle(far)
  expect(cancel()).toBe(true)
  near.publish(1)
  far.deliver(false)
  await settle(far)
  expect(near.desk.takeInTurn(1)).toMatchObject({ first: 0, attempt: 1 })
})

it('who is served in the turn in which the group is moved or removed is served anew, or told', async () => {
  for (const isAlone of [true, false]) {
    const near = new NearDesk()
    const far = await opened(near)
    const moved = far.desk.request(1, isAlone)
    await settle(far)
    near.publish(1)
    // The desk serves, and the answer is not on its way yet.
    await undefined
    void near.desk.seek(0)
    await settle(far)
    const lease = await moved.lease
    expect(far.desk.isWanted(lease)).toBe(true)
    void far.desk.acknowledge(lease, lease.first, lease.end)
    await settle(far)
    const removed = outcomeOf(far.desk.request(1, isAlone).lease)
    await settle(far)
    near.publish(1)
    await undefined
    await near.desk.remove()
    await settle(far)
    expect((await removed).error).toBeInstanceOf(GroupRemovedError)
  }
})

it('what a thread had asked for of a group that was removed is kept from nobody who uses it anew', async () => {
  const near = new NearDesk()
  near.publish(1)
  const far = await opened(near)
  const asked = outcomeOf(far.desk.request(1, true).lease)
  await near.desk.remove()
  await near.desk.open('first')
  await settle(far)
  expect(asked.error).toBeInstanceOf(GroupRemovedError)
  expect(near.desk.takeInTurn(1)).toMatchObject({ first: 0, attempt: 1 })
})

it('tells that it was looked and there is nothing, and serves who waits all the same', async () => {
  const near = new NearDesk()
  const far = await opened(near)
  const { lease, looked } = far.desk.request(1, true)
  let hasLooked = false
  void looked?.then(() => {
    hasLooked = true
  })
  await turn()
  expect(hasLooked).toBe(false)
  await settle(far)
  expect(hasLooked).toBe(true)
  near.publish(1)
  await settle(far)
  expect((await lease).first).toBe(0)
})

it('a thread that ends gives back what it holds, dealt out or not, to be counted', async () => {
  const near = new NearDesk()
  near.publish(6)
  const far = await opened(near)
  const first = await taken(far)
  await taken(far)
  await taken(far)
  void far.desk.acknowledge(first, 0, 1)
  await settle(far)
  far.end()
  const other = await opened(near)
  const again: [number, number][] = []
  for (let count = 0; count < 3; count++) {
    const { first, attempt } = await taken(other)
    again.push([first, attempt])
  }
  expect(again[0]).toEqual([1, 2])
  expect(again[1]).toEqual([2, 2])
  expect(again[2][0]).toBe(3)
})

it('acknowledgements of one turn travel together, and are told when they are written', async () => {
  const near = new NearDesk()
  near.publish(8)
  const far = await opened(near)
  const leases: Lease[] = []
  for (let count = 0; count < 8; count++) leases.push(await taken(far))
  const outcomes: Promise<void>[] = []
  for (const lease of leases) {
    outcomes.push(far.desk.acknowledge(lease, lease.first, lease.end))
    // As in a loop over deliveries that are at hand.
    await undefined
  }
  expect(new Set(outcomes).size).toBe(1)
  expect(near.committed).toBe(0)
  await turn()
  expect(far.deliver(false)).toBe(true)
  expect(near.committed).toBe(8)
  await settle(far)
  await Promise.all(outcomes)
  expect(far.desk.isDone(7)).toBe(true)
  expect(far.desk.isDone(8)).toBe(false)
})

it('a seek by anybody makes leases and stock mean nothing', async () => {
  const near = new NearDesk()
  near.publish(10)
  const far = await opened(near)
  const lease = await taken(far)
  await taken(far)
  await near.desk.seek(0)
  await settle(far)
  expect(far.desk.isWanted(lease)).toBe(false)
  await far.desk.acknowledge(lease, lease.first, lease.end)
  await settle(far)
  expect(near.committed).toBe(0)
  expect(await taken(far)).toMatchObject({ first: 0, attempt: 1 })
})

it('a removal ends who waits, and the seats of before', async () => {
  const near = new NearDesk()
  const far = await opened(near)
  const removals = far.desk.removals
  const waiting = outcomeOf(far.desk.request(1, false).lease)
  await settle(far)
  await near.desk.remove()
  await settle(far)
  expect((await waiting).error).toBeInstanceOf(GroupRemovedError)
  expect(far.desk.removals).toBeGreaterThan(removals)
  expect(far.desk.needsOpen).toBe(true)
})

it('keeps its thread alive while somebody waits in it, however that ends', async () => {
  const near = new NearDesk()
  const far = await opened(near)
  expect(far.holds).toBe(0)
  const given = far.desk.request(1, false)
  const alone = far.desk.request(1, true)
  const givenUp = [far.desk.request(1, false), far.desk.request(1, true)]
  await settle(far)
  expect(far.holds).toBe(4)
  for (const { cancel } of givenUp) expect(cancel()).toBe(true)
  expect(far.holds).toBe(2)
  near.publish(20)
  await settle(far)
  await Promise.all([given.lease, alone.lease])
  expect(given.cancel()).toBe(false)
  expect(far.holds).toBe(0)
  const closing = await opened(new NearDesk())
  const refused = closing.desk.request(1, false)
  const reason = new Error('closed')
  closing.desk.close(reason)
  const outcome = outcomeOf(refused.lease)
  await turn()
  expect(outcome.error).toBe(reason)
  expect(closing.holds).toBe(0)
})
