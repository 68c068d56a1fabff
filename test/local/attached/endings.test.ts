/** A thread, or the log, ends: whoever is left goes on, or is told. */
import { once } from 'node:events'
import { connect, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, openLog, small, start, temporaryFolder, until } from '../../scenarios/support.js'
import { AttachedThread } from '../../support/attached-thread.js'
import { OwnerThread } from '../../support/owner-thread.js'
import { take, words } from '../../support/words.js'

it.each(['here', 'pool'] as const)(
  'what a terminated thread held of a group comes again at once, counted (reads: %s)',
  async (reads) => {
    const log = await openLog()
    const topic = log.topic('t', { codec: text })
    await topic.appendMany(words(5))
    const thread = await AttachedThread.connected(await log.port(), { reads })
    expect(
      await thread.do('consume', { topic: 't', group: 'g', count: 2, options: { ackTimeoutMs: 600_000 } }),
    ).toEqual(['m0', 'm1'])
    const waiting = take(topic.group('g').consume(), 5)
    await thread.worker.terminate()
    const again = await waiting
    expect(again.map(({ value }) => value).sort()).toEqual(words(5))
    expect(again.filter(({ attempt }) => attempt > 1).map(({ value }) => value)).toEqual(
      expect.arrayContaining(['m0', 'm1']),
    )
  },
)

it('what a blocked thread holds goes to others when the time of its consumers is over, and the thread goes on when it can', async () => {
  const log = await openLog()
  const topic = log.topic('t', { codec: text })
  await topic.appendMany(words(5))
  const thread = await AttachedThread.connected(await log.port())
  const options = { ackTimeoutMs: 500 }
  expect(await thread.do('consume', { topic: 't', group: 'g', count: 2, options })).toEqual(['m0', 'm1'])
  const word = new SharedArrayBuffer(4)
  await thread.do('block', { word })
  // It blocks from here on, with the two in its hands.
  const again = await take(topic.group('g').consume(), 5)
  expect(again.map(({ value }) => value).sort()).toEqual(words(5))
  expect(again.filter(({ attempt }) => attempt > 1).map(({ value }) => value)).toEqual(
    expect.arrayContaining(['m0', 'm1']),
  )
  await Promise.all(again.map((delivery) => delivery.ack()))
  await topic.append('m5')
  Atomics.store(new Int32Array(word), 0, 1)
  Atomics.notify(new Int32Array(word), 0)
  expect(await thread.do('consume', { topic: 't', group: 'g', count: 1, options })).toEqual(['m5'])
  expect((await topic.group('g').position()).committed).toBe(5)
  expect(log.stats().errors.count).toBe(0)
})

it('connections that end leave their places to others, however they end', async () => {
  const log = await openLog()
  for (let round = 0; round < 3; round++) {
    const thread = await AttachedThread.connected(await log.port())
    await thread.do('append', { topic: 't', value: 'by a thread that is blocked then' })
    await thread.do('spin')
    await thread.worker.terminate()
  }
  for (let round = 0; round < 70; round++) {
    const connected = await connect(await log.port())
    expect(await connected.topic('t', { codec: text }).append('a')).toBe(3 + round)
    await connected.close()
  }
  expect(log.stats().errors.count).toBe(0)
})

it('more threads than there are places are refused, and may come when there is one', async () => {
  const log = await openLog()
  const logs = await Promise.all(Array.from({ length: 63 }, async () => connect(await log.port())))
  const port = await log.port()
  expect((await codedFailureOf(() => connect(port))).code).toBe('BOOKEND_NO_SPACE')
  await Promise.all(logs.map((each) => each.topic('t', { codec: text }).append('a')))
  await logs[7].close()
  await until('there is a place', async () => {
    const another = await connect(await log.port()).catch(() => undefined)
    await another?.close()
    return another !== undefined
  })
  expect((await log.topic('t').bounds()).next).toBe(63)
  await Promise.all(logs.map((each) => each.close()))
})

it('a thread whose log is idle ends by itself', async () => {
  const log = await openLog()
  const thread = await AttachedThread.connected(await log.port())
  await thread.do('append', { topic: 't', value: 'a' })
  await thread.do('get', { topic: 't', offset: 0 })
  const ended = once(thread.worker, 'exit')
  await thread.do('leave')
  expect(await ended).toEqual([0])
})

it('when the owner closes, connected logs have settled what was called before, and everything after is BOOKEND_CLOSED', async () => {
  const owner = await OwnerThread.start(temporaryFolder(), small)
  const log = await connect(owner.port)
  const topic = log.topic('t', { codec: text })
  const appends = Array.from({ length: 500 }, (_, index) => topic.append(`${index}`))
  const waiting = topic.group('g').consume()
  const stream = topic.read({ follow: true })
  await topic.append('last')
  await owner.close()
  expect(await Promise.all(appends)).toEqual(Array.from({ length: 500 }, (_, index) => index))
  expect((await codedFailureOf(() => topic.append('b'))).code).toBe('BOOKEND_CLOSED')
  expect((await codedFailureOf(() => topic.get(0))).code).toBe('BOOKEND_CLOSED')
  expect((await codedFailureOf(() => waiting.next())).code).toBe('BOOKEND_CLOSED')
  expect((await codedFailureOf(() => stream.next())).code).toBe('BOOKEND_CLOSED')
  await log.close()
})

it('who waits when the owner closes is told', async () => {
  const owner = await OwnerThread.start(temporaryFolder(), small)
  const log = await connect(owner.port)
  const topic = log.topic('t', { codec: text })
  await topic.append('a')
  const consumer = topic.group('g').consume()
  await (await consumer.next()).value?.ack()
  const waits = [
    consumer.next(),
    log.queue('q').pop({ timeoutMs: 60_000 }),
    topic.read({ from: 1, follow: true }).next(),
  ]
  const outcomes = Promise.all(
    waits.map((wait) =>
      wait.then(
        () => undefined,
        (error) => error.code,
      ),
    ),
  )
  await owner.close()
  expect(await outcomes).toEqual(['BOOKEND_CLOSED', 'BOOKEND_CLOSED', 'BOOKEND_CLOSED'])
})

it('when the thread of the owner is terminated, connected logs fail with BOOKEND_CLOSED and close', async () => {
  const owner = await OwnerThread.start(temporaryFolder(), small)
  const log = await connect(owner.port)
  const topic = log.topic('t', { codec: text })
  await topic.append('a')
  const consumer = topic.group('g').consume()
  await (await consumer.next()).value?.ack()
  const waiting = codedFailureOf(() => consumer.next())
  await owner.worker.terminate()
  expect((await waiting).code).toBe('BOOKEND_CLOSED')
  expect((await codedFailureOf(() => topic.append('b'))).code).toBe('BOOKEND_CLOSED')
  await log.close()
})

it('a log closes although a connected thread is blocked', async () => {
  const log = await openLog()
  const thread = await AttachedThread.connected(await log.port())
  await thread.do('spin')
  await log.close()
})

it('a process ends by itself although threads are connected, and what they had appended is there', async () => {
  const directory = temporaryFolder()
  expect(await start('attached-exits.mjs', [directory]).ended).toMatchObject({ status: 0, errors: '' })
  const log = await openLog(directory)
  expect((await collect(log.topic('t', { codec: text }).read())).map(({ value }) => value)).toEqual(words(100))
})

it('a thread that has nothing to do but to wait for a message lives until it comes, and no longer', async () => {
  const log = await openLog()
  const topic = log.topic('t', { codec: text })
  const thread = await AttachedThread.connected(await log.port())
  const exited = once(thread.worker, 'exit')
  await thread.do('acknowledgeNext', { topic: 't', group: 'g' })
  await thread.do('leave')
  await until('it waits', async () => (await log.groups())[0]?.consumers === 1)
  await topic.append('at last')
  await until('it is acknowledged', async () => (await topic.group('g').position()).lag === 0)
  expect(await exited).toEqual([0])
})
