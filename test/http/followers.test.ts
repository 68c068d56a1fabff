import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Followers, type Wake } from '../../src/http/followers.js'
import type { Topic } from '../../src/log/topic.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A topic of which only what comes next is asked: `come` is a message. */
function start() {
  let arrived = resolvers()
  const readers = { open: 0, begun: 0 }
  const read = () => {
    readers.open += 1
    readers.begun += 1
    const end = async () => {
      readers.open -= 1
    }
    return { next: () => arrived.promise, return: end }
  }
  const come = () => {
    const before = arrived
    arrived = resolvers()
    before.resolve()
  }
  const topic = { name: 'a', read } as unknown as Topic<Uint8Array>
  return { followers: new Followers(), topic, come, readers }
}

function resolvers() {
  let resolve = () => {}
  const promise = new Promise<void>((resolveIt) => {
    resolve = resolveIt
  })
  return { promise, resolve }
}

it('all who wait at a topic are woken by one reader of it, each time, and it ends with the last of them', async () => {
  const { followers, topic, come, readers } = start()
  const seats = Array.from({ length: 5 }, () => followers.seat(topic, new AbortController().signal))
  for (let round = 1; round <= 3; round++) {
    const waits = seats.map((seat) => seat.wait(round, 1_000))
    expect([followers.count, readers.open, readers.begun]).toEqual([5, 1, round])
    come()
    expect(await Promise.all(waits)).toEqual(Array<Wake>(5).fill('news'))
    expect([followers.count, readers.open]).toEqual([0, 0])
  }
})

it('each wait has its own time, shorter or longer than the one before', async () => {
  const { followers, topic, come } = start()
  const seat = followers.seat(topic, new AbortController().signal)
  for (const ms of [1_000, 300, 5_000, 10]) {
    const news = seat.wait(0, ms)
    await vi.advanceTimersByTimeAsync(ms / 2)
    come()
    expect(await news).toBe('news')
    let why: Wake | undefined
    void seat.wait(0, ms).then((told) => {
      why = told
    })
    await vi.advanceTimersByTimeAsync(ms - 1)
    expect(why).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    expect(why).toBe('time')
  }
  seat.close()
  expect(vi.getTimerCount()).toBe(0)
})

it('who goes, or is sent away, waits no more', async () => {
  const { followers, topic, readers } = start()
  const gone = new AbortController()
  const [goes, stays] = [followers.seat(topic, gone.signal), followers.seat(topic, new AbortController().signal)]
  const waits = [goes.wait(0, 1_000), stays.wait(0, 1_000)]
  gone.abort()
  expect(await waits[0]).toBe('end')
  expect(await goes.wait(0, 1_000)).toBe('end')
  expect([followers.count, readers.open]).toEqual([1, 1])
  followers.tell('a')
  expect(await waits[1]).toBe('news')
  const last = stays.wait(0, 1_000)
  followers.end()
  expect([await last, await stays.wait(0, 1_000)]).toEqual(['end', 'end'])
  expect([followers.count, readers.open]).toEqual([0, 0])
})
