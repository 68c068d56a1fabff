import { expect, it } from 'vitest'
import { type IdPlace, IdTable, isSameId, placeOf } from '../../../src/threads/writer/id-table.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

const placed = (id: string): [Uint8Array, IdPlace] => [Buffer.from(id), placeOf(Buffer.from(id))]
const offsetOf = (table: IdTable, id: string) => table.offsetOf(...placed(id))

it.each(seedsFrom(1, 4))(
  'is a list of ids that is searched from its beginning, however it grows and shrinks (SEED=%i)',
  (seed) => {
    const random = new Seeded(seed)
    const table = new IdTable()
    const model: { id: string; offset: number; time: number }[] = []
    for (let step = 0; step < 6_000; step++) {
      // It fills, and is emptied now and then, past what it keeps its rings for.
      const isFilling = step % 3_000 < 2_400
      const id = random.chance(0.5)
        ? `id ${random.below(3_000)}`
        : 'é'.repeat(random.below(random.chance(0.1) ? 500 : 20))
      const first = model.find((known) => known.id === id)
      expect(offsetOf(table, id)).toBe(first?.offset)
      const last = model.findLast((known) => known.id === id)
      expect(table.lastOffsetOf(...placed(id))).toBe(last?.offset)
      if (random.chance(isFilling ? 0.9 : 0.1)) {
        // Out of the midst of other bytes, as it stands in a ring.
        const bytes = Buffer.from(`--${id}--`)
        const known = { id, offset: step, time: step * 2 }
        table.add(bytes, placeOf(bytes, 2, bytes.length - 2), known.offset, known.time)
        model.push(known)
      }
      for (let drops = isFilling ? random.below(2) : 8; drops > 0 && model.length > 0; drops--) {
        expect(table.oldestTime).toBe(model[0].time)
        table.dropOldest()
        model.shift()
      }
      expect(table.length).toBe(model.length)
    }
    expect([...table].map(({ id, ...rest }) => ({ id: Buffer.from(id).toString(), ...rest }))).toEqual(model)
  },
)

it('ids of one hash are told apart by their bytes', () => {
  const table = new IdTable()
  const bytes = Buffer.from('ababc')
  const ids = [
    [0, 1],
    [1, 2],
    [0, 2],
    [2, 3],
  ].map(([from, end]) => ({ from, end, hash: 7 }))
  for (const [offset, id] of ids.slice(0, 3).entries()) table.add(bytes, id, offset, 0)
  expect(ids.map((id) => table.offsetOf(bytes, id))).toEqual([0, 1, 2, 0])
  expect(table.offsetOf(bytes, { from: 4, end: 5, hash: 7 })).toBeUndefined()
  table.dropOldest()
  expect(ids.map((id) => table.offsetOf(bytes, id))).toEqual([undefined, 1, 2, undefined])
  expect(ids.map((id) => isSameId(bytes, ids[0], id))).toEqual([true, false, false, true])
})

it('lets whole blocks of ids go with their last one, and keeps the order of the others', () => {
  const table = new IdTable()
  // The last one is full as well.
  const count = 5 * 2 ** 14
  for (let number = 0; number < count; number++) {
    const bytes = Buffer.from(`id ${number}`)
    table.add(bytes, placeOf(bytes), number, number * 2)
  }
  let wrong = 0
  const check = (dropped: number) => {
    for (let number = dropped % 7; number < count; number += 7)
      if (offsetOf(table, `id ${number}`) !== (number < dropped ? undefined : number)) wrong += 1
    for (let number = 0; number < 1_000; number++) if (offsetOf(table, `no ${number}`) !== undefined) wrong += 1
  }
  check(0)
  for (let dropped = 0; dropped < count - 1; dropped++) {
    if (dropped === count >>> 1) check(dropped)
    if (table.oldestTime !== dropped * 2) wrong += 1
    table.dropOldest()
    if (dropped % 7_919 === 0) expect([...table].map(({ offset }) => offset).at(0)).toBe(dropped + 1)
  }
  expect(wrong).toBe(0)
  expect([...table].map(({ id, offset }) => [Buffer.from(id).toString(), offset])).toEqual([
    [`id ${count - 1}`, count - 1],
  ])
  table.dropOldest()
  expect([table.length, [...table].length, offsetOf(table, `id ${count - 1}`)]).toEqual([0, 0, undefined])
})
