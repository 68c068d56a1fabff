/** What a topic comes to where messages replace each other by key, and what says that there is nothing any more. */
import { bytes, json, type Message, type Topic, text } from 'bookend'
import { expect, it } from 'vitest'
import { collect, expectMistake, failureOf } from '../../scenarios/support.js'
import { Seeded } from '../../support/seeded.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ shared }) => {
  it('is the latest message of every key, whatever was put and deleted before', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    const random = new Seeded(3)
    // The last two have one checksum; one is no text.
    const keys: (string | Uint8Array)[] = [
      'a',
      'ab',
      '',
      'Schlüssel',
      new Uint8Array([0, 255, 254]),
      'plumless',
      'buckeroo',
    ]
    const model = new Map<string, { offset: number; value: string }>()
    const nameOf = (key: string | Uint8Array) => Buffer.from(key as string).toString('hex')
    const check = async () => {
      const found = await collect(topic.entries())
      const expected = [...model].map(([key, { offset, value }]) => ({ key, offset, value }))
      const shown = found.map(({ key, offset, value }) => ({ key: nameOf(key as Uint8Array), offset, value }))
      expect(shown).toEqual(expected.sort((a, b) => a.offset - b.offset))
    }
    for (let round = 0; round < 6; round++) {
      for (let step = 0; step < 25; step++) {
        const key = random.pick(keys)
        const value = `${round}.${step}`
        if (random.chance(0.2)) await topic.append(value)
        else if (random.chance(0.3)) {
          await topic.delete(key)
          model.delete(nameOf(key))
        } else model.set(nameOf(key), { offset: await topic.append(value, { key }), value })
      }
      await check()
    }
    await topic.trim(100)
    for (const [key, { offset }] of model) if (offset < 100) model.delete(key)
    await check()
  })

  it('is that of the moment when it was first asked for, however long it takes', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    expect(await collect(topic.entries())).toEqual([])
    for (let number = 0; number < 600; number++) topic.offer(`v${number}`, { key: `k${number}` })
    await log.flush()
    const entries = topic.entries()
    expect((await entries.next()).value).toMatchObject({ offset: 0, value: 'v0' })
    await topic.append('later', { key: 'k500' })
    await topic.append('new', { key: 'new' })
    await topic.delete('k550')
    const rest = await collect(entries)
    expect(rest.map(({ value }) => value)).toEqual(Array.from({ length: 599 }, (_, index) => `v${index + 1}`))
    expect((await collect(topic.entries())).slice(-3).map(({ keyText }) => keyText)).toEqual(['k599', 'k500', 'new'])
  })

  it('is the same where it is looked for beside the data', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name)
    const messages = 17_000
    const keys = 1_500
    const value = new Uint8Array(1)
    for (let number = 0; number < messages; number++)
      while (!topic.offer(value, { key: `k${(number * 7) % keys}` })) await topic.ready()
    await log.flush()
    await topic.delete('k3')
    const latest = new Map<string, number>()
    for (let number = 0; number < messages; number++) latest.set(`k${(number * 7) % keys}`, number)
    latest.delete('k3')
    const found = await collect(topic.entries())
    expect(found.map(({ offset }) => offset)).toEqual([...latest.values()].sort((a, b) => a - b))
    for (const { keyText, offset } of found) expect(latest.get(keyText as string)).toBe(offset)
  })

  it('a tombstone is a message like any other, without a value, whatever the codec', async () => {
    const { log, name } = await shared()
    const topic: Topic<unknown> = log.topic(name, { codec: json })
    expect(await topic.append({ state: 'open' }, { key: 'k' })).toBe(0)
    expect(await topic.delete('k', { headers: { by: 'me' } })).toBe(1)
    expect(await topic.append('', { key: 'k' })).toBe(2)
    for (const codec of [json, text, bytes]) {
      const seen = (await collect(log.topic<unknown>(name, { codec: codec as never }).read())) as Message<unknown>[]
      expect(seen.map(({ tombstone }) => tombstone)).toEqual([false, true, false])
      const [, dead] = seen
      expect(dead).toMatchObject({ offset: 1, keyText: 'k' })
      expect(dead.value).toBeUndefined()
      expect(dead.headers).toMatchObject({ by: 'me' })
      expect(dead.plain()).toMatchObject({ offset: 1, value: undefined })
      expect(dead.toJSON()).toMatchObject({ key: 'k', value: '' })
      expect(seen[2].value).not.toBeUndefined()
    }
    const consumer = topic.group('g').consume({ from: 'first' })
    for (const tombstone of [false, true, false]) {
      const { value: delivery } = await consumer.next()
      expect(delivery).toMatchObject({ tombstone })
      await delivery?.ack()
    }
    await consumer.return?.()
  })

  it('mistakes are told at once, and nothing is written', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name)
    await expectMistake(() => topic.delete(undefined as never), TypeError)
    await expectMistake(() => topic.delete(5 as never), TypeError)
    await expectMistake(() => topic.delete(new Uint8Array(70_000)), RangeError)
    await expectMistake(() => topic.delete('k', { ttlMs: 5 } as never), TypeError)
    await expectMistake(() => topic.delete('k', { headers: { a: 1 } } as never), TypeError)
    await expectMistake(async () => topic.entries({ from: 0 } as never), TypeError)
    expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
    const reason = new Error('enough')
    await topic.append(new Uint8Array(1), { key: 'k' })
    expect(await failureOf(() => collect(topic.entries({ signal: AbortSignal.abort(reason) })))).toBe(reason)
    const held = new AbortController()
    for (let number = 0; number < 300; number++) topic.offer(new Uint8Array(1), { key: `${number}` })
    await log.flush()
    const entries = topic.entries({ signal: held.signal })
    await entries.next()
    held.abort(reason)
    expect(await failureOf(() => collect(entries))).toBe(reason)
  })
})
