import { setMaxListeners } from 'node:events'
import { expect, it, vi } from 'vitest'
import { Slots, type Turns } from '../../../src/log/work/slots.js'

const { signal } = new AbortController()
// All who wait listen to it.
setMaxListeners(0, signal)
const hourMs = 3_600_000

/** In a turn, which ends with the work. Undefined: it was given up. */
async function within<R>(turns: Turns, signal: AbortSignal, work: () => Promise<R>): Promise<R | undefined> {
  if (!(await turns.begin(signal))) return undefined
  try {
    return await work()
  } finally {
    turns.end()
  }
}

it('gives a slot that comes free to the highest that waits, and every sixteenth to the lowest', async () => {
  const slots = new Slots(1, 3, undefined)
  const begun: number[] = []
  let running = 0
  const run = (rank: number) =>
    within(slots.ofRank(rank), signal, async () => {
      expect(++running).toBe(1)
      begun.push(rank)
      await undefined
      running -= 1
    })
  await Promise.all([0, ...Array(20).fill(2), 0, 0, 1].map(run))
  expect(begun).toEqual([0, ...Array(15).fill(2), 0, ...Array(5).fill(2), 1, 0])
})

it('goes on when what it was given for fails', async () => {
  const slots = new Slots(1, 2, undefined)
  const failing = within(slots.ofRank(0), signal, async () => Promise.reject(new Error('no')))
  const next = within(slots.ofRank(1), signal, async () => 'done')
  await expect(failing).rejects.toThrow('no')
  expect(await next).toBe('done')
})

it('whoever gives up does nothing, and is in nobody’s way', async () => {
  const turns = new Slots(1, 1, undefined).ofRank(0)
  let end: () => void = () => {}
  const first = within(turns, signal, () => new Promise<void>((resolve) => (end = resolve)))
  const controller = new AbortController()
  const given = within(turns, controller.signal, async () => 'never')
  const next = within(turns, signal, async () => 'next')
  controller.abort()
  expect(await given).toBeUndefined()
  end()
  await first
  expect(await next).toBe('next')
  expect(await within(turns, AbortSignal.abort(), async () => 'never')).toBeUndefined()
})

it('begins no more than its pace allows, and what waits for that can be given up', async () => {
  const turns = new Slots(10, 1, { max: 2, intervalMs: hourMs }).ofRank(0)
  const done: number[] = []
  const controller = new AbortController()
  const all = [1, 2, 3, 4].map((number) => within(turns, controller.signal, async () => done.push(number)))
  await Promise.all(all.slice(0, 2))
  controller.abort()
  expect(await Promise.all(all.slice(2))).toEqual([undefined, undefined])
  expect(done).toEqual([1, 2])
})

it('begins the others when their time has come', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
  try {
    const turns = new Slots(10, 1, { max: 2, intervalMs: 30 }).ofRank(0)
    const begun: number[] = []
    const all = Promise.all([1, 2, 3, 4, 5].map((number) => within(turns, signal, async () => begun.push(number))))
    for (const count of [2, 4]) {
      await vi.advanceTimersByTimeAsync(count === 2 ? 0 : 1)
      expect(begun.length).toBe(count)
      await vi.advanceTimersByTimeAsync(29)
      expect(begun.length).toBe(count)
    }
    await vi.advanceTimersByTimeAsync(1)
    await all
    expect(begun).toEqual([1, 2, 3, 4, 5])
  } finally {
    vi.useRealTimers()
  }
})
