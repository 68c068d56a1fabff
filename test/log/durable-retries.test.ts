/** What a queue's worker could not do comes again after restarts too, with its attempts counted, until it is done or a dead letter. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { text } from 'bookend'
import { expect, it } from 'vitest'
import { collect, openLog, temporaryFolder, until } from '../scenarios/support.js'

it('attempts and pauses are in the log, and go on after a restart', async () => {
  const directory = temporaryFolder()
  const attempts: [number, string | undefined, Record<string, string> | undefined][] = []
  let log = await openLog(directory)
  const work = (backoffMs: number) =>
    log.queue('jobs', { codec: text }).work(
      ({ keyText, headers = {} }, { attempt }) => {
        attempts.push([attempt, keyText, { h: headers.h, id: headers['bookend-id'] }])
        throw new Error(`no ${attempt}`)
      },
      { retries: 2, backoffMs, deadLetter: 'failed' },
    )
  await log.queue('jobs').push(Buffer.from('job'), { key: 'k', headers: { h: '1' }, id: 'own' })
  const first = work(600_000)
  await until('it waits for another attempt', async () => (await log.scheduled({ topic: 'jobs' })).length === 1)
  expect(await log.queue('jobs').size(), 'it is not there twice').toBe(0)
  await first.stop()
  await log.close()

  log = await openLog(directory)
  const [waiting] = await log.scheduled({ topic: 'jobs' })
  expect(waiting.deliverAt - Date.now()).toBeLessThan(30_001)
  // Its pause is over.
  expect(await log.topic('jobs').cancel(waiting)).toBe(true)
  await log.topic('jobs').append(waiting.value, { key: waiting.key, headers: waiting.headers })
  const second = work(1)
  await second.idle()
  expect(attempts).toEqual([1, 2, 3].map((attempt) => [attempt, 'k', { h: '1', id: 'own' }]))
  const [letter] = await log.deadLetters('failed').list()
  expect(letter).toMatchObject({
    ...{ attempts: 3, reason: 'Error: no 3', keyText: 'k' },
    origin: { topic: 'jobs', offset: 0 },
  })
  expect(letter.headers).toEqual({ h: '1' })
  await second.stop()
  expect(await log.deadLetters('failed').redrive()).toEqual({ redriven: 1, unreadable: 0 })
  const [again] = (await collect(log.topic('jobs').read())).slice(-1)
  expect(again.headers).toEqual({ h: '1' })
})

it('idle() waits for what is to come again', async () => {
  const log = await openLog()
  const queue = log.queue('jobs', { codec: text })
  for (const value of ['a', 'b', 'c']) await queue.push(value)
  const done: string[] = []
  const worker = queue.work(
    ({ value }, { attempt }) => {
      if (value === 'b' && attempt < 3) throw new Error('not yet')
      done.push(`${value}${attempt}`)
    },
    { backoffMs: 1 },
  )
  await worker.idle()
  expect(done.sort()).toEqual(['a1', 'b3', 'c1'])
  expect(worker.stats).toMatchObject({ processed: 3, failed: 2 })
  await worker.stop()
})

/** A module that says each call in the topic `seen`, and fails with messages that say so until their attempt has come. */
function failing(): URL {
  const file = path.join(temporaryFolder(), 'failing.mjs')
  writeFileSync(
    file,
    `export default (batch, { attempt, append }) => {
      for (const { value } of batch) {
        const [name, until] = value.split(' ')
        if (until === 'dies' && attempt < 2) process.exit(1)
        if (attempt < Number(until)) throw new Error('not yet')
        append('done', \`\${name} \${attempt} of \${batch.length}\`)
      }
    }`,
  )
  return pathToFileURL(file)
}

it('of a module as well: attempts go on after a restart, also those that ended its thread', async () => {
  const directory = temporaryFolder()
  const options = { retries: 9, backoffMs: 600_000, batchSize: 1, deadLetter: 'failed' }
  let log = await openLog(directory)
  const module = failing()
  await log.topic('jobs', { codec: text }).appendMany(['a 1', 'b 2', 'c dies', 'd 1'])
  const first = log.queue('jobs', { codec: text }).work(module, options)
  await until('two wait for another attempt', async () => (await log.queue('jobs').size()) === 0)
  expect(await log.scheduled({ topic: 'jobs' })).toHaveLength(2)
  await first.stop()
  await log.close()

  log = await openLog(directory)
  for (const waiting of await log.scheduled({ topic: 'jobs' })) {
    expect(waiting.headers?.['bookend-retry-attempts']).toBe('1')
    expect(await log.topic('jobs').cancel(waiting)).toBe(true)
    await log.topic('jobs').append(waiting.value, { headers: waiting.headers })
  }
  // In one batch with others they would not be told their attempts.
  await log.topic('jobs', { codec: text }).appendMany(['e 1', 'f 1'])
  const second = log.queue('jobs', { codec: text }).work(module, { ...options, batchSize: 100 })
  await second.idle()
  const done = (await collect(log.topic('done', { codec: text }).read())).map(({ value }) => value)
  expect(done.slice(0, 2)).toEqual(['a 1 of 1', 'd 1 of 1'])
  expect(done.slice(2).sort()).toEqual(['b 2 of 1', 'c 2 of 1', 'e 1 of 2', 'f 1 of 2'])
  await second.stop()
})

it('idle() of a module waits for what is to come again', async () => {
  const log = await openLog()
  await log.topic('jobs', { codec: text }).appendMany(['a 1', 'b 4', 'c 2'])
  const worker = log.queue('jobs', { codec: text }).work(failing(), { backoffMs: 1, retries: 9, batchSize: 1 })
  await worker.idle()
  const done = (await collect(log.topic('done', { codec: text }).read())).map(({ value }) => value)
  expect(done.sort()).toEqual(['a 1 of 1', 'b 4 of 1', 'c 2 of 1'])
  expect(worker.stats).toMatchObject({ processed: 3, failed: 4 })
  await worker.stop()
})

it('idle() does not wait for ever for what another one of the group has done', async () => {
  const log = await openLog()
  const queue = log.queue('jobs', { codec: text })
  await queue.push('a')
  const once = ({ headers }: { headers?: Record<string, string> }) => {
    if (headers === undefined) throw new Error('not yet')
  }
  const first = queue.work(once, { backoffMs: 300 })
  await until('it waits', async () => (await log.scheduled()).length === 1)
  const idle = first.idle()
  const second = queue.work(once)
  await idle
  await first.stop()
  await second.stop()
})

it('is for the order none, and may be left', async () => {
  const log = await openLog()
  const queue = log.queue('jobs', { codec: text })
  const group = log.topic('jobs').group('queue')
  expect(() => group.process(() => {}, { durableRetries: true })).toThrow(TypeError)
  await queue.push('a')
  const offsets: number[] = []
  const worker = queue.work(
    ({ offset }, { attempt }) => {
      offsets.push(offset)
      if (attempt === 1) throw new Error('once')
    },
    { backoffMs: 1, durableRetries: false },
  )
  await worker.idle()
  expect(offsets).toEqual([0, 0])
})
