import { runInNewContext } from 'node:vm'
import { text } from 'bookend'
import { expect, it } from 'vitest'
import { collect } from '../../scenarios/support.js'
import { valuesOf } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ open, shared }) => {
  it('a topic comes to be with its first append, and its offsets are dense from 0', async () => {
    const log = await open()
    const topic = log.topic('orders', { codec: text })
    expect(await log.topics()).toEqual([])
    expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
    expect(await topic.get(0)).toBeUndefined()
    expect(await topic.getMany([0, 5])).toEqual([undefined, undefined])
    expect(await collect(topic.read())).toEqual([])
    expect(await topic.offsetAt(0)).toBe(0)
    await topic.trim(5)
    expect(await topic.append('a')).toBe(0)
    expect(await topic.append('b')).toBe(1)
    expect(await topic.appendMany(['c', 'd', 'e'])).toEqual({ first: 2, count: 3 })
    expect(topic.offer('f')).toBe(true)
    await log.flush()
    expect(await topic.bounds()).toEqual({ first: 0, next: 6 })
    expect(await log.topics()).toEqual(['orders'])
    const read = await collect(topic.read())
    expect(read.map(({ offset, value }) => [offset, value])).toEqual(
      [...'abcdef'].map((value, index) => [index, value]),
    )
  })

  it('an empty appendMany writes nothing and says where the next message will stand', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name)
    expect(await topic.appendMany([])).toEqual({ first: 0, count: 0 })
    expect(await log.topics()).not.toContain(name)
    await topic.append(new Uint8Array(1))
    expect(await topic.appendMany([])).toEqual({ first: 1, count: 0 })
  })

  it('two handles of one name are one topic, and topics do not see each other', async () => {
    const { log, name } = await shared()
    const one = log.topic(name, { codec: text })
    const two = log.topic(name, { codec: text })
    const other = log.topic((await shared()).name, { codec: text })
    const offsets = await Promise.all([
      one.append('a'),
      other.append('x'),
      two.append('b'),
      one.append('c'),
      other.append('y'),
    ])
    expect(offsets).toEqual([0, 0, 1, 2, 1])
    expect(valuesOf(await collect(two.read()))).toEqual(['a', 'b', 'c'])
    expect(valuesOf(await collect(other.read()))).toEqual(['x', 'y'])
  })

  it('headers of any plain object are stored as they are', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name)
    const bare = Object.assign(Object.create(null), { a: '1' }) as Record<string, string>
    const foreign = runInNewContext('({ a: "1", __proto__: null, ["__proto__"]: "2" })') as Record<string, string>
    for (const headers of [bare, foreign, { toJSON: '1' }]) {
      const offset = await topic.append(new Uint8Array(1), { headers })
      expect(Object.entries((await topic.get(offset))?.headers ?? {})).toEqual(Object.entries(headers))
    }
  })

  it('a buffer may be used again once its append is acknowledged or its offer taken, and what is read belongs to the application', async () => {
    const log = await open({ ringBytes: 64 << 10 })
    const topic = log.topic('t')
    const buffer = new Uint8Array(60_000)
    for (const length of [100, 16_000, 60_000]) {
      const value = buffer.subarray(0, length)
      const appended = topic.append(value.fill(7))
      await appended
      value.fill(9)
      while (!topic.offer(value.fill(7))) await topic.ready()
      value.fill(9)
    }
    await log.flush()
    const messages = await collect(topic.read())
    expect(messages.map(({ value }) => value.every((byte) => byte === 7))).toEqual(messages.map(() => true))
    for (const { value } of messages) value.fill(1)
    expect((await topic.get(0))?.value).toEqual(new Uint8Array(100).fill(7))
  })
})
