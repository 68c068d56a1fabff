import { expect, it } from 'vitest'
import { codedFailureOf, collect, openLog } from '../../scenarios/support.js'

it('a message of exactly maxMessageBytes is taken by every way, and one byte more is refused without a trace', async () => {
  const max = 200_000
  const log = await openLog(undefined, { maxMessageBytes: max, ringBytes: 64 << 10 })
  const topic = log.topic('t')
  const exact = new Uint8Array(max).fill(5)
  const over = new Uint8Array(max + 1)
  expect(await topic.append(exact)).toBe(0)
  expect(await topic.appendMany([exact, exact])).toEqual({ first: 1, count: 2 })
  while (!topic.offer(exact)) await topic.ready()
  const key = 'key'
  const withKey = exact.subarray(key.length)
  expect(await topic.append(withKey, { key })).toBe(4)
  await log.flush('disk')
  const { published } = log.stats().positions
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
  await log.flush('disk')
  expect(log.stats().positions.published).toBe(published)
  expect(await topic.bounds()).toEqual({ first: 0, next: 5 })
  const messages = await collect(topic.read())
  expect(messages.map(({ value }) => value.length)).toEqual([max, max, max, max, max - key.length])
  expect(messages.every(({ value }) => value.every((byte) => byte === 5))).toBe(true)
})

it('the largest message is larger than the ring', async () => {
  const log = await openLog(undefined, { ringBytes: 64 << 10, segmentBytes: 4 << 20, maxMessageBytes: 3 << 20 })
  const topic = log.topic('t')
  const values = [3 << 20, 1, (64 << 10) + 1, 3 << 20, 0].map((length, index) => new Uint8Array(length).fill(index + 1))
  const offsets = await Promise.all(values.map((value) => topic.append(value)))
  expect(offsets).toEqual([0, 1, 2, 3, 4])
  const read = await collect(topic.read())
  for (const [index, { value }] of read.entries()) expect(Buffer.compare(value, values[index])).toBe(0)
})

it('without a limit given, whatever fits a segment is taken, and what does not is told', async () => {
  const log = await openLog()
  const topic = log.topic('t')
  expect((await codedFailureOf(() => topic.append(new Uint8Array(1 << 20)))).code).toBe('BOOKEND_TOO_LARGE')
  let low = 900_000
  let high = 1 << 20
  // The limit itself is the library's business; that it is one sharp line is not.
  while (low + 1 < high) {
    const middle = (low + high) >>> 1
    const isTaken = await topic.append(new Uint8Array(middle)).then(
      () => true,
      () => false,
    )
    if (isTaken) low = middle
    else high = middle
  }
  const { next } = await topic.bounds()
  expect(await topic.append(new Uint8Array(low))).toBe(next)
  expect((await codedFailureOf(() => topic.append(new Uint8Array(high)))).code).toBe('BOOKEND_TOO_LARGE')
  expect((await topic.get(next))?.value.length).toBe(low)
})

it('an appendMany of more than a segment is refused as a whole, and one that just fits is taken', async () => {
  const log = await openLog()
  const topic = log.topic('t')
  await topic.append(new Uint8Array(10))
  const tooMany = Array.from({ length: 1_100 }, () => new Uint8Array(1_000))
  expect((await codedFailureOf(() => topic.appendMany(tooMany))).code).toBe('BOOKEND_TOO_LARGE')
  const small = Array.from({ length: 40_000 }, () => new Uint8Array(0))
  expect((await codedFailureOf(() => topic.appendMany(small))).code).toBe('BOOKEND_TOO_LARGE')
  expect(await topic.bounds()).toEqual({ first: 0, next: 1 })
  expect(await topic.appendMany(tooMany.slice(0, 980))).toEqual({ first: 1, count: 980 })
  expect(await topic.appendMany(small.slice(0, 30_000))).toEqual({ first: 981, count: 30_000 })
  expect((await collect(topic.read())).length).toBe(30_981)
})
