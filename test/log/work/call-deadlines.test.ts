import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { CallDeadlines } from '../../../src/log/work/call-deadlines.js'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

it('each call that has not ended expires when its time is over, once, and one timer does for all', () => {
  const expired: string[] = []
  const calls = new CallDeadlines(100)
  const begin = (name: string) => {
    const call = { beganMs: performance.now(), expire: () => expired.push(name) }
    calls.add(call)
    return call
  }
  begin('first')
  vi.advanceTimersByTime(30)
  const ended = begin('ended')
  begin('second')
  vi.advanceTimersByTime(40)
  begin('third')
  calls.delete(ended)
  expect(vi.getTimerCount()).toBe(1)
  vi.advanceTimersByTime(29)
  expect(expired).toEqual([])
  vi.advanceTimersByTime(1)
  expect(expired).toEqual(['first'])
  vi.advanceTimersByTime(30)
  expect(expired).toEqual(['first', 'second'])
  vi.advanceTimersByTime(40)
  expect([expired, [...calls], vi.getTimerCount()]).toEqual([['first', 'second', 'third'], [], 0])
  begin('later')
  vi.advanceTimersByTime(100)
  expect(expired).toEqual(['first', 'second', 'third', 'later'])
})
