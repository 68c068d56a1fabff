import { json, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ open, shared }) => {
  it('strings of every kind come out as they went in, by every way in and out, among bytes in their order', async () => {
    const { log, name } = await shared()
    const strings = log.topic(name, { codec: text })
    const values = [
      '',
      'plain',
      'caf\u00e9',
      '\ufeffmark',
      '\u20ac'.repeat(500),
      '\u{1f600}\u0000\u{1f600}',
      'x'.repeat(5_000),
    ]
    for (const value of values) expect(strings.offer(value)).toBe(true)
    await log.topic(name).append(Uint8Array.of(0x62))
    for (const value of values) await strings.append(value, { key: 'k\u00e9y', headers: { h: '\u20ac' } })
    await strings.appendMany(values)
    const expected = [...values, 'b', ...values, ...values]
    const messages = await collect(strings.read())
    expect(messages.map(({ value }) => value)).toEqual(expected)
    expect(messages[10]).toMatchObject({ keyText: 'k\u00e9y', headers: { h: '\u20ac' } })
    expect(messages[2].key).toBeUndefined()
    const batches = await collect(strings.read().batches())
    expect(batches.flat().map(({ value }) => value)).toEqual(expected)
    expect((await strings.get(4))?.value).toBe(values[4])
    // What is stored is their UTF-8.
    const stored = await collect(log.topic(name).read())
    expect(stored.map(({ value }) => Buffer.from(value).toString())).toEqual(expected)
  })

  it('half a surrogate pair is stored as U+FFFD, as TextEncoder stores it', async () => {
    const { log, name } = await shared()
    const strings = log.topic(name, { codec: text })
    const odd = ['\ud800', 'a\udc00b', '\udc00\ud800', '\ud83d\ude00\ud83d']
    for (const value of odd) strings.offer(value)
    await strings.append(odd[1])
    await strings.appendMany(odd)
    const read = (await collect(strings.read())).map(({ value }) => value)
    const written = odd.map((value) => new TextDecoder().decode(new TextEncoder().encode(value)))
    expect(read).toEqual([...written, written[1], ...written])
    // JSON has escapes for them.
    const objects = log.topic(name, { codec: json<{ odd: string }>() })
    const offset = await objects.append({ odd: '\ud800' })
    expect((await objects.get(offset))?.value).toEqual({ odd: '\ud800' })
  })

  it('strings of all lengths pass through a small room, and a long one in the middle keeps its place', async () => {
    const log = await open({ ringBytes: 64 << 10, maxMessageBytes: 1 << 20 })
    const strings = log.topic('t', { codec: text })
    const of = (number: number) =>
      `${number} ${['x', '\u00e9', '\u20ac', '\u{1f600}'][number % 4].repeat((number * 37) % 900)}`
    const total = 3_000
    for (let number = 0; number < total; number++) {
      const value = number === 1_500 ? '\u20ac'.repeat(300_000) : of(number)
      if (number % 7 === 0) await strings.append(value)
      else while (!strings.offer(value)) await strings.ready()
    }
    await log.flush()
    let number = 0
    for await (const { value } of strings.read()) {
      expect(value).toBe(number === 1_500 ? '\u20ac'.repeat(300_000) : of(number))
      number += 1
    }
    expect(number).toBe(total)
  })

  it('a string counts by its bytes: the longest is taken by every way, and one byte more is refused without a trace', async () => {
    const max = 100_000
    const log = await open({ maxMessageBytes: max, ringBytes: 64 << 10 })
    const strings = log.topic('t', { codec: text })
    const ascii = 'x'.repeat(max)
    const wide = '\u20ac'.repeat(33_333)
    for (const value of [ascii, `${wide}x`]) {
      await strings.append(value)
      await strings.appendMany([value, value])
      while (!strings.offer(value)) await strings.ready()
      for (const call of [
        () => strings.append(`${value}x`),
        () => strings.offer(`${value}x`),
        () => strings.appendMany(['', `${value}x`]),
        () => strings.append(value, { key: 'k' }),
      ])
        expect((await codedFailureOf(call)).code).toBe('BOOKEND_TOO_LARGE')
    }
    await log.flush()
    expect((await collect(strings.read())).map(({ value }) => value.length)).toEqual([
      ...Array<number>(4).fill(max),
      ...Array<number>(4).fill(33_334),
    ])
  })

  it('appendMany writes nothing where one of its values cannot be encoded', async () => {
    const { log, name } = await shared()
    const objects = log.topic<unknown>(name, { codec: json })
    const circular: { self?: unknown } = {}
    circular.self = circular
    await expect(objects.appendMany([1, circular, 3])).rejects.toBeInstanceOf(TypeError)
    await expect(objects.appendMany([1, undefined])).rejects.toBeInstanceOf(TypeError)
    expect(() => objects.offer(circular)).toThrow(TypeError)
    const appends = {
      toJSON() {
        objects.offer('meanwhile')
        return 'said'
      },
    }
    expect(await objects.append(appends)).toBe(1)
    expect((await collect(objects.read())).map(({ value }) => value)).toEqual(['meanwhile', 'said'])
  })

  it('a codec that encodes into memory it is given is held to what it says, and harms nobody', async () => {
    const { log, name } = await shared()
    let lie: number | undefined
    const codec = {
      encode: (value: string) => Buffer.from(value),
      decode: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
      encodeInto(value: string, target: Uint8Array): number {
        if (value === 'throw') {
          target.fill(0xff)
          throw new RangeError('in the middle')
        }
        if (value.length > target.length) return -1
        new TextEncoder().encodeInto(value, target)
        return lie ?? value.length
      },
    }
    const topic = log.topic(name, { codec })
    const long = 'l'.repeat(200_000)
    expect(topic.offer('offered')).toBe(true)
    await topic.append('appended')
    for (lie of [-2, 1e9, Number.NaN, 0.5]) {
      expect(() => topic.offer('lie')).toThrow(TypeError)
      await expect(topic.append('lie')).rejects.toBeInstanceOf(TypeError)
    }
    lie = undefined
    expect(() => topic.offer('throw')).toThrow('in the middle')
    await expect(topic.append('throw')).rejects.toThrow('in the middle')
    await topic.append(long)
    await topic.appendMany(['one', 'two'])
    // Too short a length is what it says: that much is the value.
    lie = 2
    await topic.append('cut off')
    const values = (await collect(topic.read())).map(({ value }) => value)
    expect(values).toEqual(['offered', 'appended', long, 'one', 'two', 'cu'])
  })
})
