/** Ports work in whatever thread there is: of pools, of threads that threads have started; and of logs that are only looked at. */
import { once } from 'node:events'
import { type MessagePort, Worker } from 'node:worker_threads'
import { connect, text } from 'bookend'
import { Piscina } from 'piscina'
import { expect, it, onTestFinished } from 'vitest'
import { codedFailureOf, collect, fixture, openLog, start, temporaryFolder } from '../../scenarios/support.js'

it.each(['sync', 'async', 'disabled'] as const)(
  'in the threads of piscina, which keep their logs (atomics: %s)',
  async (atomics) => {
    const log = await openLog()
    const topic = log.topic('t', { codec: text })
    await topic.append('first')
    const pool = new Piscina({ filename: fixture('pool-worker.mjs'), minThreads: 1, maxThreads: 1, atomics })
    onTestFinished(() => pool.destroy())
    const port = await log.port()
    const run = (task: object, transferList: readonly object[] = []) =>
      pool.run(task, { transferList: [...transferList] as MessagePort[] }) as Promise<object>
    expect(await run({ port, value: 'second' }, port.ports)).toEqual({ offset: 1, first: 'first' })
    // The thread was parked in between.
    await topic.append('third')
    expect(await run({ value: 'fourth' })).toEqual({ offset: 3, first: 'first' })
    expect(await run({ value: 'fifth', isLast: true })).toEqual({ offset: 4, first: 'first' })
    expect((await collect(topic.read())).map(({ value }) => value)).toEqual([
      'first',
      'second',
      'third',
      'fourth',
      'fifth',
    ])
  },
)

it('in the threads of tinypool, which keep their logs or end with each task', async () => {
  const program = start('tinypool.mjs', [temporaryFolder()])
  const { status, output, errors } = await program.ended
  expect([status, errors]).toEqual([0, ''])
  const values = ['first', 'true 1', 'true 2', 'false 1', 'false 2', 'alone 1', 'alone 2']
  expect(JSON.parse(output)).toEqual({ values, errors: 0 })
})

it('a log closes although a thread of a pool has it, and is parked between two tasks', async () => {
  const log = await openLog()
  await log.topic('t', { codec: text }).append('first')
  const pool = new Piscina({ filename: fixture('pool-worker.mjs'), minThreads: 1, maxThreads: 1 })
  onTestFinished(() => pool.destroy())
  const port = await log.port()
  await pool.run({ port, value: 'second' }, { transferList: [...port.ports] })
  await log.close()
  // An error that a pool carries has lost its code.
  await expect(pool.run({ value: 'third' })).rejects.toThrow('is closed')
})

it('in threads that connected threads have started, to any depth', async () => {
  const log = await openLog()
  const port = await log.port()
  const worker = new Worker(fixture('nested-worker.mjs'), {
    workerData: { port, depth: 3 },
    transferList: [...port.ports],
  })
  const ended = once(worker, 'exit')
  const [said] = await once(worker, 'message')
  expect(said).toEqual([0, 1, 2, 3])
  const topic = log.topic('t', { codec: text })
  expect((await collect(topic.read())).map(({ value }) => value)).toEqual(
    [3, 2, 1, 0].map((depth) => `at depth ${depth}`),
  )
  await ended
  expect(log.stats().errors.count).toBe(0)
})

it.each(['here', 'pool'] as const)(
  'a log that is only looked at can be looked at from other threads (reads: %s)',
  async (reads) => {
    const directory = temporaryFolder()
    const owner = await openLog(directory)
    await owner.topic('t', { codec: text }).appendMany(['a', 'b'])
    const reader = await openLog(directory, { readOnly: true })
    const log = await connect(await reader.port(), { reads })
    const topic = log.topic('t', { codec: text })
    expect((await collect(topic.read())).map(({ value }) => value)).toEqual(['a', 'b'])
    expect((await topic.get(1))?.value).toBe('b')
    expect(await log.topics()).toEqual(['t'])
    expect((await codedFailureOf(() => topic.append('c'))).code).toBe('BOOKEND_READ_ONLY')
    expect((await codedFailureOf(() => topic.group('g').consume())).code).toBe('BOOKEND_READ_ONLY')
    await log.close()
  },
)

it('a log that is followed has no ports, and says what to do', async () => {
  const directory = temporaryFolder()
  await openLog(directory)
  const follower = await openLog(directory, { readOnly: true, follow: true })
  const error = await codedFailureOf(() => follower.port())
  expect(error.code).toBe('BOOKEND_UNSUPPORTED')
  expect(error.message).toContain('open it in the thread itself')
})
