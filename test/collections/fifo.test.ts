import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Fifo } from '../../src/collections/fifo.js'

type Step = { push: number } | { shift: number } | { keepEven: true } | { drain: true }

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 60 }).map((push) => ({ push })) },
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 60 }).map((shift) => ({ shift })) },
    { weight: 1, arbitrary: fc.constant({ keepEven: true } as const) },
    { weight: 1, arbitrary: fc.constant({ drain: true } as const) },
  ),
  { maxLength: 60 },
)

function run(script: readonly Step[]): void {
  const fifo = new Fifo<number>()
  let model: number[] = []
  let count = 0
  for (const step of script) {
    if ('push' in step) {
      for (let left = step.push; left > 0; left--) {
        fifo.push(count)
        model.push(count++)
      }
    } else if ('shift' in step) {
      for (let left = step.shift; left > 0; left--) expect(fifo.shift()).toBe(model.shift())
    } else if ('keepEven' in step) {
      fifo.keep((item) => item % 2 === 0)
      model = model.filter((item) => item % 2 === 0)
    } else {
      expect(fifo.drain()).toEqual(model)
      model = []
    }
    expect(fifo.length).toBe(model.length)
    expect(fifo.peek()).toBe(model[0])
    expect([...fifo]).toEqual(model)
    expect(model.map((_, index) => fifo.at(index))).toEqual(model)
  }
}

it('gives everything back in the order in which it came, however it grows, runs empty and is thinned out', () => {
  fc.assert(fc.property(steps, run))
})

it('a crowd passes through it, and it goes on', () => {
  run([{ push: 10_000 }, { shift: 9_999 }, { push: 3 }, { shift: 5 }, { push: 20 }, { shift: 20 }])
})
