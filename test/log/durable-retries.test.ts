/** What a queue's worker could not do comes again after restarts too, with its attempts counted, until it is done or a dead letter. */
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

it('is for functions and the order none, and may be left', async () => {
  const log = await openLog()
  const queue = log.queue('jobs', { codec: text })
  const group = log.topic('jobs').group('queue')
  expect(() => group.process(() => {}, { durableRetries: true })).toThrow(TypeError)
  expect(() => queue.work(new URL('file:///none.mjs'), { durableRetries: true })).toThrow(TypeError)
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
