import { bytes, json, type Log, text } from 'bookend'
import { expect, it } from 'vitest'
import { collect } from '../../scenarios/support.js'
import { valuesOf, words } from '../../support/words.js'
import { onEveryReader } from './fixture.js'

const anything = [null, 0, '', [1, [2]], { a: { b: 'ü' } }, true, 1e300]
const lines = ['', 'plain', 'ünï ☃ 😀', '\u0000']
const numbers = {
  encode: (value: number) => new Uint8Array(Float64Array.of(value).buffer),
  decode: (encoded: Uint8Array) => new Float64Array(encoded.slice().buffer)[0],
}
const times = { before: 0, after: 0 }

async function fill(log: Log): Promise<void> {
  await log.topic('many', { codec: text }).appendMany(words(5_000))
  await log.topic('json', { codec: json }).appendMany(anything)
  await log.topic('text', { codec: text }).appendMany(lines)
  await log.topic('bytes').append(Buffer.from([1, 2]))
  await log.topic('numbers', { codec: numbers }).append(Math.PI)
  const parts = log.topic('parts', { codec: json })
  times.before = Date.now()
  await parts.append({ n: 1 })
  await parts.append({ n: 2 }, { key: 'köy', headers: { a: '1', 'b c': 'ü', '': '' } })
  await parts.append({ n: 3 }, { key: new Uint8Array([0, 255]) })
  await parts.append({ n: 4 }, { headers: { only: 'headers' } })
  await parts.append({ n: 5 }, { key: '' })
  await parts.appendMany([{ n: 6 }, { n: 7 }], { key: 'both', headers: { h: 'v' } })
  expect(parts.offer({ n: 8 }, { key: 'offered', headers: { o: 'p' } })).toBe(true)
  await log.flush()
  times.after = Date.now()
}

onEveryReader(fill, (reader) => {
  it('getMany gives what it was asked for, in that order, repeated and missing ones included', async () => {
    const topic = reader.log.topic('many', { codec: text })
    const offsets = [4_999, 0, 7_000, 0, 2_500, 5_000]
    expect(valuesOf(await topic.getMany(offsets))).toEqual(['m4999', 'm0', undefined, 'm0', 'm2500', undefined])
    expect(await topic.getMany([])).toEqual([])
  })

  it('codecs bring values back as they were: json, text, bytes, and one of the application', async () => {
    const { log } = reader
    expect(valuesOf(await collect(log.topic('json', { codec: json }).read()))).toEqual(anything)
    expect(valuesOf(await collect(log.topic('text', { codec: text }).read()))).toEqual(lines)
    for (const asBytes of [log.topic('bytes', { codec: bytes }), log.topic('bytes')]) {
      const { value } = (await asBytes.get(0)) ?? {}
      expect(value?.constructor).toBe(Uint8Array)
      expect(value).toEqual(new Uint8Array([1, 2]))
    }
    expect((await log.topic('numbers', { codec: numbers }).get(0))?.value).toBe(Math.PI)
  })

  it('a message has topic, offset, timestamp, key, headers and value, the same by every way of reading', async () => {
    const topic = reader.log.topic('parts', { codec: json })
    const utf8 = (word: string) => new TextEncoder().encode(word)
    const expected = [
      { value: { n: 1 }, key: undefined, headers: undefined },
      { value: { n: 2 }, key: utf8('köy'), headers: { a: '1', 'b c': 'ü', '': '' } },
      { value: { n: 3 }, key: new Uint8Array([0, 255]), headers: undefined },
      { value: { n: 4 }, key: undefined, headers: { only: 'headers' } },
      { value: { n: 5 }, key: new Uint8Array(0), headers: undefined },
      { value: { n: 6 }, key: utf8('both'), headers: { h: 'v' } },
      { value: { n: 7 }, key: utf8('both'), headers: { h: 'v' } },
      { value: { n: 8 }, key: utf8('offered'), headers: { o: 'p' } },
    ]
    const streamed = await collect(topic.read())
    const single = await Promise.all(expected.map((_, offset) => topic.get(offset)))
    const many = await topic.getMany(expected.map((_, offset) => offset))
    for (const messages of [streamed, single, many]) {
      expect(
        messages.map((message) => ({ value: message?.value, key: message?.key, headers: message?.headers })),
      ).toEqual(expected)
      let last = times.before
      for (const [offset, message] of messages.entries()) {
        expect(message?.topic).toBe('parts')
        expect(message?.offset).toBe(offset)
        expect(message?.timestamp).toBeGreaterThanOrEqual(last)
        expect(message?.timestamp).toBeLessThanOrEqual(times.after)
        last = message?.timestamp ?? 0
      }
    }
    expect(JSON.parse(JSON.stringify(streamed[0])).value).toEqual({ n: 1 })
  })

  it('a topic that does not exist is empty', async () => {
    const topic = reader.log.topic('nothing')
    expect(await reader.log.topics()).not.toContain('nothing')
    expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
    expect(await topic.get(0)).toBeUndefined()
    expect(await topic.getMany([0, 5])).toEqual([undefined, undefined])
    expect(await collect(topic.read())).toEqual([])
    expect(await topic.offsetAt(0)).toBe(0)
  })
})
