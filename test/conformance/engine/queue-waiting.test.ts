import { getEventListeners } from 'node:events'
import { text } from 'bookend'
import { expect, it } from 'vitest'
import { collect, failureOf, until } from '../../scenarios/support.js'
import { words } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ shared }) => {
  const pushed = async (count: number) => {
    const { log, name } = await shared()
    const queue = log.queue(name, { codec: text })
    await Promise.all(words(count).map((word) => queue.push(word)))
    return queue
  }

  it('a pop waits no longer than it says', async () => {
    const queue = await pushed(0)
    const start = performance.now()
    expect(await queue.pop({ timeoutMs: 25 })).toBeUndefined()
    expect(performance.now() - start).toBeGreaterThanOrEqual(24)
    const late = queue.pop({ timeoutMs: 10 })
    const patient = queue.pop({ timeoutMs: Number.POSITIVE_INFINITY })
    expect(await late).toBeUndefined()
    await queue.push('kept for the patient')
    expect(await patient).toBe('kept for the patient')
  })

  it('a signal ends the waiting, and no message is lost with it', async () => {
    const queue = await pushed(0)
    const controller = new AbortController()
    const given = failureOf(() => queue.pop({ timeoutMs: 30_000, signal: controller.signal }))
    const kept = queue.pop({ timeoutMs: 30_000 })
    controller.abort(new Error('changed my mind'))
    expect((await given).message).toBe('changed my mind')
    await queue.push('kept')
    expect(await kept).toBe('kept')
    await queue.push('still there')
    await failureOf(() => queue.pop({ signal: AbortSignal.abort() }))
    expect(await queue.pop()).toBe('still there')
  })

  it('aborting at any moment either takes the message or leaves it', async () => {
    const queue = await pushed(200)
    let popped = 0
    for (let round = 0; round < 200; round++) {
      const controller = new AbortController()
      const pop = queue.pop({ signal: controller.signal }).then(
        () => true,
        () => false,
      )
      for (let turns = round % 4; turns > 0; turns--) await undefined
      if (round % 5 === 4) await new Promise(setImmediate)
      controller.abort()
      if (await pop) popped += 1
    }
    expect(popped + (await queue.size())).toBe(200)
  })

  it('clearing satisfies nobody who waits', async () => {
    const queue = await pushed(0)
    const waiting = queue.pop({ timeoutMs: 30_000 })
    await queue.clear()
    await queue.push('x')
    expect(await waiting).toBe('x')
  })

  it('iterating pops, and waits for more', async () => {
    const queue = await pushed(3)
    const seen: string[] = []
    const all = (async () => {
      for await (const value of queue) {
        seen.push(value)
        if (value === 'stop') break
      }
    })()
    await until('the first three are popped', () => seen.length === 3)
    await queue.push('more')
    await queue.push('stop')
    await queue.push('left')
    await all
    expect(seen).toEqual(['m0', 'm1', 'm2', 'more', 'stop'])
    expect(await queue.pop()).toBe('left')
  })

  it('asking in a loop, however it is done, lets the event loop turn', async () => {
    const queue = await pushed(0)
    const ways: (() => Promise<boolean>)[] = [
      async () => (await queue.pop()) !== undefined,
      async () => (await queue.peek()) !== undefined,
      async () => (await collect(queue.browse())).length > 0,
    ]
    for (const isThere of ways) {
      await queue.clear()
      const pushing = new Promise((resolve) => setTimeout(resolve, 5)).then(() => queue.push('at last'))
      while (!(await isThere()));
      await pushing
    }
  })

  it('pops that have given up leave nothing behind: no listener at their signal, no timer', async () => {
    const queue = await pushed(0)
    const { signal } = new AbortController()
    for (let count = 0; count < 30; count++) expect(await queue.pop({ timeoutMs: 1, signal })).toBeUndefined()
    expect(getEventListeners(signal, 'abort').length).toBeLessThan(2)
    const timers = () => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length
    const before = timers()
    const waiting = Array.from({ length: 50 }, async () => {
      const own = new AbortController()
      const popped = queue.pop({ timeoutMs: 1_000_000, signal: own.signal })
      await new Promise(setImmediate)
      own.abort()
      await expect(popped).rejects.toMatchObject({ name: 'AbortError' })
    })
    await Promise.all(waiting)
    expect(timers()).toBeLessThan(before + 25)
  })
})
