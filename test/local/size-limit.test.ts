import { expect, it } from 'vitest'
import { codedFailureOf, collect, openLog } from '../scenarios/support.js'

it('a message that is too large leaves not a byte in the log', async () => {
  const max = 200_000
  const log = await openLog(undefined, { maxMessageBytes: max, ringBytes: 64 << 10 })
  const topic = log.topic('t')
  const exact = new Uint8Array(max)
  const over = new Uint8Array(max + 1)
  await topic.append(exact)
  await log.flush('disk')
  const { published } = log.stats().positions
  const calls = [
    () => topic.append(over),
    () => topic.offer(over),
    () => topic.appendMany([exact, over]),
    () => topic.append(exact, { key: 'key' }),
    () => topic.offer(exact, { key: 'key' }),
    () => topic.append(exact, { headers: { a: 'b' } }),
  ]
  for (const call of calls) expect((await codedFailureOf(call)).code).toBe('BOOKEND_TOO_LARGE')
  await log.flush('disk')
  expect(log.stats().positions.published).toBe(published)
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
