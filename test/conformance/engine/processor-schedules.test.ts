import { json, text } from 'bookend'
import { describe, expect, it } from 'vitest'
import { collect } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

const module = new URL('../../fixtures/handler-appends.mjs', import.meta.url)
const unsupported = 'does not have scheduled messages'

onEveryEngine(({ shared, supports }) => {
  describe.runIf(supports.process)('what a handler schedules', () => {
    const handled = async (values: string[]) => {
      const { log, name } = await shared()
      const topic = log.topic(name, { codec: text })
      await topic.appendMany(values)
      const [to, deadLetter] = [`${name}-out`, `${name}-dead`]
      const processor = topic.group('g').process(module, { data: { to }, retries: 1, backoffMs: 1, deadLetter })
      await processor.idle()
      await processor.stop()
      const deadLetters = await collect(log.topic(deadLetter, { codec: text }).read())
      return { log, to, errors: deadLetters.map(({ headers }) => headers?.['bookend-error']) }
    }

    it('is delivered when it is due, once, and nothing of a call that fails', async (context) => {
      const values = ['later a', 'later-at-first 1', 'later b']
      const { log, to, errors } = await handled(values)
      if (!log.supports.schedules) {
        expect(errors).toHaveLength(3)
        for (const error of errors) expect(error).toContain(unsupported)
        context.skip()
      }
      const out = await collect(log.topic(to, { codec: text }).read({ follow: true, to: 3 }))
      expect(out.map(({ value }) => value).sort()).toEqual([...values].sort())
      const first = out.find(({ value }) => value === 'later a')
      expect([first?.keyText, first?.headers]).toEqual(['key 0', { from: '0' }])
      expect(await log.scheduled({ topic: to })).toEqual([])
    })

    it('is refused at the call, which fails its message', async () => {
      const mistakes = [
        ['["t", "a", {}]', 'TypeError'],
        ['["t", "a"]', 'TypeError'],
        ['["t", "a", { "delayMs": 1, "deliverAt": 1 }]', 'TypeError'],
        ['["t", "a", { "delayMs": -1 }]', 'RangeError'],
        ['["t", "a", { "delayMs": 1, "id": "an option of topics" }]', 'TypeError'],
        ['["t", "a", { "delayMs": 1, "headers": { "bookend-later-due": "1" } }]', 'TypeError'],
        ['["t", null, { "delayMs": 1, "codec": {} }]', 'TypeError'],
        ['["no name", "a", { "delayMs": 1 }]', 'RangeError'],
      ]
      const { log, errors } = await handled(mistakes.map(([mistake]) => `later-mistake ${mistake}`))
      expect(errors).toHaveLength(mistakes.length)
      for (const [index, [mistake, kind]] of mistakes.entries()) {
        const expected = log.supports.schedules ? `^${kind}` : `^${kind}|${unsupported}`
        expect(errors[index], mistake).toMatch(new RegExp(expected))
      }
      expect(await log.topics()).not.toContain('t')
    })
  })

  it('a function schedules with the acknowledgement, and not once its call is over', async (context) => {
    const { log, name } = await shared()
    if (!log.supports.schedules) context.skip()
    const topic = log.topic(name, { codec: json })
    await topic.appendMany([1, 2])
    let late: (() => void) | undefined
    await using processor = topic.group('g').process(
      ({ value }, { schedule, attempt }) => {
        schedule(`${name}-out`, { value, attempt }, { delayMs: 1, key: 'k', ttlMs: 3_600_000 })
        late = () => schedule(`${name}-out`, 'late', { delayMs: 1 })
        if (value === 2 && attempt === 1) throw new Error('not yet')
      },
      { backoffMs: 1 },
    )
    const out = await collect(log.topic(`${name}-out`, { codec: json }).read({ follow: true, to: 2 }))
    expect(out.map(({ value, keyText }) => [value, keyText])).toEqual([
      [{ value: 1, attempt: 1 }, 'k'],
      [{ value: 2, attempt: 2 }, 'k'],
    ])
    for (const { headers, timestamp } of out) {
      const expires = Number(headers?.['bookend-expires'])
      expect(expires - timestamp).toBeGreaterThan(0)
      expect(expires - timestamp).toBeLessThanOrEqual(3_600_000)
    }
    expect(() => late?.()).toThrow(/context\.schedule\(\) was called when the call it belongs to was over/)
    await processor.idle()
    expect(await log.scheduled({ topic: `${name}-out` })).toEqual([])
  })
})
