import { expect, it, vi } from 'vitest'
import { EventPost } from '../../../src/threads/reaper/event-post.js'
import type { ReaperEvent } from '../../../src/threads/reaper/reaper-event.js'

const flushed = (position: number): ReaperEvent => ({ type: 'flushed', position, micros: 1 })
const prepared: ReaperEvent = { type: 'prepared', segment: 1 }

function start() {
  const sent: ReaperEvent[][] = []
  const post = new EventPost({ postMessage: (events: ReaperEvent[]) => void sent.push(events) })
  return { sent, post }
}

it('flushes wait for each other, nothing waits behind them, and the order is kept', () => {
  vi.useFakeTimers()
  try {
    const { sent, post } = start()
    for (let position = 0; position < 5; position++) post.emit(flushed(position))
    expect(sent).toEqual([])
    vi.runAllTimers()
    expect(sent).toEqual([[0, 1, 2, 3, 4].map(flushed)])
    post.emit(flushed(5))
    post.emit(prepared)
    post.emit(prepared)
    expect(sent.slice(1)).toEqual([[flushed(5), prepared], [prepared]])
    post.emit(flushed(6))
    post.send()
    vi.runAllTimers()
    expect(sent.slice(3)).toEqual([[flushed(6)]])
  } finally {
    vi.useRealTimers()
  }
})

it('holds a bounded number where no timer fires', () => {
  const { sent, post } = start()
  for (let position = 0; position < 1_000; position++) post.emit(flushed(position))
  post.send()
  expect(sent.flat()).toHaveLength(1_000)
  expect(Math.max(...sent.map((events) => events.length))).toBeLessThan(100)
})
