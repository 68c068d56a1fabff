import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OffsetRanges } from '../../../src/collections/offset-ranges.js'
import { GroupLedger } from '../../../src/dispatcher/groups/group-ledger.js'
import { Lease } from '../../../src/dispatcher/groups/lease.js'

const fresh = (committed = 0) => new GroupLedger({ committed, ranges: [] })
const stateOf = ({ committed, ranges }: GroupLedger) => ({ committed, ranges: [...ranges] })

describe('a set of offsets', () => {
  it('holds what a plain set of numbers holds, in ranges that neither overlap nor touch', () => {
    const range = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 12 }))
    const step = fc.oneof(
      range.map(([first, length]) => ({ first, end: first + length, below: -1 })),
      fc.nat(70).map((below) => ({ first: 0, end: 0, below })),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const ranges = new OffsetRanges()
        const model = new Set<number>()
        for (const { first, end, below } of steps) {
          if (below >= 0) {
            ranges.removeBelow(below)
            for (const offset of model) if (offset < below) model.delete(offset)
          } else {
            const before = model.size
            for (let offset = first; offset < end; offset++) model.add(offset)
            expect(ranges.add(first, end)).toBe(model.size > before)
          }
          expect(ranges.size).toBe(model.size)
          for (let offset = 0; offset < 80; offset++) expect(ranges.has(offset)).toBe(model.has(offset))
          for (const [index, range] of ranges.list.entries()) {
            expect(range.end).toBeGreaterThan(range.first)
            if (index > 0) expect(range.first).toBeGreaterThan(ranges.list[index - 1].end)
          }
        }
      }),
    )
  })
})

describe('the books of a group', () => {
  it('hands out each offset once, in order', () => {
    const ledger = fresh(5)
    expect(ledger.take(3, 10, 0)).toMatchObject({ first: 5, end: 8, attempt: 1 })
    expect(ledger.take(3, 10, 0)).toMatchObject({ first: 8, end: 10, attempt: 1 })
    expect(ledger.take(3, 10, 0)).toBeUndefined()
    expect(ledger.take(3, 11, 0)).toMatchObject({ first: 10, end: 11 })
  })

  it('commits the gap-free prefix of what is acknowledged, in whatever order that comes', () => {
    const ledger = fresh()
    const lease = ledger.take(5, 5, 0) as Lease
    ledger.acknowledge(lease, 3, 4)
    ledger.acknowledge(lease, 1, 2)
    expect(stateOf(ledger)).toEqual({
      committed: 0,
      ranges: [
        { first: 1, end: 2 },
        { first: 3, end: 4 },
      ],
    })
    ledger.acknowledge(lease, 0, 1)
    expect(stateOf(ledger)).toEqual({ committed: 2, ranges: [{ first: 3, end: 4 }] })
    ledger.acknowledge(lease, 2, 3)
    expect(stateOf(ledger)).toEqual({ committed: 4, ranges: [] })
  })

  it('starts from a remembered state without handing out what is done', () => {
    const ledger = new GroupLedger({ committed: 2, ranges: [{ first: 3, end: 5 }] })
    expect(ledger.take(10, 8, 0)).toMatchObject({ first: 2, end: 3 })
    expect(ledger.take(10, 8, 0)).toMatchObject({ first: 5, end: 8 })
  })

  it('hands out again what was given back, not before it is due, lowest first, ahead of what is new', () => {
    const ledger = fresh()
    const lease = ledger.take(4, 9, 0) as Lease
    ledger.giveBack(lease, 2, 4, 2, 100)
    ledger.giveBack(lease, 0, 1, 3, 200)
    expect(ledger.take(1, 5, 50)).toMatchObject({ first: 4, attempt: 1 })
    expect(ledger.nextDueMs()).toBe(100)
    expect(ledger.take(1, 9, 100)).toMatchObject({ first: 2, end: 3, attempt: 2 })
    expect(ledger.take(9, 9, 250)).toMatchObject({ first: 0, end: 1, attempt: 3 })
    expect(ledger.take(9, 9, 250)).toMatchObject({ first: 3, end: 4, attempt: 2 })
    expect(ledger.take(9, 9, 250)).toMatchObject({ first: 5, end: 9, attempt: 1 })
  })

  it('does not hand out again what was acknowledged while it waited', () => {
    const ledger = fresh()
    const lease = ledger.take(6, 6, 0) as Lease
    ledger.giveBack(lease, 0, 6, 2, 0)
    ledger.acknowledge(lease, 0, 1)
    ledger.acknowledge(lease, 3, 4)
    expect(ledger.take(9, 6, 1)).toMatchObject({ first: 1, end: 3 })
    expect(ledger.take(9, 6, 1)).toMatchObject({ first: 4, end: 6 })
    expect(ledger.take(9, 6, 1)).toBeUndefined()
  })

  it('ignores what comes back from before a seek', () => {
    const ledger = fresh()
    const lease = ledger.take(4, 9, 0) as Lease
    ledger.seek(1)
    expect(ledger.acknowledge(lease, 0, 4)).toBe(false)
    ledger.giveBack(lease, 0, 4, 2, 0)
    expect(ledger.take(9, 9, 0)).toMatchObject({ first: 1, end: 9, attempt: 1 })
  })

  it('counts what is deleted before it is acknowledged', () => {
    const ledger = fresh()
    const lease = ledger.take(6, 10, 0) as Lease
    ledger.acknowledge(lease, 2, 4)
    expect(ledger.skipBelow(5)).toBe(3)
    expect(ledger.skipBelow(5)).toBe(0)
    expect(stateOf(ledger)).toEqual({ committed: 5, ranges: [] })
    ledger.giveBack(lease, 0, 6, 2, 0)
    expect(ledger.take(9, 10, 1)).toMatchObject({ first: 5, end: 6, attempt: 2 })
    expect(ledger.remaining(10)).toBe(5)
  })

  it('loses nothing and hands out nothing that is done, whatever happens', () => {
    const step = fc.record({
      what: fc.constantFrom(
        'take',
        'take',
        'take',
        'extend',
        'acknowledge',
        'acknowledge',
        'giveBack',
        'publish',
        'trim',
        'reopen',
      ),
      size: fc.integer({ min: 1, max: 7 }),
      pick: fc.nat(1000),
      delay: fc.nat(5),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let ledger = fresh()
        let lastEnd = 0
        let end = 0
        let nowMs = 0
        const done = new Set<number>()
        const gone = new Set<number>()
        let held: { offset: number; lease: Lease }[] = []
        const returned = new Set<number>()
        const take = (max: number) => {
          const lease = ledger.take(max, end, nowMs)
          if (lease === undefined) return false
          expect(lease.end - lease.first).toBeLessThanOrEqual(max)
          give(lease, lease.first, lease.end)
          return true
        }
        const give = (lease: Lease, first: number, stop: number) => {
          lastEnd = stop
          for (let offset = first; offset < stop; offset++) {
            expect(offset).toBeLessThan(end)
            expect(done.has(offset)).toBe(false)
            expect(gone.has(offset)).toBe(false)
            expect(held.some((other) => other.offset === offset)).toBe(false)
            held.push({ offset, lease })
            returned.delete(offset)
          }
        }
        // What is added follows what was given last, and only where nothing else would have come next.
        const extend = (max: number) => {
          const from = lastEnd
          const next = ledger.peek(end, nowMs)
          const to = ledger.extend(ledger.generation, from, max, end, nowMs)
          // What comes next there may be something that was given back: that is another attempt, and nothing to go on with.
          if (to === undefined) return expect(next === undefined || next !== from || returned.has(from)).toBe(true)
          expect(to - from).toBeLessThanOrEqual(max)
          if (to === from) expect(next).toBeUndefined()
          else expect(next).toBe(from)
          give(new Lease(from, to, 1, ledger.generation), from, to)
        }
        for (const { what, size, pick, delay } of steps) {
          nowMs += 1
          const chosen = held[pick % Math.max(1, held.length)]
          if (what === 'publish') end += size
          else if (what === 'take') take(size)
          else if (what === 'extend') extend(size)
          else if (what === 'acknowledge' && chosen !== undefined) {
            ledger.acknowledge(chosen.lease, chosen.offset, chosen.offset + 1)
            done.add(chosen.offset)
            held = held.filter((other) => other !== chosen)
          } else if (what === 'giveBack' && chosen !== undefined) {
            ledger.giveBack(chosen.lease, chosen.offset, chosen.offset + 1, chosen.lease.attempt + 1, nowMs + delay)
            held = held.filter((other) => other !== chosen)
            returned.add(chosen.offset)
          } else if (what === 'trim') {
            const first = Math.min(end, ledger.committed + size)
            let skipped = 0
            for (let offset = 0; offset < first; offset++) {
              if (!done.has(offset) && !gone.has(offset)) skipped += 1
              gone.add(offset)
            }
            expect(ledger.skipBelow(first)).toBe(skipped)
            held = held.filter(({ offset }) => offset >= first)
          } else if (what === 'reopen') {
            ledger = new GroupLedger(stateOf(ledger))
            held = []
            returned.clear()
          }
          let prefix = 0
          while (prefix < end && (done.has(prefix) || gone.has(prefix))) prefix += 1
          expect(ledger.committed).toBe(prefix)
        }
        // In the end everybody who still wants something gets it.
        nowMs += 1_000
        while (take(3));
        for (let offset = 0; offset < end; offset++) {
          const isHeld = held.some((other) => other.offset === offset)
          expect(done.has(offset) || gone.has(offset) || isHeld).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })
})

it('nothing is acknowledged or given back that was never handed out', () => {
  const ledger = fresh()
  const lease = ledger.take(3, 10, 0) as Lease
  expect(() => ledger.acknowledge(lease, 2, 4)).toThrow('only what was given away is acknowledged')
  expect(() => ledger.giveBack(lease, 3, 4, 2, 0)).toThrow('only what was given away is given back')
  // What a seek has made meaningless does no harm, wherever it stood.
  ledger.seek(1)
  expect(ledger.acknowledge(lease, 2, 4)).toBe(false)
  ledger.giveBack(lease, 3, 4, 2, 0)
  expect(stateOf(ledger)).toEqual({ committed: 1, ranges: [] })
})
