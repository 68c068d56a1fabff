import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { AckDeadline } from '../../../src/dispatcher/groups/ack-deadline.js'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function setUp() {
  const onClose = new Set<() => void>()
  const deadline = new AckDeadline(onClose)
  const giveBack = vi.fn()
  const hold = () => {
    deadline.giveBack = giveBack
    deadline.watch(performance.now() + 100)
  }
  return { onClose, deadline, giveBack, hold }
}

test('deliveries that are acknowledged at once share one clock and one place among what the close stops', () => {
  const { onClose, deadline, hold } = setUp()
  const added = vi.spyOn(onClose, 'add')
  for (let i = 0; i < 10; i++) {
    hold()
    deadline.giveBack = undefined
  }
  expect(added).toHaveBeenCalledTimes(1)
  expect(vi.getTimerCount()).toBe(1)
})

test('a clock that runs out while nothing is held calls nobody, and nothing stays behind', () => {
  const { onClose, deadline, giveBack, hold } = setUp()
  hold()
  deadline.giveBack = undefined
  vi.advanceTimersByTime(200)
  expect(giveBack).not.toHaveBeenCalled()
  expect([onClose.size, vi.getTimerCount()]).toEqual([0, 0])
})

test('what is held when the clock runs out is looked at, and may set it again', () => {
  const { onClose, giveBack, hold } = setUp()
  giveBack.mockImplementationOnce(hold)
  hold()
  vi.advanceTimersByTime(150)
  expect(giveBack).toHaveBeenCalledTimes(1)
  expect(onClose.size).toBe(1)
  vi.advanceTimersByTime(150)
  expect(giveBack).toHaveBeenCalledTimes(2)
  expect(onClose.size).toBe(0)
})

test('a close stops the clock, and what was held is reached from nowhere', () => {
  const { onClose, deadline, giveBack, hold } = setUp()
  hold()
  for (const tell of onClose) tell()
  expect([onClose.size, vi.getTimerCount(), deadline.giveBack]).toEqual([0, 0, undefined])
  vi.advanceTimersByTime(200)
  expect(giveBack).not.toHaveBeenCalled()
})
