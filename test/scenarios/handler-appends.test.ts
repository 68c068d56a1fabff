/** What handlers append, and the dead letters of what they fail with, is there if and only if their messages are done, whatever ends the process. */
import { connect, json, type Log, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, fixture, openLog, seeded, start, temporaryFolder } from './support.js'

const seed = Number(process.env.BOOKEND_SEED ?? 20)
const failing = { batchSize: 10, retries: 0, deadLetter: 'dead', data: { fails: 97 } }
const passesOn = new URL('../fixtures/handler-passes-on.mjs', import.meta.url)

it.each(['topic', 'none'] as const)(
  `after kill -9 every message that is done, and no other, has left what it has led to, once (order %s, seed ${seed})`,
  async (order) => {
    const random = seeded(seed + order.length)
    const directory = temporaryFolder()
    let done = 0
    for (let cycle = 0; cycle < 3; cycle++) {
      const program = start('appending-processor.mjs', [directory, order])
      await program.says('acknowledging')
      await new Promise((resolve) => setTimeout(resolve, 100 * random()))
      program.process.kill('SIGKILL')
      await program.ended
      const log = await openLog(directory)
      const { committed, next, lag } = await log.topic('in').group('g').position()
      const outcomes = await outcomesIn(log)
      const seen = new Set(outcomes)
      const missing = Array.from({ length: committed }, (_, offset) => offset).filter((offset) => !seen.has(offset))
      expect({ cycle, missing, outcomes: outcomes.length }).toEqual({ cycle, missing: [], outcomes: next - lag })
      expect(seen.size).toBe(outcomes.length)
      done = committed
      await log.close()
    }
    expect(done).toBeGreaterThan(0)
    const log = await openLog(directory)
    const processor = log.topic('in').group('g').process(passesOn, failing)
    await processor.idle()
    const outcomes = await outcomesIn(log)
    const { next } = await log.topic('in').bounds()
    expect(outcomes.sort((a, b) => a - b)).toEqual(Array.from({ length: next }, (_, at) => at))
    await processor.stop()
  },
)

/** Offsets of messages that have led to something: passed on, or a dead letter, which every 97th has to be. */
async function outcomesIn(log: Log): Promise<number[]> {
  const appended = await collect(log.topic('out', { codec: json<number>() }).read())
  const letters = await log.deadLetters('dead').list()
  const failed = letters.map(({ origin }) => origin?.offset ?? -1)
  expect(failed.filter((offset) => offset % 97 !== 0)).toEqual([])
  return [...appended.map(({ value }) => value), ...failed]
}

it('threads of processors append while as many threads are connected as can be', async () => {
  const log = await openLog()
  await log.topic('in').append(new Uint8Array(1))
  const connected = await Promise.all(Array.from({ length: 63 }, async () => connect(await log.port())))
  const processor = log.topic('in').group('g').process(passesOn)
  await processor.idle()
  await processor.stop()
  expect((await log.topic('out').bounds()).next).toBe(1)
  await Promise.all(connected.map((each) => each.close()))
})

it('a batch that appends more than a transaction holds is handled message by message; a message that does is told of', async () => {
  const log = await openLog()
  const topic = log.topic('in')
  const much = new URL('../fixtures/handler-appends-much.mjs', import.meta.url)
  await topic.appendMany(Array.from({ length: 8 }, (_, index) => Uint8Array.of(index)))
  const processor = topic.group('g').process(much, { retries: 0, data: { bytes: 300_000, times: 1 } })
  await processor.idle()
  await processor.stop()
  const sources = (await collect(log.topic('out').read())).map(({ value }) => value[0])
  expect(sources).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  const error = await codedFailureOf(
    () => topic.group('h').process(much, { retries: 0, data: { bytes: 300_000, times: 4 } }).finished,
  )
  expect(error.code).toBe('BOOKEND_TOO_LARGE')
  expect((await log.topic('out').bounds()).next).toBe(8)
})

it('what a handler appends when its messages were acknowledged meanwhile, or its group was moved, is not written', async () => {
  const log = await openLog()
  const topic = log.topic('in', { codec: text })
  await topic.appendMany(['a', 'b', 'c'])
  const group = topic.group('g')
  let seeks = 0
  const processor = group.process(async ({ value, offset }, { append }) => {
    append('out', value)
    if (offset === 1) await log.transaction((tx) => tx.commit(group, 2))
    if (offset === 2 && seeks++ === 0) await group.seek(0)
  })
  await processor.idle()
  await processor.stop()
  expect((await collect(log.topic('out', { codec: text }).read())).map(({ value }) => value)).toEqual(['a', 'a', 'c'])
})

it('a follower appends nothing: its handlers are told', async () => {
  const directory = temporaryFolder()
  const owner = await openLog(directory)
  await owner.topic('in').append(new Uint8Array(1))
  const log = await openLog(directory, { readOnly: true, follow: true })
  const error = await codedFailureOf(() => log.topic('in').group('g').process(passesOn, { retries: 0 }).finished)
  expect(error.code).toBe('BOOKEND_READ_ONLY')
  expect(await owner.topics()).toEqual(['in'])
})

it('what a subscriber adds to the trace of an append in a handler travels with it', async () => {
  const log = await openLog()
  const topic = log.topic('in', { codec: text })
  await topic.append('a')
  const processor = topic.group('g').process(new URL(`file://${fixture('handler-traced.mjs')}`))
  await processor.idle()
  const [message] = await collect(log.topic('out', { codec: text }).read())
  expect(message.headers).toEqual({ traceparent: `of an append to out in ${log.directory}`, own: 'kept' })
  await processor.stop()
})
