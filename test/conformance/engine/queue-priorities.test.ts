/** What is more urgent comes first, and what is less so comes at last. */
import { text } from 'bookend'
import { expect, it } from 'vitest'
import { collect, expectMistake } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ shared, supports }) => {
  it('pops from the top, in order in each, and every sixteenth from below', async () => {
    const { log, name } = await shared()
    const queue = log.queue(name, { codec: text, priorities: 3 })
    for (let at = 0; at < 3; at++) {
      await queue.push(`low ${at}`)
      await queue.push(`high ${at}`, { priority: 2 })
      await queue.push(`middle ${at}`, { priority: 1 })
    }
    for (let at = 3; at < 20; at++) await queue.push(`high ${at}`, { priority: 2 })
    expect(await queue.size()).toBe(26)
    expect(await queue.peek()).toBe('high 0')
    expect((await collect(queue.browse())).at(-1)).toBe('low 2')
    const popped: (string | undefined)[] = []
    for (let at = 0; at < 26; at++) popped.push(await queue.pop({ timeoutMs: 60_000 }))
    const highs = Array.from({ length: 20 }, (_, at) => `high ${at}`)
    expect(popped).toEqual([
      ...highs.slice(0, 15),
      'low 0',
      ...highs.slice(15),
      'middle 0',
      'middle 1',
      'middle 2',
      'low 1',
      'low 2',
    ])
    expect([await queue.pop(), await queue.size(), await queue.peek()]).toEqual([undefined, 0, undefined])
  })

  it('whoever waits gets what comes, of whatever priority, and nothing is lost between those who wait', async () => {
    const { log, name } = await shared()
    const queue = log.queue(name, { codec: text, priorities: 2 })
    const waiting = Array.from({ length: 6 }, () => queue.pop({ timeoutMs: Number.POSITIVE_INFINITY }))
    const values = Array.from({ length: 6 }, (_, at) => `${at}`)
    await Promise.all(values.map((value, at) => queue.push(value, { priority: at % 2 })))
    expect((await Promise.all(waiting)).sort()).toEqual(values)
    const ended = new AbortController()
    const aborted = queue.pop({ timeoutMs: Number.POSITIVE_INFINITY, signal: ended.signal })
    ended.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    await queue.push('last', { priority: 1 })
    expect(await queue.pop({ timeoutMs: 60_000 })).toBe('last')
  })

  it('a worker does all of it, and takes what failed again', async () => {
    const { log, name } = await shared()
    const queue = log.queue(name, { codec: text, priorities: 2 })
    for (let at = 0; at < 4; at++) await queue.push(`${at}`, { priority: at % 2 })
    await queue.push('bad', { priority: 1 })
    const done: string[] = []
    await using worker = queue.work(
      ({ value }) => {
        if (value === 'bad') throw new Error('cannot')
        done.push(value)
      },
      { concurrency: 2, retries: 1, backoffMs: 1, deadLetter: `${name}-failed` },
    )
    await worker.idle()
    expect(done.sort()).toEqual(['0', '1', '2', '3'])
    expect(worker.stats).toEqual({ processed: 4, failed: 2, deadLettered: 1 })
    expect(worker.state).toBe('running')
    await worker.pause()
    expect(worker.state).toBe('paused')
    worker.resume()
    await queue.push('4')
    await worker.idle()
    expect(done).toContain('4')
    await worker.stop()
    expect(worker.state).toBe('stopped')
  })

  it('mistakes are told', async () => {
    const { log, name } = await shared()
    await expectMistake(() => log.queue(name, { priorities: 0 }), RangeError)
    await expectMistake(() => log.queue(name, { priorities: 17 }), RangeError)
    await expectMistake(() => log.queue(name).push(new Uint8Array(1), { priority: 1 }), TypeError)
    const queue = log.queue(name, { priorities: 2 })
    await expectMistake(() => queue.push(new Uint8Array(1), { priority: 2 }), RangeError)
    await expectMistake(() => queue.work(new URL('file:///none.mjs')), TypeError)
    await expectMistake(() => queue.work(() => {}, { order: 'topic' }), TypeError)
    if (!supports.transactions) return
    const ticket = await queue.push(new Uint8Array(1), { priority: 1, delayMs: 86_400_000 })
    expect(await queue.cancel(ticket)).toBe(true)
    expect(await queue.cancel({ ...ticket, deliverAt: 1 })).toBe(false)
    await expectMistake(
      () => log.queue(name).every('id', { everyMs: 1 }, new Uint8Array(1), { priority: 1 }),
      TypeError,
    )
  })

  it('what comes again has one priority, and moves with another one', async (context) => {
    if (!supports.transactions) return context.skip()
    const { log, name } = await shared()
    const queue = log.queue(name, { codec: text, priorities: 3 })
    for (const priority of [0, 2, 1]) {
      await queue.every('id', { everyMs: 86_400_000 }, 'job', { priority })
      const lane = priority === 0 ? name : `${name}.priority-${priority}`
      expect((await queue.repeats()).map(({ topic, repeat }) => [topic, repeat?.id])).toEqual([[lane, 'id']])
    }
    expect(await queue.removeRepeat('id')).toBe(true)
    expect(await queue.removeRepeat('id')).toBe(false)
  })
})
