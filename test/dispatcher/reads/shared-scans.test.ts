import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, it, vi } from 'vitest'
import { type ModuleTask, type Scan, SharedScans } from '../../../src/dispatcher/reads/shared-scans.js'
import { BookendError } from '../../../src/errors.js'
import { closedError } from '../../../src/failures.js'
import { AbortWord } from '../../../src/ring/abort-word.js'
import { outcomeOf } from '../../support/groups.js'

afterEach(() => {
  vi.useRealTimers()
})

interface RunningTask {
  readonly task: ModuleTask
  resolve(value: unknown): void
  reject(error: Error): void
}

/** Two threads, whose tasks are the test's to end. One that is told to end dies, as a thread does. */
function twoThreads() {
  const tasks: RunningTask[] = []
  const scans = new SharedScans({
    readers: 2,
    run: (task, signal) =>
      new Promise((resolve, reject) => {
        tasks.push({ task, resolve, reject })
        signal.addEventListener('abort', () => reject(new BookendError('BOOKEND_WORKER', 'the thread was ended')))
      }),
    cut: async ({ from, to }) => [
      { from, to: to / 2, resume: undefined },
      { from: to / 2, to, resume: undefined },
    ],
  })
  return { tasks, scans }
}

const scan: Scan = {
  topic: { id: 0, name: 't' },
  from: 0,
  to: 10_000,
  module: 'file:///m.mjs',
  signal: undefined,
  filter: undefined,
}
const closed = closedError('/log')

async function begun(signal?: AbortSignal) {
  const world = twoThreads()
  const result = outcomeOf(world.scans.run({ ...scan, signal }))
  await turn()
  expect(world.tasks).toHaveLength(2)
  return { ...world, result }
}

function isToldToEnd({ task }: RunningTask): boolean {
  return task.op === 'scan' && new AbortWord(task.abort).isRaised
}

it('the parts of two threads are put together by one of them, in their order', async () => {
  const { tasks, result } = await begun()
  tasks[1].resolve([{ first: 1, end: 2, value: 'b' }])
  tasks[0].resolve([{ first: 0, end: 1, value: 'a' }])
  await turn()
  expect(tasks[2].task).toMatchObject({ op: 'reduce', parts: ['a', 'b'] })
  tasks[2].resolve('ab')
  await turn()
  expect(result.state).toBe('done')
})

it('a log that closes has all threads told, and what they came to until then is not given as the whole', async () => {
  const { tasks, scans, result } = await begun()
  const end = outcomeOf(scans.end(closed))
  expect(tasks.every(isToldToEnd)).toBe(true)
  tasks[0].resolve([{ first: 0, end: 1, value: 'a' }])
  await turn()
  expect(end.state).toBe('pending')
  tasks[1].resolve([])
  await turn()
  expect([result.error, end.state]).toEqual([closed, 'done'])
  expect(tasks).toHaveLength(2)
  await expect(scans.run(scan)).rejects.toBe(closed)
})

it('a scan that has failed is waited for until none of its threads is at work on it', async () => {
  const { tasks, scans, result } = await begun()
  const thrown = new RangeError('of the module')
  tasks[0].reject(thrown)
  await turn()
  expect(result.error).toBe(thrown)
  expect(isToldToEnd(tasks[1])).toBe(true)
  const end = outcomeOf(scans.end(closed))
  await turn()
  expect(end.state).toBe('pending')
  tasks[1].resolve([])
  await turn()
  expect(end.state).toBe('done')
})

it('a thread that does not come to it is ended, which is no death that anybody hears of', async () => {
  const { tasks, scans, result } = await begun()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const end = outcomeOf(scans.end(closed))
  tasks[0].resolve([])
  await turn()
  expect([result.state, end.state]).toEqual(['pending', 'pending'])
  await vi.runAllTimersAsync()
  await turn()
  expect([result.error, end.state]).toEqual([closed, 'done'])
})

it('its own signal speaks first', async () => {
  const controller = new AbortController()
  const { tasks, scans, result } = await begun(controller.signal)
  const reason = new Error('not wanted')
  controller.abort(reason)
  const end = scans.end(closed)
  for (const { resolve } of tasks) resolve([])
  await end
  expect(result.error).toBe(reason)
})
