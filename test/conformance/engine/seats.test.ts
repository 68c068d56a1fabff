/** What the contract says of a seat in a group, asked of the engine itself. */
import { describe, expect, it } from 'vitest'
import type { EngineGroup, EngineLease, SubscribeOptions, Subscription } from '../../../src/engine/group-seat.js'
import { failureOf, until } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

const never = Number.POSITIVE_INFINITY
const options: SubscribeOptions = { from: 'first', prefetch: never, ackTimeoutMs: never, signal: undefined }
const seatAt = (group: EngineGroup, changed: Partial<SubscribeOptions> = {}): Subscription<EngineLease> =>
  group.subscribe((_, lease) => lease, { ...options, ...changed })
const nextOf = async (seat: Subscription<EngineLease>): Promise<EngineLease> => {
  const lease = await seat.next(performance.now() + 30_000, undefined)
  if (lease === undefined) throw new Error('nothing came')
  return lease
}
const given = ({ offset, attempt }: EngineLease) => [offset, attempt]

onEveryEngine(({ sharedEngine }) => {
  describe('a seat', () => {
    const groupOf = async (count: number) => {
      const { engine, name } = await sharedEngine()
      const topic = engine.topic(name)
      for (let number = 0; number < count; number++)
        await topic.append(new Uint8Array([number]), undefined, engine.facts.durability)
      const append = () => topic.append(new Uint8Array(1), undefined, engine.facts.durability)
      return { topic, group: topic.group('g'), append }
    }

    it('serves calls that wait at the same time in the order of the calls, one message each', async () => {
      const { group, append } = await groupOf(0)
      const seat = seatAt(group)
      const order: number[] = []
      const waiting = [0, 1, 2].map(async (call) => {
        const lease = await nextOf(seat)
        order.push(call)
        return given(lease)
      })
      for (let count = 0; count < 3; count++) await append()
      expect(await Promise.all(waiting)).toEqual([
        [0, 1],
        [1, 1],
        [2, 1],
      ])
      expect(order).toEqual([0, 1, 2])
    })

    it('that closes gives back what it holds, counted, and tells who waits', async () => {
      const { group } = await groupOf(2)
      const seat = seatAt(group)
      const held = [await nextOf(seat), await nextOf(seat)]
      const waiting = seat.next(never, undefined)
      expect(seat.isOpen).toBe(true)
      seat.close()
      seat.close()
      expect(seat.isOpen).toBe(false)
      expect(await waiting).toBeUndefined()
      expect(await seat.next(never, undefined)).toBeUndefined()
      const other = seatAt(group)
      expect([given(await nextOf(other)), given(await nextOf(other))]).toEqual([
        [0, 2],
        [1, 2],
      ])
      // A late acknowledgement says the truth as well.
      await held[0].acknowledge()
      expect(await group.position()).toMatchObject({ committed: 1, lag: 1 })
    })

    it('is given up by its signal, which gives back what it holds', async () => {
      const { group } = await groupOf(1)
      const controller = new AbortController()
      const seat = seatAt(group, { signal: controller.signal })
      await nextOf(seat)
      const waiting = seat.next(never, undefined)
      controller.abort()
      expect(seat.isOpen).toBe(false)
      expect(await waiting).toBeUndefined()
      expect(given(await nextOf(seatAt(group)))).toEqual([0, 2])
    })

    it('keeps a message whose lease is extended, for as long as that goes on', async () => {
      const { group } = await groupOf(2)
      // Many times as long as a machine with other work to do keeps this thread from extending.
      const seat = seatAt(group, { ackTimeoutMs: 1_000 })
      const other = seatAt(group)
      const extended = await nextOf(seat)
      const left = await nextOf(seat)
      const extending = setInterval(() => extended.extend(), 10)
      try {
        // Both were given at the same time: the one that is not extended runs out, the other does not.
        expect(given(await nextOf(other))).toEqual([1, 2])
        expect(await other.next(0, undefined)).toBeUndefined()
      } finally {
        clearInterval(extending)
      }
      // From its last extension on it has its time, and no more.
      expect(given(await nextOf(other))).toEqual([0, 2])
      extended.extend()
      left.extend()
      expect(await other.next(0, undefined)).toBeUndefined()
    })

    it('gives the message back as the same attempt where what is made of it fails', async () => {
      const { group } = await groupOf(2)
      const reason = new Error('cannot make anything of it')
      let isBroken = true
      const seat = group.subscribe((_, lease) => {
        if (isBroken) throw reason
        return lease
      }, options)
      for (let count = 0; count < 3; count++)
        expect(await failureOf(() => seat.next(performance.now() + 30_000, undefined))).toBe(reason)
      expect(await group.peek()).toBe(0)
      isBroken = false
      expect([given(await nextOf(seat)), given(await nextOf(seatAt(group)))]).toEqual([
        [0, 1],
        [1, 1],
      ])
    })

    it('takes nothing where its call is aborted, or ends before there is a message', async () => {
      const { group, append } = await groupOf(0)
      const seat = seatAt(group)
      const reason = new Error('enough')
      expect(await failureOf(() => seat.next(never, AbortSignal.abort(reason)))).toBe(reason)
      const controller = new AbortController()
      const waiting = failureOf(() => seat.next(never, controller.signal))
      expect(await seat.next(performance.now() + 5, undefined)).toBeUndefined()
      controller.abort(reason)
      expect(await waiting).toBe(reason)
      await append()
      expect(given(await nextOf(seat))).toEqual([0, 1])
    })

    it('ends with the removal of its group, and a new one begins anew', async () => {
      const { group } = await groupOf(1)
      const seat = seatAt(group)
      await (await nextOf(seat)).acknowledge()
      const waiting = seat.next(never, undefined)
      await group.remove()
      expect(await waiting).toBeUndefined()
      expect(seat.isOpen).toBe(false)
      expect(await seat.next(never, undefined)).toBeUndefined()
      expect(group.isDone(0)).toBe(false)
      expect(given(await nextOf(seatAt(group)))).toEqual([0, 1])
    })

    it('tells what is done as soon as it is acknowledged, and lets go of it with its group', async () => {
      const { topic, group } = await groupOf(3)
      const seat = seatAt(group, { prefetch: 2 })
      const [first] = [await nextOf(seat), await nextOf(seat)]
      const third = seat.next(never, undefined)
      await first.acknowledge()
      await first.acknowledge()
      expect([0, 1, 2].map((offset) => group.isDone(offset))).toEqual([true, false, false])
      expect(given((await third) as EngineLease)).toEqual([2, 1])
      first.giveBack(0)
      await topic.trim(3)
      await until('nothing is left', async () => (await group.position()).lag === 0)
      expect(await group.position()).toEqual({ committed: 3, next: 3, lag: 0, skipped: 2 })
    })
  })
})
