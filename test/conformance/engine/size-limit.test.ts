import { expect, it } from 'vitest'
import { codedFailureOf, collect } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ open }) => {
  it('a message of exactly maxMessageBytes is taken by every way, and one byte more is refused without a trace', async () => {
    const max = 200_000
    const log = await open({ maxMessageBytes: max, ringBytes: 64 << 10 })
    const topic = log.topic('t')
    const exact = new Uint8Array(max).fill(5)
    const over = new Uint8Array(max + 1)
    expect(await topic.append(exact)).toBe(0)
    expect(await topic.appendMany([exact, exact])).toEqual({ first: 1, count: 2 })
    while (!topic.offer(exact)) await topic.ready()
    const key = 'key'
    const withKey = exact.subarray(key.length)
    expect(await topic.append(withKey, { key })).toBe(4)
    const calls = [
      () => topic.append(over),
      () => topic.offer(over),
      () => topic.appendMany([exact, over]),
      () => topic.append(exact, { key }),
      () => topic.offer(exact, { key }),
      () => topic.append(exact, { headers: { a: 'b' } }),
    ]
    for (const call of calls) {
      const error = await codedFailureOf(call)
      expect(error.code).toBe('BOOKEND_TOO_LARGE')
      expect(error.message).toContain(String(max))
    }
    await log.flush()
    expect(await topic.bounds()).toEqual({ first: 0, next: 5 })
    const messages = await collect(topic.read())
    expect(messages.map(({ value }) => value.length)).toEqual([max, max, max, max, max - key.length])
    expect(messages.every(({ value }) => value.every((byte) => byte === 5))).toBe(true)
  })

  it('the largest message is larger than the room for what is on its way', async () => {
    const log = await open({ ringBytes: 64 << 10, maxMessageBytes: 3 << 20 })
    const topic = log.topic('t')
    const values = [3 << 20, 1, (64 << 10) + 1, 3 << 20, 0].map((length, index) =>
      new Uint8Array(length).fill(index + 1),
    )
    const offsets = await Promise.all(values.map((value) => topic.append(value)))
    expect(offsets).toEqual([0, 1, 2, 3, 4])
    const read = await collect(topic.read())
    expect(read.length).toBe(5)
    for (const [index, { value }] of read.entries()) expect(Buffer.compare(value, values[index])).toBe(0)
  })
})
