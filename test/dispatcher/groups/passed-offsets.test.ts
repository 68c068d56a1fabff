import fc from 'fast-check'
import { expect, it } from 'vitest'
import { GroupLedger } from '../../../src/dispatcher/groups/group-ledger.js'
import type { Lease } from '../../../src/dispatcher/groups/lease.js'

const fresh = (committed = 0) => new GroupLedger({ committed, ranges: [] })

it('what is passed is done, and is not handed out', () => {
  const ledger = fresh()
  ledger.pass(0, 3)
  expect(ledger.committed).toBe(3)
  ledger.pass(4, 6)
  expect(ledger.remaining(8)).toBe(3)
  expect(ledger.take(1, 8, 0)).toMatchObject({ first: 3, end: 4 })
  expect(ledger.take(1, 8, 0)).toMatchObject({ first: 6, end: 7 })
  expect(ledger.committed).toBe(3)
})

it('a window holds as many messages as were asked for, and what was passed between them, but not behind', () => {
  const ledger = fresh()
  for (const first of [1, 5, 9]) ledger.pass(first, first + 3)
  const lease = ledger.take(3, 12, 0) as Lease
  expect([lease.first, lease.end]).toEqual([0, 9])
  expect(ledger.open(0, 9)).toEqual([0, 4, 8].map((first) => ({ first, end: first + 1 })))
  expect(ledger.take(1, 12, 0)).toBeUndefined()
  // What is published behind it goes on where the window ends, over what was passed.
  expect(ledger.extend(0, 9, 5, 12, 0)).toBe(9)
  expect(ledger.extend(0, 9, 5, 14, 0)).toBe(14)
})

it('a window ends in front of what was acknowledged by others', () => {
  const ledger = fresh()
  const lease = ledger.take(5, 5, 0) as Lease
  ledger.acknowledge(lease, 2, 3)
  ledger.giveBack(lease, 0, 5, 2, 0)
  ledger.pass(5, 7)
  expect(ledger.take(9, 9, 1)).toMatchObject({ first: 0, end: 2, attempt: 2 })
  expect(ledger.take(9, 9, 1)).toMatchObject({ first: 3, end: 5, attempt: 2 })
  expect(ledger.take(9, 9, 1)).toMatchObject({ first: 7, end: 9, attempt: 1 })
})

it('of what was passed only that is written which stands beside something acknowledged', () => {
  const ledger = fresh()
  ledger.pass(1, 3)
  ledger.pass(4, 6)
  ledger.pass(7, 9)
  const lease = ledger.take(9, 10, 0) as Lease
  expect(ledger.ranges).toEqual([])
  ledger.acknowledge(lease, 6, 7)
  expect(ledger.ranges).toEqual([{ first: 4, end: 9 }])
  ledger.acknowledge(lease, 0, 1)
  expect([ledger.committed, ledger.ranges]).toEqual([3, [{ first: 4, end: 9 }]])
})

it('loses nothing that matches, and hands out nothing that does not, whatever happens', () => {
  const step = fc.record({
    what: fc.constantFrom(
      'look',
      'look',
      'take',
      'take',
      'extend',
      'acknowledge',
      'acknowledge',
      'giveBack',
      'seek',
      'reopen',
    ),
    size: fc.integer({ min: 1, max: 9 }),
    pick: fc.nat(1000),
  })
  const matching = fc.array(fc.boolean(), { minLength: 60, maxLength: 60 })
  fc.assert(
    fc.property(matching, fc.array(step, { maxLength: 100 }), (matches, steps) => {
      let ledger = fresh()
      let looked = 0
      let nowMs = 0
      let windowEnd = -1
      const acknowledged = new Set<number>()
      let held = new Map<number, Lease>()
      const lookOn = (count: number) => {
        const end = Math.min(matches.length, looked + count)
        for (let first = looked; first < end; first++) {
          let stop = first
          while (stop < end && !matches[stop]) stop += 1
          ledger.pass(first, stop)
          first = stop
        }
        looked = end
      }
      const give = (lease: Lease, first: number, end: number, max: number) => {
        const given = ledger
          .open(first, end)
          .flatMap((range) => Array.from({ length: range.end - range.first }, (_, index) => range.first + index))
        expect(given.length).toBeLessThanOrEqual(max)
        expect(given[given.length - 1]).toBe(end - 1)
        for (const offset of given) {
          expect(matches[offset] && offset < looked && !acknowledged.has(offset) && !held.has(offset)).toBe(true)
          held.set(offset, lease)
        }
        windowEnd = end
      }
      const take = (max: number) => {
        const lease = ledger.take(max, looked, nowMs)
        if (lease === undefined) return false
        expect(ledger.open(lease.first, lease.first + 1)).toHaveLength(1)
        give(lease, lease.first, lease.end, max)
        return true
      }
      const begin = () => {
        held = new Map()
        windowEnd = -1
        looked = ledger.committed
      }
      for (const { what, size, pick } of steps) {
        nowMs += 1
        const [offset, lease] = [...held][pick % Math.max(1, held.size)] ?? []
        if (what === 'look') lookOn(size)
        else if (what === 'take') take(size)
        else if (what === 'extend' && windowEnd >= 0) {
          const to = ledger.extend(ledger.generation, windowEnd, size, looked, nowMs)
          if (to !== undefined && to > windowEnd) give({ generation: ledger.generation } as Lease, windowEnd, to, size)
        } else if (what === 'acknowledge' && offset !== undefined && lease !== undefined) {
          // With what was passed behind it, as a processor does.
          const stop = ledger.open(offset + 1, looked)[0]?.first ?? offset + 1
          ledger.acknowledge(lease, offset, Math.max(offset + 1, Math.min(stop, ledger.next)))
          acknowledged.add(offset)
          held.delete(offset)
        } else if (what === 'giveBack' && offset !== undefined && lease !== undefined) {
          ledger.giveBack(lease, offset, offset + 1, 2, nowMs)
          held.delete(offset)
        } else if (what === 'seek') {
          ledger.seek(size)
          acknowledged.clear()
          for (let below = 0; below < size; below++) acknowledged.add(below)
          begin()
        } else if (what === 'reopen') {
          const { committed, ranges } = ledger
          for (const { first, end } of ranges) {
            const some = Array.from({ length: end - first }, (_, index) => first + index)
            expect(some.some((each) => acknowledged.has(each))).toBe(true)
          }
          ledger = new GroupLedger({ committed, ranges: [...ranges] })
          begin()
        }
        const isDone = (each: number) => acknowledged.has(each) || (each < looked && !matches[each])
        for (let each = 0; each < matches.length; each++) if (isDone(each)) expect(ledger.isDone(each)).toBe(true)
        expect(isDone(ledger.committed)).toBe(false)
      }
      lookOn(matches.length)
      while (take(3));
      for (let each = 0; each < matches.length; each++) expect(ledger.isDone(each)).toBe(!held.has(each))
      for (const [each] of held) expect(matches[each] && !acknowledged.has(each)).toBe(true)
    }),
    { numRuns: 500 },
  )
})
