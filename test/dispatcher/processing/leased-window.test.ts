import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LeasedWindow } from '../../../src/dispatcher/processing/leased-window.js'
import { HandlerWords } from '../../../src/ring/handler-words.js'

const lease = { first: 10, end: 20, attempt: 1, generation: 0 }

it('what all lanes have passed is passed, each offset once', () => {
  const window = new LeasedWindow(lease, 2)
  expect(window.pass(0, 14)).toEqual({ first: 10, end: 10 })
  expect(window.pass(1, 12)).toEqual({ first: 10, end: 12 })
  expect(window.pass(1, 30)).toEqual({ first: 12, end: 14 })
  expect([...window.rest()]).toEqual([{ first: 14, end: 20, attempt: 1 }])
  expect(() => window.pass(0, 13)).toThrow('never goes back')
})

it('what failed comes back as its next attempt, the rest as the same', () => {
  const window = new LeasedWindow({ ...lease, attempt: 3 }, 3)
  window.noteAttempt(15, 5)
  window.noteAttempt(12, 4)
  window.noteAttempt(10, 4)
  for (const lane of [0, 1, 2]) window.pass(lane, 11)
  expect([...window.rest()]).toEqual([
    { first: 11, end: 12, attempt: 3 },
    { first: 12, end: 13, attempt: 4 },
    { first: 13, end: 15, attempt: 3 },
    { first: 15, end: 16, attempt: 5 },
    { first: 16, end: 20, attempt: 3 },
  ])
})

it('grows at its end while it is open, and what was added is passed or left like the rest', () => {
  const window = new LeasedWindow(lease, 2)
  expect(() => window.grow(25)).toThrow('only an open window grows')
  window.open()
  const words = HandlerWords.allocate(10, 20, 0, true)
  window.setTask(0, { words, handled: 0, failed: 0 })
  window.grow(25)
  expect(words.rangeEnd).toBe(25)
  expect([window.end, window.count, window.ahead]).toEqual([25, 15, 15])
  words.endCall(24)
  window.pass(1, 22)
  // The slowest counts, by what its task has told or by what it has passed.
  expect(window.ahead).toBe(3)
  expect(window.pass(0, 24)).toEqual({ first: 10, end: 22 })
  window.close()
  expect(words.isClosed).toBe(true)
  expect(() => window.grow(30)).toThrow('only an open window grows')
  expect([...window.rest()]).toEqual([{ first: 22, end: 25, attempt: 1 }])
})

it('the last lane that leaves is told so', () => {
  const window = new LeasedWindow(lease, 3)
  expect([window.leave(), window.leave(), window.leave()]).toEqual([false, false, true])
})

it('whatever the lanes do, passed and rest are the whole window', () => {
  const moves = fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 0, max: 4 })), { maxLength: 30 })
  fc.assert(
    fc.property(moves, fc.uniqueArray(fc.integer({ min: 10, max: 19 })), (steps, failed) => {
      const window = new LeasedWindow(lease, 3)
      const covered: number[] = []
      const cover = ({ first, end }: { first: number; end: number }) => {
        for (let offset = first; offset < end; offset++) covered.push(offset)
      }
      for (const [lane, step] of steps) cover(window.pass(lane, window.cursor(lane) + step))
      for (const offset of failed) window.noteAttempt(offset, 2)
      for (const range of window.rest()) cover(range)
      expect(covered).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
    }),
  )
})
