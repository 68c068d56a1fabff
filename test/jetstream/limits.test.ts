import { text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect } from '../scenarios/support.js'
import { withServers } from './fixture.js'

withServers({}, ({ open, newName }) => {
  it('an id holds for all processes, and for as long as servers remember: longer is refused, and nothing is written', async () => {
    const name = newName()
    const [one, other] = [await open({ name }), await open({ name })].map((log) => log.topic('t', { codec: text }))
    const id = 'a payment, \u{1f600}\r\nand more'
    expect(await Promise.all([one.append('a', { id }), other.append('a', { id })])).toEqual([0, 0])
    expect(await other.appendMany(['b', 'c'], { id })).toMatchObject({ first: 0 })
    expect((await collect(one.read())).map(({ value, headers }) => [value, headers])).toEqual([
      ['a', { 'bookend-id': id }],
    ])
    const long = (await open({ name })).topic('t', { codec: text, dedupe: { windowMs: 120_001 } })
    const error = await codedFailureOf(() => long.append('d', { id: 'other' }))
    expect([error.code, error.message.includes('duplicateWindowMs: 120001')]).toEqual(['BOOKEND_UNSUPPORTED', true])
    expect(await one.bounds()).toEqual({ first: 0, next: 1 })
  })

  it('appendMany of more messages than a batch has is refused, and nothing is written', async () => {
    const log = await open({ batchMessages: 10 })
    const topic = log.topic('t')
    const values = Array.from({ length: 11 }, () => new Uint8Array(1))
    const error = await codedFailureOf(() => topic.appendMany(values))
    expect(error.code).toBe('BOOKEND_TOO_LARGE')
    expect(error.message).toContain('batchMessages')
    expect(await log.topics()).toEqual([])
    expect(await topic.appendMany(values.slice(1))).toEqual({ first: 0, count: 10 })
  })

  it('a batch that the servers do not take is BOOKEND_TOO_LARGE, all or nothing', async () => {
    const log = await open({ batchMessages: 30_000 })
    const topic = log.topic('t')
    const values = Array.from({ length: 20_001 }, () => new Uint8Array(1))
    expect((await codedFailureOf(() => topic.appendMany(values))).code).toBe('BOOKEND_TOO_LARGE')
    expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
    expect(await topic.append(new Uint8Array(1))).toBe(0)
  })

  it('keys and headers are stored as they are, however long and whatever they hold', async () => {
    const log = await open()
    const topic = log.topic('t')
    const key = new Uint8Array(65_536).map((_, index) => index)
    const headers = { 'Nats-Msg-Id': 'a\r\nb: c', ключ: '\u0000\u{1f600}', empty: '' }
    await topic.append(new Uint8Array([1]), { key, headers })
    await topic.append(new Uint8Array(0), { key: '' })
    await topic.append(new Uint8Array([2]), { headers: {} })
    const read = await collect(topic.read())
    expect(read.map((message) => message.plain())).toEqual([
      expect.objectContaining({ key, headers, value: new Uint8Array([1]) }),
      expect.objectContaining({ key: new Uint8Array(0), value: new Uint8Array(0) }),
      expect.objectContaining({ value: new Uint8Array([2]) }),
    ])
    expect(read[2].key).toBeUndefined()
    expect((await topic.getMany([0, 1, 2])).map((message) => message?.plain())).toEqual(
      read.map((message) => message.plain()),
    )
  })

  it('topics whose names look alike on the servers are not the same', async () => {
    const logs = await Promise.all(['a.b', 'a_b', 'a', 'a-b'].map((name) => open({ name })))
    const names = ['b', 'a.b', 'a_b', 'b.c', '-', 'b_c']
    for (const log of logs) for (const name of names) await log.topic(name).append(new TextEncoder().encode(name))
    for (const log of logs) {
      expect(await log.topics()).toEqual([...names].sort())
      for (const name of names) expect(await log.topic(name).bounds()).toEqual({ first: 0, next: 1 })
    }
  })
})
