import { type Message, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, openLog, until } from '../scenarios/support.js'

const words = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `m${from + index}`)
const valuesOf = (messages: Message<string>[]) => messages.map(({ value }) => value)

async function topicOf(count: number) {
  const log = await openLog()
  const topic = log.topic('t', { codec: text })
  if (count > 0) await topic.appendMany(words(count))
  return { log, topic }
}

it('a range is read exactly, whatever its ends', async () => {
  const { topic } = await topicOf(10_000)
  const ranges: [object, number, number][] = [
    [{}, 0, 10_000],
    [{ from: 'first' }, 0, 10_000],
    [{ from: 'next' }, 0, 0],
    [{ from: 3, to: 7 }, 3, 7],
    [{ from: 9_999 }, 9_999, 10_000],
    [{ from: 10_000 }, 0, 0],
    [{ from: 20_000 }, 0, 0],
    [{ from: 5, to: 5 }, 0, 0],
    [{ from: 7, to: 3 }, 0, 0],
    [{ to: 1 }, 0, 1],
    [{ from: 9_990, to: 1e9 }, 9_990, 10_000],
    [{ from: 2, to: 4, follow: true }, 2, 4],
    [{ from: new Date(0), to: 2 }, 0, 2],
    [{ from: new Date(Date.now() + 1e6) }, 0, 0],
  ]
  for (const [options, from, to] of ranges) {
    expect(valuesOf(await collect(topic.read(options))), JSON.stringify(options)).toEqual(words(to - from, from))
    expect((await collect(topic.read(options).batches())).flat().length, JSON.stringify(options)).toBe(to - from)
  }
})

it('a stream without follow ends with what was there when it was first used', async () => {
  const { topic } = await topicOf(3)
  const stream = topic.read()
  expect((await stream.next()).value?.value).toBe('m0')
  await topic.append('late')
  expect(valuesOf(await collect(stream))).toEqual(['m1', 'm2'])
  expect(await stream.next()).toEqual({ done: true, value: undefined })
})

it('a follower gets new messages as they are appended, from before the topic exists', async () => {
  const { topic } = await topicOf(0)
  const stream = topic.read({ from: 'next', follow: true })
  for (let round = 0; round < 50; round++) {
    const pending = stream.next()
    await topic.append(`m${round}`)
    expect((await pending).value).toMatchObject({ offset: round, value: `m${round}` })
  }
  await stream.return()
})

it('a follower asks no reader thread for anything while nothing is appended', async () => {
  const { log, topic } = await topicOf(1)
  const stream = topic.read({ follow: true })
  await stream.next()
  const pending = stream.next()
  const { tasks } = log.stats().readers
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(log.stats().readers.tasks).toBe(tasks)
  await topic.append('now')
  expect((await pending).value?.value).toBe('now')
  await stream.return()
})

it('several followers each see every message in order, while it is appended in every way', async () => {
  const { log, topic } = await topicOf(5)
  const total = 4_000
  const followers = Array.from({ length: 5 }, async (_, index) => {
    const seen: string[] = []
    const stream = topic.read({ follow: true, to: total })
    if (index % 2 === 0) for await (const { value } of stream) seen.push(value)
    else for await (const batch of stream.batches()) seen.push(...valuesOf(batch))
    return seen
  })
  for (let next = 5; next < total; ) {
    if (next % 3 === 0) await topic.append(`m${next++}`)
    else if (next % 3 === 1 && topic.offer(`m${next}`)) next++
    else {
      const many = words(Math.min(17, total - next), next)
      next += many.length
      void topic.appendMany(many)
    }
  }
  for (const seen of await Promise.all(followers)) expect(seen).toEqual(words(total))
  expect(log.stats().errors.count).toBe(0)
})

it('next() may be called again before the last call has settled: answers come in order', async () => {
  const { topic } = await topicOf(3_000)
  const stream = topic.read({ follow: true })
  const answers = Array.from({ length: 3_010 }, () => stream.next())
  await topic.appendMany(words(10, 3_000))
  const values = (await Promise.all(answers)).map(({ value }) => value?.value)
  expect(values).toEqual(words(3_010))
  await stream.return()
})

it('leaving a loop early ends the stream, and others go on', async () => {
  const { topic } = await topicOf(100)
  const stream = topic.read({ follow: true })
  for await (const { offset } of stream) if (offset === 41) break
  expect(await stream.next()).toEqual({ done: true, value: undefined })
  const batches = topic.read({ follow: true })
  for await (const batch of batches.batches()) {
    expect(batch.length).toBeGreaterThan(0)
    break
  }
  expect(await batches.next()).toEqual({ done: true, value: undefined })
  expect((await collect(topic.read())).length).toBe(100)
})

it('return() releases a next() that waits for a message', async () => {
  const { log, topic } = await topicOf(0)
  const stream = topic.read({ follow: true })
  const pending = stream.next()
  await stream.return()
  expect(await pending).toEqual({ done: true, value: undefined })
  const disposed = topic.read({ follow: true })
  const waiting = disposed.next()
  await disposed[Symbol.asyncDispose]()
  expect(await waiting).toEqual({ done: true, value: undefined })
  await log.close()
})

it('an aborted follower rejects with the reason of its signal, waiting or not', async () => {
  const { topic } = await topicOf(0)
  const reason = new Error('enough')
  const controller = new AbortController()
  const waiting = topic.read({ follow: true, signal: controller.signal }).next()
  controller.abort(reason)
  await expect(waiting).rejects.toBe(reason)

  const other = new AbortController()
  const stream = topic.read({ follow: true, signal: other.signal })
  const seen: string[] = []
  await topic.append('a')
  await expect(
    (async () => {
      for await (const { value } of stream) {
        seen.push(value)
        other.abort()
      }
    })(),
  ).rejects.toMatchObject({ name: 'AbortError' })
  expect(seen).toEqual(['a'])
  expect(await stream.next()).toEqual({ done: true, value: undefined })

  await expect(topic.read({ signal: AbortSignal.abort(reason) }).next()).rejects.toBe(reason)
  await expect(collect(topic.read({ signal: AbortSignal.abort(reason) }).batches())).rejects.toBe(reason)
})

it('streams that are open when the log closes end with BOOKEND_CLOSED, and close does not wait for them', async () => {
  const { log, topic } = await topicOf(5)
  const follower = topic.read({ from: 'next', follow: true })
  const batches = topic.read({ from: 'next', follow: true }).batches()
  const half = topic.read()
  await half.next()
  const waiting = [follower.next(), batches.next()].map((promise) => codedFailureOf(() => promise))
  await log.close()
  for (const error of await Promise.all(waiting)) expect(error.code).toBe('BOOKEND_CLOSED')
  // What it holds already it may still give; then it says why it ends.
  const error = await codedFailureOf(async () => {
    while (!(await half.next()).done);
    throw new Error('it ended without saying why')
  })
  expect(error.code).toBe('BOOKEND_CLOSED')
})

it('a slow consumer gets everything in order, though far more than a chunk is waiting', async () => {
  const log = await openLog()
  const topic = log.topic('t')
  const total = 60
  let seen = 0
  const reading = (async () => {
    for await (const { offset, value } of topic.read({ follow: true, to: total })) {
      expect(offset).toBe(seen)
      expect(value.length).toBe(50_000 + offset)
      expect(value.every((byte) => byte === offset)).toBe(true)
      seen += 1
      if (offset % 7 === 0) await new Promise(setImmediate)
    }
  })()
  for (let offset = 0; offset < total; offset++) await topic.append(new Uint8Array(50_000 + offset).fill(offset))
  await reading
  await until('all are seen', () => seen === total)
})

it.each(['read', 'batches'] as const)(
  'a reader that is slower than the log lets the event loop turn (%s)',
  async (way) => {
    const log = await openLog()
    const topic = log.topic('t')
    const bytesEach = 100
    for (let round = 0; round < 40; round++) {
      await topic.appendMany(Array.from({ length: 2_500 }, () => new Uint8Array(bytesEach)))
    }
    let isReading = true
    let inTurn = 0
    let most = 0
    const turn = () => {
      inTurn = 0
      if (isReading) setImmediate(turn)
    }
    setImmediate(turn)
    let checksum = 0
    const visit = ({ value }: Message) => {
      inTurn += 1
      most = Math.max(most, inTurn)
      // Work enough that the next chunk is always there before this one is done.
      for (let step = 0; step < 2_000; step++) checksum = (checksum * 31 + value[step % bytesEach]) | 0
    }
    if (way === 'read') for await (const message of topic.read()) visit(message)
    else for await (const batch of topic.read().batches()) batch.forEach(visit)
    isReading = false
    expect(checksum).toBe(0)
    // Half a MiB in one turn, and what was begun in it: of some 12 MB.
    expect(most * bytesEach).toBeLessThan(2 ** 20)
  },
)
