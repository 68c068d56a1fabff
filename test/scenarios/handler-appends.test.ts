/** What handlers append is there whenever their messages are done, whatever ends the process, and where there is no lane for them. */
import { connect, json, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, fixture, openLog, seeded, start, temporaryFolder, until } from './support.js'

const seed = Number(process.env.BOOKEND_SEED ?? 20)
const passesOn = new URL('../fixtures/handler-passes-on.mjs', import.meta.url)

it.each(['topic', 'none'] as const)(
  `after kill -9 every message that is done has left what it has led to (order %s, seed ${seed})`,
  async (order) => {
    const random = seeded(seed + order.length)
    const directory = temporaryFolder()
    let done = 0
    for (let cycle = 0; cycle < 4; cycle++) {
      const program = start('appending-processor.mjs', [directory, order])
      await program.says('acknowledging')
      await new Promise((resolve) => setTimeout(resolve, 100 * random()))
      program.process.kill('SIGKILL')
      await program.ended
      const log = await openLog(directory)
      const { committed } = await log.topic('in').group('g').position()
      const appended = await collect(log.topic('out', { codec: json<number>() }).read())
      const seen = new Set(appended.map(({ value }) => value))
      const missing = Array.from({ length: committed }, (_, offset) => offset).filter((offset) => !seen.has(offset))
      expect({ cycle, missing }).toEqual({ cycle, missing: [] })
      done = committed
      await log.close()
    }
    expect(done).toBeGreaterThan(0)
    const log = await openLog(directory)
    const processor = log.topic('in').group('g').process(passesOn)
    await processor.idle()
    const appended = await collect(log.topic('out', { codec: json<number>() }).read())
    expect(new Set(appended.map(({ value }) => value)).size).toBe((await log.topic('in').bounds()).next)
    await processor.stop()
  },
)

it('a processor whose thread finds no lane says so, and goes on with its next one once there is some', async () => {
  const log = await openLog()
  await log.topic('in').append(new Uint8Array(1))
  const connected = await Promise.all(Array.from({ length: 63 }, async () => connect(await log.port())))
  const group = log.topic('in').group('g')
  const error = await codedFailureOf(() => group.process(passesOn, { retries: 0 }).finished)
  expect(error.code).toBe('BOOKEND_UNSUPPORTED')
  expect(error.message).toMatch(/63 threads are connected.*concurrency/)
  await connected[3].close()
  await until('there is a lane', async () => {
    const processor = group.process(passesOn, { retries: 0 })
    await processor.idle().catch(() => {})
    return processor.state === 'running'
  })
  expect((await log.topic('out').bounds()).next).toBe(1)
  await Promise.all(connected.map((each) => each.close()))
})

it('the lanes of threads that end are those of others: processors that come and go can always append', async () => {
  const log = await openLog()
  const topic = log.topic('in')
  const connected = await Promise.all(Array.from({ length: 62 }, async () => connect(await log.port())))
  for (let round = 0; round < 4; round++) {
    await topic.append(new Uint8Array(1))
    // Its lane is free a little after its thread has ended.
    const processor = topic.group('g').process(passesOn, { retries: 1_000_000, backoffMs: 0 })
    await processor.idle()
    await processor.stop()
  }
  expect((await log.topic('out').bounds()).next).toBe(4)
  await Promise.all(connected.map((each) => each.close()))
  expect(log.stats().errors.count).toBe(0)
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
