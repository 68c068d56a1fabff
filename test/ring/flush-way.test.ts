import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FlushWay } from '../../src/ring/flush-way.js'
import { PositionCell, positionCellWords } from '../../src/ring/position-cell.js'

const steps = ['wish', 'hand over', 'publish', 'begin a flush', 'end the oldest flush', 'end the newest flush'] as const

it('keeps its four numbers in order, and answers with what was published when the flush began, whatever comes between', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...steps), fc.integer({ min: 1, max: 2 ** 33 })), { maxLength: 60 }),
      (script) => {
        const words = new Int32Array(new SharedArrayBuffer(4 * positionCellWords * 4))
        const [published, wished, flushed] = [0, 1, 2].map((cell) => new PositionCell(words, cell * positionCellWords))
        const way = new FlushWay(published, wished, flushed)
        const model = { handedOver: 0, published: 0, wished: 0, flushed: 0 }
        const flushes: number[] = []
        for (const [step, by] of script) {
          if (step === 'hand over') model.handedOver += by
          if (step === 'wish') {
            model.wished = model.handedOver
            wished.store(model.wished)
          }
          if (step === 'publish') {
            model.published = Math.min(model.handedOver, model.published + by)
            published.store(model.published)
          }
          if (step === 'begin a flush') flushes.push(way.published())
          if (step === 'end the oldest flush' || step === 'end the newest flush') {
            const done = step === 'end the oldest flush' ? flushes.shift() : flushes.pop()
            if (done === undefined) continue
            way.answer(done)
            model.flushed = Math.max(model.flushed, done)
          }
          expect([published, wished, flushed].map((cell) => cell.load())).toEqual([
            model.published,
            model.wished,
            model.flushed,
          ])
          expect(model.flushed).toBeLessThanOrEqual(model.published)
          expect(way.isDirty).toBe(model.published > model.flushed)
          expect(way.isAwaited).toBe(Math.min(model.published, model.wished) > model.flushed)
        }
      },
    ),
  )
})
