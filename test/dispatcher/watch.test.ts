import { expect, it, onTestFinished, vi } from 'vitest'
import { BriefWait } from '../../src/dispatcher/brief-wait.js'
import { KeepAlive } from '../../src/dispatcher/keep-alive.js'
import { type Waiter, Watch, wakes } from '../../src/dispatcher/watch.js'
import { closedError } from '../../src/failures.js'
import { writerState } from '../../src/ring/shared-state.js'
import { sharedWords } from '../support/shared-words.js'

/** Waits for the flushed position to reach what it was told. */
class Scout implements Waiter {
  readonly seen: string[] = []
  want = 0
  at: number = wakes.anyway
  quickCount = 1
  onSettle: () => void = () => {}
  readonly #done: () => boolean

  constructor(done: () => boolean) {
    this.#done = done
  }

  settle(): void {
    this.onSettle()
    if (this.want > 0 && this.#done()) {
      this.want = 0
      this.seen.push('done')
    }
  }

  wakesAt(): number {
    return this.want > 0 ? this.at : wakes.never
  }

  refuse(error: Error): void {
    if (this.want > 0) this.seen.push(error.message)
    this.want = 0
  }
}

/** @param briefMs how long it stays awake before it sleeps; 0: not at all */
function world(briefMs = 0) {
  const { state, lane } = sharedWords()
  const briefWait = new BriefWait(briefMs)
  const watch = new Watch({ state, lane, directory: '/log', keepAlive: new KeepAlive(), briefWait })
  const add = (done: () => boolean) => {
    const scout = new Scout(done)
    watch.register(scout)
    return scout
  }
  return { state, lane, watch, add }
}

/** Enough for a bell to be heard. */
async function turns(): Promise<void> {
  for (let count = 0; count < 3; count++) await new Promise(setImmediate)
}

it('one ring of the bell serves everybody who waits, and nobody else keeps the loop', async () => {
  const { state, lane, watch, add } = world()
  const [flushed, trimmed, idle] = [
    add(() => state.durable.load() > 0),
    add(() => state.trim.load() > 0),
    add(() => true),
  ]
  for (const scout of [flushed, trimmed]) {
    scout.want = 1
    watch.begin(wakes.anyway)
  }
  state.durable.store(1)
  state.trim.store(1)
  lane.bell.ring()
  await turns()
  expect([flushed.seen, trimmed.seen, idle.seen]).toEqual([['done'], ['done'], []])
  // Nobody waits: the next bell finds nobody.
  let looks = 0
  flushed.onSettle = () => {
    looks += 1
  }
  lane.bell.ring()
  await turns()
  expect(looks).toBe(0)
})

it('the writer rings for the earliest that anybody waits for, also for one who comes while the others sleep', async () => {
  const { lane, watch, add } = world()
  lane.ringHead.store(1_000)
  lane.ringTail.store(9_000)
  const [device, room, batch] = [add(() => false), add(() => false), add(() => false)]
  const marks: number[] = []
  for (const [scout, at] of [
    [device, wakes.anyway],
    [room, 5_000],
    [batch, wakes.withEveryBatch],
    [device, wakes.anyway],
  ] as const) {
    scout.want = 1
    scout.at = at
    watch.begin(at)
    marks.push(lane.wakeHead.load())
    await turns()
    expect(lane.wakeHead.load()).toBe(marks.at(-1))
  }
  expect(marks).toEqual([9_001, 5_000, 1_000, 1_000])
  batch.want = 0
  lane.bell.ring()
  await turns()
  expect(lane.wakeHead.load()).toBe(5_000)
  watch.fail(closedError('/log'))
})

it('what is done behind its looks, before it sleeps, is seen', async () => {
  for (const behind of [1, 2]) {
    const { state, lane, watch, add } = world()
    lane.ringTail.store(1_000)
    const scout = add(() => state.durable.load() > 0)
    scout.want = 1
    let looks = 0
    // Registered later, so it looks later: the worker is done when the scout has just looked.
    add(() => false).onSettle = () => {
      looks += 1
      // Something moves on: there is another look before it sleeps.
      lane.ringHead.store(looks)
      if (looks !== behind) return
      state.durable.store(1)
      lane.bell.ringIfAsleep()
    }
    watch.begin(wakes.anyway)
    await turns()
    expect(scout.seen).toEqual(['done'])
  }
})

it('what the writer has published while it is told when to ring is seen, although it has not rung', async () => {
  const { lane, watch, add } = world()
  lane.ringTail.store(1_000)
  const scout = add(() => lane.ringHead.load() === 1_000)
  scout.want = 1
  scout.at = wakes.withEveryBatch
  const store = lane.wakeHead.store.bind(lane.wakeHead)
  lane.wakeHead.store = (mark) => {
    // By the mark before, nobody wants to be woken.
    lane.ringHead.store(1_000)
    store(mark)
  }
  watch.begin(scout.at)
  await turns()
  expect(scout.seen).toEqual(['done'])
})

it('what is done while it stays awake is seen without a bell, of whatever kind it is', async () => {
  for (const what of ['ringHead', 'commitDone'] as const) {
    const { state, lane, watch, add } = world(Number.POSITIVE_INFINITY)
    const word = what === 'ringHead' ? lane.ringHead : state.commitDone
    const scout = add(() => word.load() === 8)
    scout.want = 1
    watch.begin(wakes.withEveryBatch)
    // It is not said to be asleep, so nobody rings for it.
    const token = lane.bell.token()
    word.store(8)
    lane.bell.ringIfAsleep()
    await turns()
    expect([scout.seen, lane.bell.token()]).toEqual([['done'], token])
  }
})

it('clocks that an application has put in their place change nothing', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { lane, watch, add } = world(Number.POSITIVE_INFINITY)
  const scout = add(() => lane.ringHead.load() > 0)
  scout.want = 1
  const done = new Promise<void>((resolve) => {
    scout.onSettle = () => {
      if (lane.ringHead.load() > 0) resolve()
    }
  })
  watch.begin(wakes.withEveryBatch)
  lane.ringHead.store(1)
  await done
  expect(scout.seen).toEqual(['done'])
})

it('for nothing that is quick, or for much, it does not stay awake', async () => {
  for (const count of [0, 1_000]) {
    // It would look for ever.
    const { lane, watch, add } = world(Number.POSITIVE_INFINITY)
    const scout = add(() => lane.ringHead.load() > 0)
    scout.quickCount = count
    scout.want = 1
    watch.begin(wakes.withEveryBatch)
    await turns()
    lane.ringHead.store(1)
    lane.bell.ringIfAsleep()
    await turns()
    expect(scout.seen).toEqual(['done'])
  }
})

it('where nothing comes while it stays awake it sleeps, and is rung for', async () => {
  const { state, lane, watch, add } = world(Number.MIN_VALUE)
  const scout = add(() => state.durable.load() > 0)
  scout.want = 1
  watch.begin(wakes.anyway)
  await turns()
  expect(scout.seen).toEqual([])
  state.durable.store(1)
  lane.bell.ringIfAsleep()
  await turns()
  expect(scout.seen).toEqual(['done'])
})

it('a failure settles what is done and refuses the rest, once', async () => {
  const { state, watch, add } = world()
  const [done, open] = [add(() => state.durable.load() > 0), add(() => false)]
  for (const scout of [done, open]) {
    scout.want = 1
    watch.begin(wakes.anyway)
  }
  state.durable.store(1)
  const error = closedError('/log')
  watch.fail(error)
  watch.fail(closedError('/other'))
  expect(watch.failure).toBe(error)
  expect([done.seen, open.seen]).toEqual([['done'], [error.message]])
})

it('a device that fails a worker ends the waiting of all, and is told to whoever comes', async () => {
  for (const [word, value] of [
    ['reaperErrno', 5],
    ['writerState', writerState.failed],
  ] as const) {
    const { state, lane, watch, add } = world()
    const scout = add(() => false)
    scout.want = 1
    watch.begin(wakes.anyway)
    state.writerErrno.store(5)
    state[word].store(value)
    lane.bell.ring()
    await turns()
    expect(watch.failure).toMatchObject({ code: 'BOOKEND_IO' })
    expect(scout.seen).toEqual([watch.failure?.message])
    expect(() => watch.checkWorking()).toThrow(watch.failure)
  }
})

it('a broken invariant is told to everybody instead of ending the loop in silence', async () => {
  const { lane, watch, add } = world()
  const [broken, other] = [add(() => false), add(() => false)]
  other.want = 1
  watch.begin(wakes.anyway)
  const error = new Error('an invariant that does not hold')
  broken.onSettle = () => {
    throw error
  }
  lane.bell.ring()
  await turns()
  expect(other.seen).toEqual([error.message])
  expect(watch.failure).toBe(error)
})
