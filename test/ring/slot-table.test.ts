import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maxSlots } from '../../src/limits.js'
import { type SlotRow, SlotTable } from '../../src/ring/slot-table.js'

const row = { segment: 3, address: 5 * 2 ** 32 + 4096, byteLength: 1 << 20, owner: 7, access: 'write' as const }

function table(): SlotTable {
  return new SlotTable(SlotTable.allocate())
}

function rowOf(slots: SlotTable): SlotRow {
  const [first] = slots.rows()
  return first
}

describe('slot table', () => {
  it("enters a mapping with one pin, its caller's, and shows it whole", () => {
    const slots = table()
    const slot = slots.claim(row)
    expect([...slots.rows()]).toEqual([
      { ...row, slot, pins: 1, isLent: false, state: 'idle', lastUseMs: expect.any(Number) },
    ])
  })

  it('bounds the slots of readers at every moment, the writer’s not, whatever is reserved, entered, released and taken over', () => {
    const owners = [7, 8, 9]
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(4), fc.nat(20)), { maxLength: 60 }), (steps) => {
        const slots = table()
        let reserved: { slot: number; owner: number }[] = []
        let entered: typeof reserved = []
        for (const [step, pick] of steps) {
          const owner = owners[pick % owners.length]
          const taken = reserved.length + entered.length
          expect(slots.hasRoom(5)).toBe(taken < 5)
          if (step <= 1) {
            const slot = slots.reserve('read', owner, 5)
            expect(slot >= 0).toBe(taken < 5)
            if (slot >= 0) reserved.push({ slot, owner })
          } else if (step === 2 && reserved.length > 0) {
            const [one] = reserved.splice(pick % reserved.length, 1)
            if (pick % 2 === 0) slots.release(one.slot)
            else {
              slots.publish(one.slot, row)
              slots.unpin(one.slot)
              entered.push(one)
            }
          } else if (step === 3 && entered.length > 0) {
            if (pick % 2 === 0) {
              // A thread that has ended leaves what it had entered, and what it was about to.
              const left: number[] = []
              slots.takeOver(owner, ({ slot }) => left.push(slot))
              const isTheirs = (one: { owner: number }) => one.owner === owner
              expect(left.sort()).toEqual(
                entered
                  .filter(isTheirs)
                  .map(({ slot }) => slot)
                  .sort(),
              )
              reserved = reserved.filter((one) => !isTheirs(one))
              entered = entered.filter((one) => !isTheirs(one))
            } else {
              const [{ slot }] = entered.splice(pick % entered.length, 1)
              expect(slots.tryWithdraw(slot)).toBe(true)
              slots.release(slot)
            }
          } else {
            expect(slots.reserve('write', 1, 5)).toBeGreaterThanOrEqual(5)
          }
        }
      }),
    )
  })

  it('gives what a thread was about to enter or to release to others when it has ended, and nobody else’s', () => {
    const slots = table()
    const reserved = slots.reserve('read', 7, 2)
    const withdrawn = slots.claim({ ...row, access: 'read', owner: 7 })
    slots.unpin(withdrawn)
    slots.tryWithdraw(withdrawn)
    expect(slots.reserve('read', 8, 2)).toBe(-1)
    slots.takeOver(8, () => {})
    expect(slots.reserve('read', 8, 2)).toBe(-1)
    slots.takeOver(7, () => {
      throw new Error('what the thread had not entered is not replaced')
    })
    expect([slots.reserve('read', 8, 2), slots.reserve('read', 8, 2)].sort()).toEqual([reserved, withdrawn].sort())
  })

  it('holds as many mappings as it has rows, then answers -1, and reuses a released row', () => {
    const slots = table()
    for (let index = 0; index < maxSlots; index++) expect(slots.claim(row)).toBe(maxSlots - 1 - index)
    expect(slots.claim(row)).toBe(-1)
    slots.unpin(5)
    expect(slots.tryWithdraw(5)).toBe(true)
    expect(slots.claim(row)).toBe(-1)
    slots.release(5)
    expect(slots.claim(row)).toBe(5)
  })

  it('lets nobody wait for a retirement that fails: its owner is asked to close the mapping', () => {
    const slots = table()
    const slot = slots.claim(row)
    slots.unpin(slot)
    slots.tryRetire(rowOf(slots))
    const refuse = () => {
      throw new Error('no memory for it')
    }
    expect(() => slots.finishRetiring(slot, refuse)).toThrow('no memory for it')
    expect([slots.pin(slot), slots.isRetired(slot), slots.tryWithdraw(slot)]).toEqual([false, true, true])
    slots.release(slot)
  })

  it('gives no pin while a range is being replaced or has been', () => {
    const slots = table()
    const slot = slots.claim(row)
    slots.unpin(slot)
    expect(slots.tryRetire(rowOf(slots))).toBe(true)
    expect(slots.pin(slot)).toBe(false)
    slots.finishRetiring(slot, () => {})
    expect(slots.pin(slot)).toBe(false)
    expect(slots.isRetired(slot)).toBe(true)
    expect(slots.tryWithdraw(slot)).toBe(true)
    slots.release(slot)
    expect(slots.pin(slot)).toBe(false)
    expect([...slots.rows()]).toEqual([])
  })

  it('starts the time to live anew with every unpin, but not with a quiet one', () => {
    const slots = table()
    let now = 2 ** 31 - 10
    slots.nowMs = () => now | 0
    const slot = slots.claim(row)
    // The clock wraps meanwhile: only differences count.
    now += 1_000
    expect(slots.idleMs(rowOf(slots))).toBe(1_000)
    slots.pinRow(rowOf(slots))
    slots.unpinQuietly(slot)
    expect(slots.idleMs(rowOf(slots))).toBe(1_000)
    slots.unpin(slot)
    expect(slots.idleMs(rowOf(slots))).toBe(0)
  })

  it('does not retire or pin by a row whose slot has changed hands since', () => {
    const slots = table()
    const slot = slots.claim(row)
    slots.unpin(slot)
    const stale = rowOf(slots)
    slots.tryWithdraw(slot)
    slots.release(slot)
    for (const other of [
      { ...row, address: row.address + 4096 },
      { ...row, segment: 4 },
      { ...row, address: 4096 },
    ]) {
      expect(slots.claim(other)).toBe(slot)
      slots.unpin(slot)
      expect(slots.tryRetire(stale)).toBe(false)
      expect(slots.pinRow(stale)).toBe(false)
      expect(rowOf(slots)).toMatchObject({ ...other, pins: 0, state: 'idle' })
      expect(slots.pinRow(rowOf(slots))).toBe(true)
      slots.unpinQuietly(slot)
      slots.tryWithdraw(slot)
      slots.release(slot)
    }
  })

  it('notices a pin that is given back twice', () => {
    const slots = table()
    const slot = slots.claim(row)
    slots.unpin(slot)
    expect(() => slots.unpin(slot)).toThrow('invariant')
  })

  it('forgets the pins of a dead reaper, and no others', () => {
    const slots = table()
    const slot = slots.claim(row)
    slots.pinRow(rowOf(slots))
    slots.pinRow(rowOf(slots))
    expect(rowOf(slots).pins).toBe(3)
    slots.clearReaperPins()
    expect(rowOf(slots).pins).toBe(1)
    expect(slots.tryRetire(rowOf(slots))).toBe(false)
    slots.unpin(slot)
    expect(slots.tryRetire(rowOf(slots))).toBe(true)
  })

  it('lets the owner itself give back what is asked to leave', () => {
    const slots = table()
    const slot = slots.claim(row)
    expect(slots.tryAskToLeave(rowOf(slots))).toBe(false)
    slots.unpin(slot)
    expect(slots.tryAskToLeave({ ...rowOf(slots), segment: 99 })).toBe(false)
    expect(slots.tryAskToLeave(rowOf(slots))).toBe(true)
    expect(rowOf(slots).state).toBe('leaving')
    expect([slots.pin(slot), slots.tryRetire(rowOf(slots)), slots.isRetired(slot)]).toEqual([false, false, true])
    expect(slots.tryWithdraw(slot)).toBe(true)
    slots.release(slot)
    expect([...slots.rows()]).toEqual([])
  })

  it("takes a dead owner's slot over, pins and all, and frees it after the range was replaced", () => {
    const slots = table()
    const slot = slots.claim(row)
    slots.pin(slot)
    let duringReplace: boolean | undefined
    slots.takeOver(row.owner, () => {
      duringReplace = slots.pin(slot)
    })
    expect(duringReplace).toBe(false)
    expect([...slots.rows()]).toEqual([])
    expect(slots.claim(row)).toBe(slot)
  })
})

/**
 * All interleavings at the level of calls: an owner and a reaper's flush that pin and unpin, a reaper that retires, an
 * owner that withdraws. A script is a row of moves; a move that the protocol does not allow now is skipped.
 */
type Move = 'pin' | 'unpin' | 'tryRetire' | 'finishRetiring' | 'tryWithdraw' | 'release' | 'claim'
const moves: readonly Move[] = ['pin', 'unpin', 'tryRetire', 'finishRetiring', 'tryWithdraw', 'release', 'claim']

/** What the table has promised so far. Throws where a call breaks a promise. */
function play(
  slots: Pick<SlotTable, Exclude<Move, 'claim'>> & { claim: SlotTable['claim'] },
  script: readonly Move[],
): void {
  let slot = slots.claim(row)
  const seen: SlotRow = { ...row, slot, lastUseMs: 0, isLent: false, pins: 0, state: 'idle' }
  let pins = 1
  let state: 'idle' | 'retiring' | 'retired' | 'withdrawn' | 'free' = 'idle'
  for (const move of script) {
    if (move === 'claim') {
      if (state !== 'free') continue
      slot = slots.claim(row)
      expect(slot).toBeGreaterThanOrEqual(0)
      pins = 1
      state = 'idle'
    } else if (move === 'pin') {
      const isPinned = slots.pin(slot)
      expect(isPinned).toBe(state === 'idle')
      if (isPinned) pins += 1
    } else if (move === 'unpin') {
      if (pins === 0) continue
      slots.unpin(slot)
      pins -= 1
    } else if (move === 'tryRetire') {
      const isRetiring = slots.tryRetire(seen)
      // The promise of the table: nobody holds a pin on a range that is replaced.
      if (isRetiring) expect(pins).toBe(0)
      expect(isRetiring).toBe(state === 'idle' && pins === 0)
      if (isRetiring) state = 'retiring'
    } else if (move === 'finishRetiring') {
      if (state !== 'retiring') continue
      slots.finishRetiring(slot, () => {})
      state = 'retired'
    } else if (move === 'tryWithdraw') {
      if (state === 'withdrawn' || state === 'free') continue
      const isWithdrawn = slots.tryWithdraw(slot)
      expect(isWithdrawn).toBe((state === 'idle' && pins === 0) || state === 'retired')
      if (isWithdrawn) state = 'withdrawn'
    } else {
      if (state !== 'withdrawn') continue
      slots.release(slot)
      state = 'free'
    }
  }
}

describe('pins and retirement', () => {
  it('exclude each other in every sequence of up to five calls', () => {
    const scripts = (length: number): Move[][] =>
      length === 0 ? [[]] : scripts(length - 1).flatMap((script) => moves.map((move) => [...script, move]))
    const slots = SlotTable.allocate()
    for (const script of scripts(5)) {
      new Int32Array(slots).fill(0, 0, 16)
      play(new SlotTable(slots), script)
    }
  })

  it('exclude each other in long random sequences', () => {
    const slots = SlotTable.allocate()
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...moves), { maxLength: 200 }), (script) => {
        new Int32Array(slots).fill(0)
        play(new SlotTable(slots), script)
      }),
    )
  })

  it.each([
    [
      'retires in spite of pins',
      (shared: SharedArrayBuffer, real: SlotTable) => ({
        tryRetire: ({ slot }: SlotRow) => {
          const words = new Int32Array(shared)
          if ((words[slot * 16] & ~0xffffff) !== 1 << 24) return false
          words[slot * 16] = (2 << 24) | (words[slot * 16] & 0xffffff)
          return true
        },
        real,
      }),
    ],
    [
      'pins whatever the state',
      (shared: SharedArrayBuffer, real: SlotTable) => ({
        pin: (slot: number) => {
          Atomics.add(new Int32Array(shared), slot * 16, 1)
          return true
        },
        real,
      }),
    ],
    [
      'withdraws in the middle of a retirement',
      (shared: SharedArrayBuffer, real: SlotTable) => ({
        tryWithdraw: (slot: number) => {
          new Int32Array(shared)[slot * 16] = 4 << 24
          return true
        },
        real,
      }),
    ],
  ])('would not in a table that %s (the mutant that these tests have to catch)', (_, lie) => {
    const shared = SlotTable.allocate()
    const property = fc.property(fc.array(fc.constantFrom(...moves), { maxLength: 60 }), (script) => {
      new Int32Array(shared).fill(0)
      const real = new SlotTable(shared)
      const lies = lie(shared, real) as Partial<SlotTable>
      play(
        {
          claim: (entry) => real.claim(entry),
          pin: lies.pin ?? ((slot) => real.pin(slot)),
          unpin: (slot) => real.unpin(slot),
          tryRetire: lies.tryRetire ?? ((seen) => real.tryRetire(seen)),
          finishRetiring: (slot, replace) => real.finishRetiring(slot, replace),
          tryWithdraw: lies.tryWithdraw ?? ((slot) => real.tryWithdraw(slot)),
          release: (slot) => real.release(slot),
        },
        script,
      )
    })
    expect(fc.check(property, { numRuns: 300 }).failed).toBe(true)
  })
})
