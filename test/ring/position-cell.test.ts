import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { PositionCell, positionCellWords } from '../../src/ring/position-cell.js'

function cells(): { words: Int32Array; writer: PositionCell; reader: PositionCell } {
  const words = new Int32Array(new SharedArrayBuffer(4 * 8))
  return { words, writer: new PositionCell(words, 2), reader: new PositionCell(words, 2) }
}

const around = fc
  .tuple(fc.constantFrom(0, 2 ** 31, 2 ** 32, 2 ** 33, 5 * 2 ** 32, 2 ** 52), fc.integer({ min: -3, max: 3 }))
  .map(([edge, delta]) => Math.max(0, edge + delta))

describe('position cell', () => {
  it('gives back what was stored, around every change of the high word', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(around, fc.maxSafeNat()), { maxLength: 30 }), (values) => {
        const { writer, reader } = cells()
        for (const value of values) {
          writer.store(value)
          expect(reader.load()).toBe(value)
        }
      }),
    )
  })

  it('touches no other word', () => {
    const { words, writer } = cells()
    words.fill(77)
    new PositionCell(words, 2).store(2 ** 40 + 5)
    expect([words[0], words[1], words[2 + positionCellWords]]).toEqual([77, 77, 77])
    expect(writer.load()).toBe(2 ** 40 + 5)
  })

  it('is taken over by a second owner where the first left off', () => {
    const { words, writer } = cells()
    writer.store(7 * 2 ** 32 + 1)
    const second = new PositionCell(words, 2)
    second.store(7 * 2 ** 32 + 2)
    expect(writer.load()).toBe(7 * 2 ** 32 + 2)
  })

  it('makes a loader look again while the high word is marked as changing', () => {
    const { words, reader } = cells()
    words[2] = 5
    words[3] = 1 | (0x80000000 | 0)
    let looks = 0
    // The store finishes after the loader has looked a few times.
    const load = Atomics.load as (array: Int32Array, index: number) => number
    const spy = vi.spyOn(Atomics, 'load') as unknown as { mockImplementation(load: unknown): void; mockRestore(): void }
    spy.mockImplementation((array: Int32Array, index: number) => {
      if (index === 3 && ++looks === 4) words[3] = 1
      return load.call(Atomics, array, index)
    })
    const value = reader.load()
    spy.mockRestore()
    expect(value).toBe(2 ** 32 + 5)
    expect(looks).toBeGreaterThanOrEqual(4)
  })

  it('makes a loader look again where the number went across such a place and came back meanwhile', () => {
    const { writer, reader } = cells()
    writer.store(2 ** 32 - 8)
    let looks = 0
    const load = Atomics.load as (array: Int32Array, index: number) => number
    const spy = vi.spyOn(Atomics, 'load') as unknown as { mockImplementation(load: unknown): void; mockRestore(): void }
    spy.mockImplementation((array: Int32Array, index: number) => {
      if (index === 2 && ++looks === 1) writer.store(2 ** 32 + 8)
      const value = load.call(Atomics, array, index)
      if (index === 2 && looks === 1) writer.store(2 ** 32 - 24)
      return value
    })
    const value = reader.load()
    spy.mockRestore()
    expect(value).toBe(2 ** 32 - 24)
  })

  describe('with a storing thread', () => {
    let worker: Worker | undefined
    afterEach(() => worker?.terminate())

    /** Loads while a worker counts up over changes of the high word; returns how often a loaded value was too small. */
    async function stepsBack(store: string, load: (words: Int32Array) => number): Promise<number> {
      const words = new Int32Array(new SharedArrayBuffer(32))
      const code = `
        const { workerData: words } = require('node:worker_threads')
        const changing = 0x80000000 | 0
        const store = ${store}
        for (let high = 1; Atomics.load(words, 4) === 0 && high < 2 ** 21; high++) {
          store(words, high * 2 ** 32 - 8, high - 1)
          Atomics.store(words, 5, high)
          store(words, high * 2 ** 32 + 8, high)
        }`
      worker = new Worker(code, { eval: true, workerData: words })
      await once(worker, 'online')
      while (Atomics.load(words, 5) < 10) await new Promise(setImmediate)
      let found = 0
      let last = 0
      while (Atomics.load(words, 5) < 2 ** 21 - 1) {
        const value = load(words)
        if (value < last) found += 1
        last = value
      }
      await once(worker, 'exit')
      return found
    }
    const marked = `(words, value, high) => {
      Atomics.store(words, 1, high | changing)
      Atomics.store(words, 0, value | 0)
      Atomics.store(words, 1, high)
    }`
    const unmarked = `(words, value, high) => {
      Atomics.store(words, 0, value | 0)
      Atomics.store(words, 1, high)
    }`

    it('never joins halves of two values', async () => {
      let cell: PositionCell | undefined
      const load = (words: Int32Array) => {
        cell ??= new PositionCell(words, 0)
        return cell.load()
      }
      expect(await stepsBack(marked, load)).toBe(0)
    })

    it('would join them without the mark and the second look (the mutant that this test has to catch)', async () => {
      const load = (words: Int32Array) => {
        const low = Atomics.load(words, 0)
        return (low >>> 0) + Atomics.load(words, 1) * 2 ** 32
      }
      expect(await stepsBack(unmarked, load)).toBeGreaterThan(0)
    })
  })
})
