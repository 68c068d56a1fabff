import { bytes, json, type ProcessOptions, text } from 'bookend'
import { describe, expect, it } from 'vitest'
import { collect } from '../../scenarios/support.js'
import { range } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

const module = new URL('../../fixtures/handler-appends.mjs', import.meta.url)

onEveryEngine(({ shared, open, supports }) => {
  describe.runIf(supports.process)('what a handler appends', () => {
    const filled = async (values: string[], options: ProcessOptions = {}) => {
      const { log, name } = await shared()
      const topic = log.topic(name, { codec: text })
      await topic.appendMany(values)
      const to = `${name}-out`
      const process = (more: ProcessOptions = {}) =>
        topic.group('g').process(module, { data: { to }, ...options, ...more })
      return { log, topic, to, process, out: log.topic(to, { codec: text }) }
    }

    it('is there when its messages are done: values, keys, headers, in the order of the calls', async () => {
      const copies = range(0, 60).map((index) => `copy ${index}`)
      const { process, out } = await filled(copies, { batchSize: 7 })
      const processor = process()
      await processor.idle()
      const appended = await collect(out.read())
      expect(appended.map(({ value }) => value)).toEqual(copies)
      expect(appended.map(({ keyText }) => keyText)).toEqual(range(0, 60).map((index) => `key ${index}`))
      expect(appended.map(({ headers }) => headers?.from)).toEqual(range(0, 60).map(String))
      await processor.stop()
    })

    it('is there for whoever sees that a message is done, from the first call of a thread on', async () => {
      const { topic, process, out } = await filled([])
      for (const index of range(0, 5)) {
        await topic.append(`copy ${index}`)
        // Threads of its own, which have no way into the log yet.
        const processor = process()
        while ((await topic.group('g').position()).committed <= index) await new Promise(setImmediate)
        expect((await out.bounds()).next).toBe(index + 1)
        await processor.stop()
      }
    })

    it.each(['key', 'none'] as const)('comes from several threads at a time (order %s)', async (order) => {
      const copies = range(0, 200).map((index) => `copy ${index}`)
      const { process, out } = await filled(copies, { order, concurrency: 3, batchSize: 5 })
      const processor = process()
      await processor.idle()
      const appended = await collect(out.read())
      expect(new Set(appended.map(({ value }) => value))).toEqual(new Set(copies))
      await processor.stop()
    })

    it('is bytes, text or JSON by what the value is, or what the codec says, as it was at the call', async () => {
      const values = [
        'json {"a":[1,null]}',
        'json "a string is text"',
        'bytes as they are',
        'codec loud',
        'new-topic x',
      ]
      const { log, to, process } = await filled(values)
      const processor = process()
      await processor.idle()
      const out = log.topic(to, { codec: bytes })
      const appended = (await collect(out.read())).map(({ value }) => Buffer.from(value).toString())
      expect(appended).toEqual(['{"a":[1,null]}', 'a string is text', 'as they are', 'LOUD'])
      expect((await out.get(2))?.keyText).toBe('key')
      expect((await log.topic(to, { codec: json }).get(0))?.value).toEqual({ a: [1, null] })
      expect((await log.topic(`${to}-x`, { codec: text }).get(0))?.value).toBe('new-topic x')
      await processor.stop()
    })

    it('is nothing where the call fails, and comes with the attempt that goes well', async () => {
      const { process, out } = await filled(['copy 0', 'throw-at-first 3', 'copy 1'], { backoffMs: 1 })
      const processor = process()
      await processor.idle()
      expect((await collect(out.read())).map(({ value }) => value)).toEqual(['copy 0', 'throw-at-first 3', 'copy 1'])
      expect(processor.stats.failed).toBe(3)
      await processor.stop()
    })

    it('is there at least once, if the thread ends before its messages are done', async () => {
      const values = ['copy 0', 'exit-at-first 2', 'copy 1', 'exit-at-first 1', 'copy 2']
      const { process, out } = await filled(values, { backoffMs: 1 })
      const processor = process()
      await processor.idle()
      expect(new Set((await collect(out.read())).map(({ value }) => value))).toEqual(new Set(values))
      await processor.stop()
    })

    it.each([
      ['not a name', '["no name", "a"]', 'RangeError'],
      ['no name at all', '[]', 'TypeError'],
      ['a value that is none', '["t"]', 'TypeError'],
      ['an option that is none', '["t", "a", { "keys": "k" }]', 'TypeError'],
      ['a codec that is none', '["t", "a", { "codec": {} }]', 'TypeError'],
      ['a level that is none', '["t", "a", { "durability": "stone" }]', 'RangeError'],
      ['headers that are none', '["t", "a", { "headers": { "a": 1 } }]', 'TypeError'],
    ])('is refused at the call, which fails its message: %s', async (_, mistake, error) => {
      const { log, to, process } = await filled([`mistake ${mistake}`, 'copy 0'], { retries: 0 })
      const processor = process({ deadLetter: `${to}-dead` })
      await processor.idle()
      const [letter] = await collect(log.topic(`${to}-dead`).read())
      expect(letter.headers?.['bookend-error']).toMatch(new RegExp(`^${error}: `))
      expect((await log.topic(to).bounds()).next).toBe(1)
      await processor.stop()
    })

    it('is refused once the call is over, with a word that says so', async () => {
      const { process, out } = await filled(['late', 'tell-late'], { batchSize: 1 })
      const processor = process()
      await processor.idle()
      const [told] = await collect(out.read())
      expect(told.value).toMatch(/^TypeError: context\.append\(\) was called when the call it belongs to was over/)
      await processor.stop()
    })

    it('is refused where it is too large', async () => {
      const log = await open({ maxMessageBytes: 10_000 })
      const topic = log.topic('t', { codec: text })
      await topic.appendMany(['large 10001', 'large 10000'])
      const processor = topic.group('g').process(module, { data: { to: 'out' }, retries: 0, deadLetter: 'dead' })
      await processor.idle()
      expect((await log.topic('out').get(0))?.value.length).toBe(10_000)
      const [letter] = await collect(log.topic('dead').read())
      expect(letter.headers?.['bookend-error']).toContain('10001 bytes')
      await processor.stop()
    })

    it('is written by a call that the closing of the log waits for', async () => {
      const { topic, process, out } = await filled(['until-stop'])
      const waiting = new SharedArrayBuffer(4)
      const to = out.name
      const processor = process({ data: { to, waiting } })
      while (Atomics.load(new Int32Array(waiting), 0) === 0) await new Promise(setImmediate)
      await processor.stop()
      expect((await collect(out.read())).map(({ value }) => value)).toEqual(['until-stop'])
      expect((await topic.group('g').position()).lag).toBe(0)
    })
  })
})
