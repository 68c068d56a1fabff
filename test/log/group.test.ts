import diagnostics from 'node:diagnostics_channel'
import { type BookendError, type Delivery, json, type Log, text } from 'bookend'
import { expect, it } from 'vitest'
import {
  codedFailureOf,
  expectMistake,
  failureOf,
  openLog,
  overwrite,
  placeOf,
  segmentFile,
  temporaryFolder,
  until,
} from '../scenarios/support.js'

/** A log with messages "m0", "m1", ... in the topic "t". */
async function filled(count: number, directory = temporaryFolder()): Promise<{ log: Log; directory: string }> {
  const log = await openLog(directory)
  await log.topic('t', { codec: text }).appendMany(Array.from({ length: count }, (_, index) => `m${index}`))
  return { log, directory }
}

const groupOf = (log: Log, name = 'g') => log.topic('t', { codec: text }).group(name)

type Consumer<T> = AsyncIterableIterator<Delivery<T>>

async function take<T>(consumer: Consumer<T>, count: number): Promise<Delivery<T>[]> {
  const taken: Delivery<T>[] = []
  while (taken.length < count) {
    const { done, value } = await consumer.next()
    if (done) throw new Error(`the consumer ended after ${taken.length} of ${count}`)
    taken.push(value)
  }
  return taken
}

const offsetsOf = (deliveries: readonly Delivery<unknown>[]) => deliveries.map(({ offset }) => offset)
const range = (first: number, end: number) => Array.from({ length: end - first }, (_, index) => first + index)

it('every group sees every message, with all its parts', async () => {
  const log = await openLog()
  const topic = log.topic('t', { codec: json })
  await topic.append({ n: 0 }, { key: 'k', headers: { h: 'v' } })
  await topic.append({ n: 1 })
  for (const name of ['a', 'b']) {
    const [first, second] = await take(topic.group(name).consume(), 2)
    expect(first).toMatchObject({ topic: 't', offset: 0, attempt: 1, value: { n: 0 }, headers: { h: 'v' } })
    expect(first.key).toEqual(new TextEncoder().encode('k'))
    expect(first.timestamp).toBe((await topic.get(0))?.timestamp)
    expect(second).toMatchObject({ offset: 1, value: { n: 1 } })
  }
})

it('consumers of a group share its messages, across handles on it', async () => {
  const { log } = await filled(100)
  const consumers = [
    groupOf(log).consume(),
    groupOf(log).consume(),
    log.topic('t', { codec: text }).group('g').consume(),
  ]
  const taken = await Promise.all(consumers.map((consumer, index) => take(consumer, [50, 30, 20][index])))
  expect(taken.flatMap(offsetsOf).sort((a, b) => a - b)).toEqual(range(0, 100))
  for (const deliveries of taken)
    expect(offsetsOf(deliveries)).toEqual([...offsetsOf(deliveries)].sort((a, b) => a - b))
})

it('the committed offset is the end of the gap-free acknowledged prefix', async () => {
  const { log } = await filled(5)
  const group = groupOf(log)
  expect(await group.position()).toEqual({ committed: 0, next: 5, lag: 5, skipped: 0 })
  const [a, b, c, d] = await take(group.consume(), 5)
  await c.ack()
  await d.ack()
  expect(await group.position()).toMatchObject({ committed: 0, lag: 3 })
  await a.ack()
  expect(await group.position()).toMatchObject({ committed: 1, lag: 2 })
  await b.ack()
  await b.ack()
  expect(await group.position()).toEqual({ committed: 4, next: 5, lag: 1, skipped: 0 })
})

it('after a restart what was acknowledged does not come again, in whatever order that was, and the rest does', async () => {
  const { log, directory } = await filled(10)
  const deliveries = await take(groupOf(log).consume(), 10)
  for (const index of [0, 1, 4, 7]) await deliveries[index].ack()
  await log.close()
  const reopened = await openLog(directory)
  const again = await take(groupOf(reopened).consume(), 6)
  expect(offsetsOf(again)).toEqual([2, 3, 5, 6, 8, 9])
  expect(again.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1, 1])
})

it('a consumer waits for what is appended later, and gets it at once', async () => {
  const log = await openLog()
  const topic = log.topic('t', { codec: text })
  const consumer = topic.group('g').consume()
  const waiting = consumer.next()
  for (let number = 0; number < 200; number++) {
    await topic.append(`m${number}`)
    const next = number === 0 ? waiting : consumer.next()
    const { value } = await next
    expect(value?.value).toBe(`m${number}`)
    await value?.ack()
  }
})

it('several calls of next() at a time are served in order', async () => {
  const { log } = await filled(3)
  const consumer = groupOf(log).consume()
  const results = [1, 2, 3, 4].map(() => consumer.next())
  await log.topic('t', { codec: text }).append('m3')
  const values = (await Promise.all(results)).map(({ value }) => value?.value)
  expect(values).toEqual(['m0', 'm1', 'm2', 'm3'])
})

it('a delivery not acknowledged in time goes to the next consumer, counted; a late acknowledgement still counts', async () => {
  const { log } = await filled(2)
  const group = groupOf(log)
  const [first] = await take(group.consume({ ackTimeoutMs: 30, prefetch: 1 }), 1)
  const other = group.consume()
  const deliveries = await take(other, 2)
  const again = deliveries.find(({ offset }) => offset === first.offset)
  expect(again?.attempt).toBe(2)
  await first.ack()
  expect((await group.position()).committed).toBe(1)
  // The message is done: giving it back changes nothing any more.
  await again?.nack()
  await deliveries.find(({ offset }) => offset === 1)?.ack()
  expect(await group.position()).toMatchObject({ committed: 2, lag: 0 })
})

it('what is acknowledged, or sought past, while the next consumer looks it up is not given to it any more', async () => {
  const { log } = await filled(4)
  const group = groupOf(log)
  const [first] = await take(group.consume(), 1)
  const other = group.consume()
  // By itself, so that its lookup is the only one.
  await first.nack()
  const behindIt = take(other, 1)
  await first.ack()
  expect(offsetsOf(await behindIt)).toEqual([1])

  const [second] = await take(other, 1)
  await second.nack()
  const behindTheSeek = take(other, 1)
  await group.seek(3)
  expect(offsetsOf(await behindTheSeek)).toEqual([3])
})

it('a consumer that ends gives back what it holds, at once', async () => {
  const { log } = await filled(4)
  const group = groupOf(log)
  for await (const delivery of group.consume()) {
    if (delivery.offset === 0) await delivery.ack()
    if (delivery.offset === 2) break
  }
  const again = await take(group.consume(), 3)
  expect(again.map(({ offset, attempt }) => [offset, attempt])).toEqual([
    [1, 2],
    [2, 2],
    [3, 1],
  ])
})

it('a message given back comes again, counted, and not before its delay', async () => {
  const { log } = await filled(3)
  const group = groupOf(log)
  const consumer = group.consume()
  const [a, b] = await take(consumer, 2)
  const start = performance.now()
  await a.nack({ delayMs: 40 })
  await b.nack()
  const again: Delivery<string>[] = []
  let first = b
  while (again.length < 3) {
    const [delivery] = await take(consumer, 1)
    again.push(delivery)
    if (delivery.offset !== 0) continue
    first = delivery
    expect(performance.now() - start).toBeGreaterThanOrEqual(39)
  }
  expect(again.map(({ offset, attempt }) => [offset, attempt]).sort()).toEqual([
    [0, 2],
    [1, 2],
    [2, 1],
  ])
  await first.nack()
  const [third] = await take(consumer, 1)
  expect([third.offset, third.attempt]).toEqual([0, 3])
})

it('a consumer holds no more than prefetch unacknowledged', async () => {
  const { log } = await filled(10)
  const group = groupOf(log)
  const consumer = group.consume({ prefetch: 2 })
  const [first] = await take(consumer, 2)
  let isServed = false
  const third = consumer.next().then(({ value }) => {
    isServed = true
    return value
  })
  // Others are not held up by it.
  expect(offsetsOf(await take(group.consume(), 3))).toEqual([2, 3, 4])
  expect(isServed).toBe(false)
  await first.ack()
  expect((await third)?.offset).toBe(5)
})

it("a new group starts at the first message, or with from: 'next' at the next", async () => {
  const { log } = await filled(3)
  const late = groupOf(log, 'late').consume({ from: 'next' })
  const waiting = late.next()
  await until('the group exists', async () => (await groupOf(log, 'late').position()).committed === 3)
  await log.topic('t', { codec: text }).append('m3')
  const { value } = await waiting
  expect(value?.value).toBe('m3')
  // It is where it is: from is for new groups.
  await value?.nack()
  expect((await take(groupOf(log, 'late').consume({ from: 'first' }), 1))[0].offset).toBe(3)
})

it('seek goes backwards and forwards, to a time and to the ends', async () => {
  const { log } = await filled(10)
  const group = groupOf(log)
  const consumer = group.consume()
  const early = await take(consumer, 5)
  await group.seek(2)
  // Acknowledgements from before the seek mean nothing.
  for (const delivery of early) await delivery.ack()
  expect(await group.position()).toMatchObject({ committed: 2, lag: 8 })
  const [second] = await take(consumer, 1)
  expect([second.offset, second.attempt]).toEqual([2, 1])
  await group.seek('next')
  expect(await group.position()).toMatchObject({ committed: 10, lag: 0 })
  await group.seek('first')
  expect((await take(consumer, 1))[0].offset).toBe(0)
  await group.seek(new Date(Date.now() + 60_000))
  expect((await group.position()).committed).toBe(10)
  await group.seek(new Date(0))
  expect((await group.position()).committed).toBe(0)
  await group.seek(10)
  await expectMistake(() => group.seek(11), RangeError)
  await log.topic('t').trim(4)
  expect(await codedFailureOf(() => group.seek(3))).toMatchObject({ code: 'BOOKEND_TRIMMED', first: 4 })
})

it('a seek survives a restart, of a group that was never used as well', async () => {
  const { log, directory } = await filled(10)
  await groupOf(log).seek(7)
  await log.close()
  const reopened = await openLog(directory)
  expect(await groupOf(reopened).position()).toMatchObject({ committed: 7, lag: 3 })
})

it('a group that was removed ends its consumers, and starts anew when it is used again', async () => {
  const { log, directory } = await filled(3)
  const group = groupOf(log)
  const consumer = group.consume()
  for (const delivery of await take(consumer, 3)) await delivery.ack()
  const waiting = consumer.next()
  await group.remove()
  expect(await waiting).toEqual({ done: true, value: undefined })
  expect(await group.position()).toMatchObject({ committed: 0, lag: 3 })
  expect(offsetsOf(await take(groupOf(log).consume(), 3))).toEqual([0, 1, 2])
  await group.remove()
  await log.close()
  expect(await groupOf(await openLog(directory)).position()).toMatchObject({ committed: 0, lag: 3 })
})

it('a signal ends a waiting consumer with its reason, and gives back what it holds', async () => {
  const { log } = await filled(1)
  const group = groupOf(log)
  const controller = new AbortController()
  const consumer = group.consume({ signal: controller.signal })
  await take(consumer, 1)
  const waiting = failureOf(() => consumer.next())
  controller.abort(new Error('enough'))
  expect((await waiting).message).toBe('enough')
  expect((await take(group.consume(), 1))[0]).toMatchObject({ offset: 0, attempt: 2 })
  const aborted = group.consume({ signal: AbortSignal.abort() })
  expect((await failureOf(() => aborted.next())).name).toBe('AbortError')
})

it('closing the log ends waiting consumers, and every call after it', async () => {
  const { log } = await filled(1)
  const group = groupOf(log)
  const consumer = group.consume()
  const [delivery] = await take(consumer, 1)
  const waiting = codedFailureOf(() => consumer.next())
  await log.close()
  expect((await waiting).code).toBe('BOOKEND_CLOSED')
  const calls = [() => delivery.ack(), () => group.position(), () => group.seek(0), () => group.remove()]
  for (const call of [...calls, () => group.consume(), () => log.topic('t')]) {
    expect((await codedFailureOf(call)).code).toBe('BOOKEND_CLOSED')
  }
})

it('a read-only log shows positions and consumes nothing', async () => {
  const { log, directory } = await filled(3)
  const [first] = await take(groupOf(log).consume(), 1)
  await first.ack()
  await log.close()
  const reader = await openLog(directory, { readOnly: true })
  expect(await groupOf(reader).position()).toMatchObject({ committed: 1, lag: 2 })
  expect(await groupOf(reader, 'none').position()).toMatchObject({ committed: 0, lag: 3 })
  for (const call of [() => groupOf(reader).consume(), () => groupOf(reader).seek(0), () => groupOf(reader).remove()]) {
    expect((await codedFailureOf(call)).code).toBe('BOOKEND_READ_ONLY')
  }
})

it('a group behind the oldest message is moved there, and told so', async () => {
  const { log } = await filled(10)
  const group = groupOf(log)
  const consumer = group.consume({ prefetch: 1 })
  const [first] = await take(consumer, 1)
  await first.ack()
  const told: unknown[] = []
  const hear = (message: unknown) => told.push(message)
  diagnostics.subscribe('bookend:group', hear)
  try {
    await log.topic('t').trim(6)
    expect(await group.position()).toEqual({ committed: 6, next: 10, lag: 4, skipped: 5 })
    expect((await take(consumer, 1))[0].offset).toBe(6)
    expect(told).toEqual([{ directory: log.directory, topic: 't', group: 'g', skipped: 5, first: 6 }])
  } finally {
    diagnostics.unsubscribe('bookend:group', hear)
  }
})

it('a group that lagged while nobody had it open is moved when it is used', async () => {
  const { log, directory } = await filled(10)
  await groupOf(log).seek(2)
  await log.topic('t').trim(6)
  await log.close()
  const group = groupOf(await openLog(directory))
  expect(await group.position()).toEqual({ committed: 6, next: 10, lag: 4, skipped: 4 })
})

it('damage ends the consumer with its place; a seek goes on behind it', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  for (let number = 0; number < 60; number++) await log.topic('d').append(new Uint8Array(40_000).fill(number + 1))
  await log.close()
  const file = segmentFile(directory, 0)
  overwrite(file, placeOf(file, 11), new Uint8Array([0xee]))
  const group = (await openLog(directory)).topic('d').group('g')
  const seen: number[] = []
  const consumeAll = async () => {
    for await (const delivery of group.consume()) {
      expect(delivery.value.every((byte) => byte === delivery.offset + 1)).toBe(true)
      seen.push(delivery.offset)
      await delivery.ack()
      if (delivery.offset === 59) return
    }
  }
  const error = (await codedFailureOf(consumeAll)) as BookendError
  expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 10 })
  expect((await group.position()).committed).toBe(10)
  await group.seek(error.next as number)
  await consumeAll()
  expect(seen).toEqual([...range(0, 10), ...range(error.next as number, 60)])
})

it('wrong arguments are refused at the call', async () => {
  const { log } = await filled(1)
  const topic = log.topic('t')
  const group = topic.group('g')
  for (const name of ['', '.g', 'a/b', 'x'.repeat(201)]) await expectMistake(() => topic.group(name), RangeError)
  await expectMistake(() => topic.group(1 as never), TypeError)
  await expectMistake(() => group.consume({ prefetch: 0 }), RangeError)
  await expectMistake(() => group.consume({ prefetch: '1' as never }), TypeError)
  await expectMistake(() => group.consume({ ackTimeoutMs: 0 }), RangeError)
  await expectMistake(() => group.consume({ from: 'middle' as never }), RangeError)
  await expectMistake(() => group.consume({ signal: {} as never }), TypeError)
  await expectMistake(() => group.consume({ prefecth: 1 } as never), TypeError)
  await expectMistake(() => group.seek(-1), RangeError)
  await expectMistake(() => group.seek('last' as never), TypeError)
  await expectMistake(() => group.seek(new Date(Number.NaN)), RangeError)
  const [delivery] = await take(group.consume(), 1)
  await expectMistake(() => delivery.nack({ delayMs: -1 }), RangeError)
  await expectMistake(() => delivery.nack({ delay: 1 } as never), TypeError)
  await delivery.ack()
})
