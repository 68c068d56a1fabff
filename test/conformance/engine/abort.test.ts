import { text } from 'bookend'
import { expect, it } from 'vitest'
import { collect } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ open, shared, supports }) => {
  it('an append with an aborted signal rejects with its reason and writes nothing', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    const reason = new Error('too late')
    const signal = AbortSignal.abort(reason)
    await expect(topic.append('a', { signal })).rejects.toBe(reason)
    await expect(topic.appendMany(['a'], { signal })).rejects.toBe(reason)
    expect(() => topic.offer('a', { signal })).toThrow(reason)
    await log.flush()
    expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
  })

  it('aborting a pending append ends the waiting, and what was handed over stays written', async () => {
    const log = await open({ ringBytes: 64 << 10 })
    const topic = log.topic('t')
    const controller = new AbortController()
    const { signal } = controller
    const pending = Array.from({ length: 100 }, () => topic.append(new Uint8Array(10_000), { signal }))
    pending.push(topic.append(new Uint8Array(1), { signal, durability: supports.disk ? 'disk' : 'process' }))
    const settled = Promise.allSettled(pending)
    controller.abort()
    for (const result of await settled) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ name: 'AbortError' })
    }
    expect((await settled)[100].status).toBe('rejected')
    expect(await topic.append(new Uint8Array(2))).toBe(101)
    expect((await collect(topic.read())).length).toBe(102)
  })
})
