/** Behaviour ported from the tests of bigqueue: its queue, its fan-out queue and their load tests, with its defects corrected. */
import { type Queue, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, expectMistake, openLog, seeded, temporaryFolder } from './support.js'

const numbers = (first: number, end: number) => Array.from({ length: end - first }, (_, index) => `${first + index}`)

async function pushAll(queue: Queue<string>, values: readonly string[]): Promise<void> {
  for (let at = 0; at < values.length; at += 1_000) {
    await Promise.all(values.slice(at, at + 1_000).map((value) => queue.push(value)))
  }
}

it('popping and peeking at nothing gives nothing, and does no harm (BigQueue.simpleTest)', async () => {
  const log = await openLog()
  const queue = log.queue('q', { codec: text })
  for (let round = 1; round <= 3; round++) {
    expect(await queue.size()).toBe(0)
    expect(await queue.pop()).toBeUndefined()
    expect(await queue.peek()).toBeUndefined()
    await queue.push('hello')
    expect(await queue.size()).toBe(1)
    expect(await queue.peek()).toBe('hello')
    expect(await queue.pop()).toBe('hello')
    await pushAll(queue, numbers(0, 10))
    expect(await queue.size()).toBe(10)
    expect(await queue.peek()).toBe('0')
    await queue.clear()
    expect(await queue.size()).toBe(0)
  }
})

it('a long queue survives reopening, keeps its order, and its size counts down exactly (BigQueue.bigLoopTest)', async () => {
  const directory = temporaryFolder()
  const count = 20_000
  let log = await openLog(directory)
  await pushAll(log.queue('q', { codec: text }), numbers(0, count))
  await log.close()
  log = await openLog(directory)
  const queue = log.queue('q', { codec: text })
  expect(await queue.size()).toBe(count)
  expect(await queue.peek()).toBe('0')
  for (let at = 0; at < count; at += 500) {
    const popped = await Promise.all(Array.from({ length: 500 }, () => queue.pop()))
    expect(popped).toEqual(numbers(at, at + 500))
    expect(await queue.size()).toBe(count - at - 500)
  }
  expect(await queue.pop()).toBeUndefined()
})

it('browsing beside a publisher and a subscriber consumes nothing and hides nothing (BigQueue.concurrentApplyForEachTest)', async () => {
  const log = await openLog()
  const queue = log.queue('q', { codec: text })
  const count = 1_000
  let isOver = false
  const publish = async () => {
    for (let number = 0; number < count; number++) await queue.push(`${number}`)
  }
  const subscribe = async () => {
    for (let number = 0; number < count; number++) expect(await queue.pop({ timeoutMs: 30_000 })).toBe(`${number}`)
    isOver = true
  }
  const browse = async () => {
    let rounds = 0
    for (; !isOver || rounds === 0; rounds++) {
      const seen = (await collect(queue.browse())).map(Number)
      for (const [index, number] of seen.entries()) if (index > 0) expect(number).toBe(seen[index - 1] + 1)
    }
    return rounds
  }
  const [, , rounds] = await Promise.all([publish(), subscribe(), browse()])
  expect(rounds).toBeGreaterThan(0)
  expect(await queue.size()).toBe(0)
})

it('one message satisfies one pop and any number of peeks (BigQueue.testParallelAsyncDequeueAndPeekOperations)', async () => {
  const log = await openLog()
  const queue = log.queue('q', { codec: text })
  const first = queue.pop({ timeoutMs: 30_000 })
  const second = queue.pop({ timeoutMs: 30_000 })
  await queue.push('a')
  expect(await first).toBe('a')
  await queue.push('b')
  expect(await second).toBe('b')
  await queue.push('c')
  expect(await Promise.all([queue.peek(), queue.peek(), queue.peek()])).toEqual(['c', 'c', 'c'])
  expect(await queue.pop()).toBe('c')
})

it('who waits is served by a queue that was closed and opened again (BigQueue.testFutureWorksAfterQueueRecreation)', async () => {
  const directory = temporaryFolder()
  let log = await openLog(directory)
  const cancelled = codedFailureOf(() => log.queue('q').pop({ timeoutMs: 30_000 }))
  await log.queue('other').push(new Uint8Array(1))
  await log.close()
  expect((await cancelled).code).toBe('BOOKEND_CLOSED')
  log = await openLog(directory)
  const queue = log.queue('q', { codec: text })
  const waiting = queue.pop({ timeoutMs: 30_000 })
  await queue.push('again')
  expect(await waiting).toBe('again')
})

it('10,000 pops, each made after the one before, lose nothing against a fast writer (BigQueue.testFutureIfConsumerDequeuesAllWhenAsynchronousWriting)', async () => {
  const log = await openLog()
  const queue = log.queue('q', { codec: text })
  const count = 10_000
  const random = seeded(3)
  const write = async () => {
    for (let number = 0; number < count; number++) {
      const pushed = queue.push(`${number}`)
      if (random() < 0.2) await pushed
      if (random() < 0.01) await new Promise(setImmediate)
    }
  }
  const read = async () => {
    for (let number = 0; number < count; number++) expect(await queue.pop({ timeoutMs: 30_000 })).toBe(`${number}`)
  }
  await Promise.all([write(), read()])
  expect(await queue.size()).toBe(0)
})

it('groups stand where each of them was, over a restart (FanOutQueue.bigLoopTest)', async () => {
  const directory = temporaryFolder()
  let log = await openLog(directory)
  await log.topic('fan', { codec: text }).appendMany(numbers(0, 1_000))
  const consumeTo = async (name: string, end: number) => {
    for await (const delivery of log.topic('fan').group(name).consume()) {
      await delivery.ack()
      if (delivery.offset === end - 1) break
    }
  }
  await consumeTo('one', 10)
  await consumeTo('two', 1_000)
  await consumeTo('three', 500)
  await log.close()
  log = await openLog(directory)
  const positions = await Promise.all(
    ['one', 'two', 'three', 'four'].map((name) => log.topic('fan').group(name).position()),
  )
  expect(positions.map(({ committed, lag }) => [committed, lag])).toEqual([
    [10, 990],
    [1_000, 0],
    [500, 500],
    [0, 1_000],
  ])
})

it('a group can be set to any message and to the end, not beyond (FanOutQueue.resetQueueFrontIndexTest)', async () => {
  const log = await openLog()
  const topic = log.topic('fan', { codec: text })
  const count = 3_000
  await topic.appendMany(numbers(0, count))
  const group = topic.group('g')
  for (const to of [1, 1_234, count - 1]) {
    await group.seek(to)
    const consumer = group.consume()
    expect((await consumer.next()).value?.value).toBe(`${to}`)
    await consumer.return?.()
  }
  await group.seek(count)
  expect(await group.position()).toMatchObject({ committed: count, lag: 0 })
  await expectMistake(() => group.seek(count + 1), RangeError)
})

it('deleting old messages moves lagging groups, and backlog and first message agree (FanOutQueue.removeBeforeTest)', async () => {
  const log = await openLog()
  const topic = log.topic('fan', { codec: text })
  await topic.appendMany(numbers(0, 100))
  await topic.group('behind').seek(3)
  await topic.group('ahead').seek(80)
  await topic.trim(40)
  expect(await topic.group('behind').position()).toEqual({ committed: 40, next: 100, lag: 60, skipped: 37 })
  expect(await topic.group('ahead').position()).toEqual({ committed: 80, next: 100, lag: 20, skipped: 0 })
  const consumer = topic.group('behind').consume()
  expect((await consumer.next()).value?.value).toBe('40')
})

it('n producers, m consumers: what goes in comes out, once (BigQueue and FanOutQueue load tests)', async () => {
  const log = await openLog()
  const queue = log.queue('load', { codec: text })
  const producers = 4
  const each = 1_500
  const produce = async (producer: number) => {
    for (let number = 0; number < each; number++) {
      const pushed = queue.push(`${producer}:${number}`)
      if (number % 7 === 0) await pushed
    }
  }
  const popped: string[] = []
  const consume = async () => {
    const own: string[] = []
    for (
      let value = await queue.pop({ timeoutMs: 300 });
      value !== undefined;
      value = await queue.pop({ timeoutMs: 300 })
    ) {
      own.push(value)
      popped.push(value)
    }
    return own
  }
  const fanOut = async (name: string) => {
    const seen: string[] = []
    for await (const delivery of log.topic('load', { codec: text }).group(name).consume()) {
      seen.push(delivery.value)
      void delivery.ack()
      if (seen.length === producers * each) return seen
    }
  }
  const consumers = Promise.all([consume(), consume(), consume()])
  const groups = Promise.all([fanOut('a'), fanOut('b')])
  await Promise.all(Array.from({ length: producers }, (_, producer) => produce(producer)))
  const all = Array.from({ length: producers * each }, (_, index) => `${Math.floor(index / each)}:${index % each}`)
  for (const own of await consumers) {
    // Each consumer sees the messages of one producer in their order.
    for (let producer = 0; producer < producers; producer++) {
      const order = own.filter((value) => value.startsWith(`${producer}:`)).map((value) => Number(value.slice(2)))
      expect(order).toEqual([...order].sort((a, b) => a - b))
    }
  }
  expect(popped.sort()).toEqual([...all].sort())
  for (const seen of await groups) expect([...(seen as string[])].sort()).toEqual([...all].sort())
})
