import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Bell } from '../../src/ring/bell.js'
import { Spin } from '../../src/ring/spin.js'
import { Word } from '../../src/ring/word.js'

function bellOver(words: Int32Array): Bell {
  return new Bell(words, 0, 1)
}

function sharedWords(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(64))
}

describe('bell', () => {
  it('is not rung for an owner that is awake', () => {
    const bell = bellOver(sharedWords())
    const token = bell.token()
    bell.ringIfAsleep()
    expect(bell.token()).toBe(token)
    bell.arm()
    bell.ringIfAsleep()
    expect(bell.token()).not.toBe(token)
  })

  it('that rang between arming and waiting does not let its owner sleep', () => {
    const bell = bellOver(sharedWords())
    const token = bell.arm()
    bell.ringIfAsleep()
    // Returns at once: with the ceiling as its only end this test would run into its own.
    bell.wait(token, 3_600_000)
    bell.ringIfAsleep()
    expect(bell.token()).toBe(token + 1)
  })

  it('wakes an event loop that waits, and is disarmed by that', async () => {
    const words = sharedWords()
    const bell = bellOver(words)
    const waiting = bell.waitAsync(bell.arm(), 3_600_000)
    expect(waiting).toBeInstanceOf(Promise)
    bell.ringIfAsleep()
    await waiting
    expect(words[1]).toBe(0)
  })

  it('wakes an event loop at the ceiling, too, and at the last one that was said', async () => {
    const words = sharedWords()
    const bell = bellOver(words)
    // Not the bell itself: nobody has rung.
    for (const ceilingMs of [5, 5, 1]) await bell.waitAsync(bell.arm(), ceilingMs)
    expect(words).toEqual(sharedWords())
    const long = bell.waitAsync(bell.arm(), 3_600_000)
    await bell.waitAsync(bell.arm(), 5)
    await long
  })

  it('leaves no timer behind: not V8’s, which would stay until they expire, and none of its own once it is disarmed', async () => {
    const wait = vi.spyOn(Atomics, 'waitAsync')
    const bell = bellOver(sharedWords())
    const set = vi.spyOn(globalThis, 'setTimeout')
    for (let waits = 0; waits < 100; waits++) {
      const waiting = bell.waitAsync(bell.arm(), 3_600_000)
      bell.ring()
      await waiting
    }
    expect(wait.mock.calls.every((call) => call.length === 3)).toBe(true)
    expect(set).toHaveBeenCalledTimes(1)
    const [timer] = set.mock.results.map(({ value }) => value as NodeJS.Timeout & { _destroyed: boolean })
    expect(timer.hasRef()).toBe(false)
    bell.disarm()
    expect(timer._destroyed).toBe(true)
    wait.mockRestore()
    set.mockRestore()
  })

  it('does not make an event loop wait for a ring that was before', () => {
    const bell = bellOver(sharedWords())
    const token = bell.arm()
    bell.ring()
    expect(bell.waitAsync(token, 3_600_000)).toBeUndefined()
  })
})

describe('spinning', () => {
  it('sees work at once, and without having looked where it may not', () => {
    const bell = bellOver(sharedWords())
    const spin = (spins: number) =>
      new Spin(
        bell,
        () => true,
        () => {},
        spins,
      ).seesWork(bell.token())
    expect(spin(3)).toBe(true)
    expect(spin(0)).toBe(false)
  })

  it('lets others have the processor now and then while it looks', () => {
    let looks = 0
    let yields = 0
    const hasWork = () => ++looks === 1_000
    const yieldProcessor = () => {
      yields += 1
    }
    const bell = bellOver(sharedWords())
    expect(new Spin(bell, hasWork, yieldProcessor, 10_000).seesWork(bell.token())).toBe(true)
    expect(yields).toBe(31)
  })

  it('sees that the bell has rung since the look before it, and otherwise ends', () => {
    const bell = bellOver(sharedWords())
    const spin = new Spin(
      bell,
      () => false,
      () => {},
      3,
    )
    const token = bell.token()
    expect(spin.seesWork(token)).toBe(false)
    bell.ring()
    expect(spin.seesWork(token)).toBe(true)
  })
})

describe('wake-ups between threads', () => {
  let worker: Worker | undefined
  afterEach(() => worker?.terminate())

  /**
   * A worker hands over numbers one by one, each after the last was taken; this thread sleeps between them. True if
   * one sleep ended with its ceiling only, although there was work: its wake-up was lost.
   */
  async function losesOne(count: number, ceilingMs: number, sleep: (bell: Bell, hasWork: () => boolean) => void) {
    const words = sharedWords()
    const code = `
      const { workerData: { words, count } } = require('node:worker_threads')
      for (let number = 1; number <= count && Atomics.load(words, 4) === 0; number++) {
        for (let spin = (number * 7919) % 3000; spin > 0; spin--);
        Atomics.store(words, 2, number)
        // As in Bell.ringIfAsleep: work first, then the look at whether its owner sleeps.
        if (Atomics.load(words, 1) !== 0) {
          Atomics.add(words, 0, 1)
          Atomics.notify(words, 0)
        }
        while (Atomics.load(words, 3) < number && Atomics.load(words, 4) === 0);
      }`
    worker = new Worker(code, { eval: true, workerData: { words, count } })
    await once(worker, 'online')
    const bell = bellOver(words)
    const made = new Word(words, 2)
    const taken = new Word(words, 3)
    let isLost = false
    for (let number = 0; number < count && !isLost; ) {
      const start = performance.now()
      sleep(bell, () => made.load() > number)
      isLost = performance.now() - start >= ceilingMs
      number = made.load()
      taken.store(number)
    }
    new Word(words, 4).store(1)
    await once(worker, 'exit')
    return isLost
  }

  it('are never lost, however work and sleep cross', async () => {
    const ceilingMs = 10_000
    const isLost = await losesOne(20_000, ceilingMs, (bell, hasWork) => {
      const token = bell.arm()
      if (hasWork()) bell.disarm()
      else bell.wait(token, ceilingMs)
    })
    expect(isLost).toBe(false)
  })

  it('would be lost by a sleeper that looks before it arms (the mutant that this test has to catch)', async () => {
    const ceilingMs = 300
    const isLost = await losesOne(20_000, ceilingMs, (bell, hasWork) => {
      if (hasWork()) return
      // Work that is made here, between the look and the announcement, is made unheard.
      for (let spin = 0; spin < 1_000_000 && !hasWork(); spin++);
      bell.wait(bell.arm(), ceilingMs)
    })
    expect(isLost).toBe(true)
  })
})
