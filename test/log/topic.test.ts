import { bytes, json, text } from 'bookend'
import { expect, it } from 'vitest'
import { collect, openLog, temporaryFolder } from '../scenarios/support.js'

it('a topic comes to be with its first append, and its offsets are dense from 0', async () => {
  const log = await openLog()
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
  expect(read.map(({ offset, value }) => [offset, value])).toEqual([...'abcdef'].map((value, index) => [index, value]))
})

it('a message has topic, offset, timestamp, key, headers and value, the same by every way of reading', async () => {
  const log = await openLog()
  const topic = log.topic('m', { codec: json })
  const before = Date.now()
  await topic.append({ n: 1 })
  await topic.append({ n: 2 }, { key: 'köy', headers: { a: '1', 'b c': 'ü', '': '' } })
  await topic.append({ n: 3 }, { key: new Uint8Array([0, 255]) })
  await topic.append({ n: 4 }, { headers: { only: 'headers' } })
  await topic.append({ n: 5 }, { key: '' })
  await topic.appendMany([{ n: 6 }, { n: 7 }], { key: 'both', headers: { h: 'v' } })
  expect(topic.offer({ n: 8 }, { key: 'offered', headers: { o: 'p' } })).toBe(true)
  await log.flush()
  const after = Date.now()
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
    let last = before
    for (const [offset, message] of messages.entries()) {
      expect(message?.topic).toBe('m')
      expect(message?.offset).toBe(offset)
      expect(message?.timestamp).toBeGreaterThanOrEqual(last)
      expect(message?.timestamp).toBeLessThanOrEqual(after)
      last = message?.timestamp ?? 0
    }
  }
  expect(JSON.parse(JSON.stringify(streamed[0])).value).toEqual({ n: 1 })
})

it('codecs bring values back as they were: json, text, bytes, and one of the application', async () => {
  const log = await openLog()
  const values = [null, 0, '', [1, [2]], { a: { b: 'ü' } }, true, 1e300]
  const asJson = log.topic('json', { codec: json })
  await asJson.appendMany(values)
  expect((await collect(asJson.read())).map(({ value }) => value)).toEqual(values)

  const asText = log.topic('text', { codec: text })
  await asText.appendMany(['', 'plain', 'ünï ☃ 😀', '\u0000'])
  expect((await collect(asText.read())).map(({ value }) => value)).toEqual(['', 'plain', 'ünï ☃ 😀', '\u0000'])

  for (const asBytes of [log.topic('bytes', { codec: bytes }), log.topic('bytes')]) {
    await asBytes.append(Buffer.from([1, 2]))
    const { value } = (await asBytes.get(0)) ?? {}
    expect(value?.constructor).toBe(Uint8Array)
    expect(value).toEqual(new Uint8Array([1, 2]))
  }

  const numbers = {
    encode: (value: number) => new Uint8Array(Float64Array.of(value).buffer),
    decode: (encoded: Uint8Array) => new Float64Array(encoded.slice().buffer)[0],
  }
  const asNumbers = log.topic('numbers', { codec: numbers })
  await asNumbers.append(Math.PI)
  expect((await asNumbers.get(0))?.value).toBe(Math.PI)
})

it('a buffer may be used again once its append is acknowledged or its offer taken, and what is read belongs to the application', async () => {
  const log = await openLog(undefined, { ringBytes: 64 << 10 })
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

it('getMany gives what it was asked for, in that order, repeated and missing ones included', async () => {
  const log = await openLog()
  const topic = log.topic('t', { codec: text })
  await topic.appendMany(Array.from({ length: 5_000 }, (_, index) => `m${index}`))
  const offsets = [4_999, 0, 7_000, 0, 2_500, 5_000]
  const values = (await topic.getMany(offsets)).map((message) => message?.value)
  expect(values).toEqual(['m4999', 'm0', undefined, 'm0', 'm2500', undefined])
  expect(await topic.getMany([])).toEqual([])
})

it('getMany keeps the order where several threads look up parts of it', async () => {
  const log = await openLog(temporaryFolder(), { readers: 3 })
  const topic = log.topic('t', { codec: text })
  await topic.appendMany(Array.from({ length: 1_000 }, (_, index) => `m${index}`))
  for (const count of [99, 100, 101, 149, 150, 151, 1_000]) {
    const before = log.stats().readers.tasks
    // All over the topic and past its end, repeatedly.
    const offsets = Array.from({ length: count }, (_, index) => (index * 619) % 1_100)
    const values = (await topic.getMany(offsets)).map((message) => message?.value)
    expect(values).toEqual(offsets.map((offset) => (offset < 1_000 ? `m${offset}` : undefined)))
    expect(log.stats().readers.tasks - before).toBe(Math.min(3, Math.max(1, Math.floor(count / 50))))
  }
})

it('two handles of one name are one topic, and topics do not see each other', async () => {
  const log = await openLog()
  const one = log.topic('same', { codec: text })
  const two = log.topic('same', { codec: text })
  const other = log.topic('other', { codec: text })
  const offsets = await Promise.all([
    one.append('a'),
    other.append('x'),
    two.append('b'),
    one.append('c'),
    other.append('y'),
  ])
  expect(offsets).toEqual([0, 0, 1, 2, 1])
  expect((await collect(two.read())).map(({ value }) => value)).toEqual(['a', 'b', 'c'])
  expect((await collect(other.read())).map(({ value }) => value)).toEqual(['x', 'y'])
})

it('everything is there after close and open, and numbering goes on', async () => {
  const directory = temporaryFolder()
  for (let round = 0; round < 3; round++) {
    const log = await openLog(directory)
    const topic = log.topic('t', { codec: text })
    expect(await topic.bounds()).toEqual({ first: 0, next: round * 2 })
    expect(await topic.append(`${round}a`)).toBe(round * 2)
    topic.offer(`${round}b`)
    await log.close()
  }
  const log = await openLog(directory)
  expect((await collect(log.topic('t', { codec: text }).read())).map(({ value }) => value)).toEqual([
    ...['0a', '0b', '1a', '1b', '2a', '2b'],
  ])
  expect(log.stats().recovery.tornBytes).toBe(0)
  expect(log.stats().recovery.epoch).toBe(4)
})

it('an append at level disk is flushed when it is acknowledged, and flush("disk") covers offers', async () => {
  const log = await openLog(undefined, { flushIntervalMs: 3_600_000 })
  const topic = log.topic('t', { codec: text })
  await topic.append('a', { durability: 'disk' })
  let { positions } = log.stats()
  expect(positions.durable).toBe(positions.published)
  await topic.append('b')
  expect(log.stats().positions.durable).toBeLessThan(log.stats().positions.published)
  topic.offer('c')
  await log.flush('disk')
  positions = log.stats().positions
  expect(positions.durable).toBe(positions.published)
  expect((await topic.bounds()).next).toBe(3)
  topic.offer('d')
  log.flushSync('disk')
  positions = log.stats().positions
  expect(positions.durable).toBe(positions.published)
  expect((await topic.bounds()).next).toBe(4)
  await Promise.all(Array.from({ length: 50 }, () => topic.append('e', { durability: 'disk' })))
  // One flush serves everybody who waits.
  expect(log.stats().flushes.count).toBeLessThan(40)
})

it('stats and residency say what the log is doing', async () => {
  const log = await openLog()
  const topic = log.topic('t')
  await topic.appendMany(Array.from({ length: 30 }, () => new Uint8Array(100_000 / 3)))
  await topic.append(new Uint8Array(500_000))
  const stats = log.stats()
  expect(stats.messages).toBe(31)
  expect(stats.messageBytes).toBeGreaterThanOrEqual(1_490_000)
  expect(stats.positions.published).toBeGreaterThan(1 << 20)
  expect(stats.positions.trimmed).toBe(0)
  expect(stats.ring).toMatchObject({ usedBytes: 0, waiting: 0, pending: 0 })
  expect(stats.segments.segmentBytes).toBe(1 << 20)
  expect(stats.errors).toEqual({ count: 0, last: undefined })
  await collect(topic.read())
  const residency = await log.residency()
  expect(residency.map(({ position }) => position)).toEqual(residency.map((_, index) => index << 20))
  expect(residency.map(({ state }) => state).slice(0, 2)).toEqual(['sealed', 'active'])
  for (const { bytes: size, file } of residency) {
    expect(size).toBe(1 << 20)
    expect(file).toMatch(/\/\d{20}\.seg$/)
  }
  const isMapped = stats.io !== 'file'
  expect(residency.some(({ mappings }) => mappings.some(({ thread }) => thread === 'reader'))).toBe(isMapped)
})
