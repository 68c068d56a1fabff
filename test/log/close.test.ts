import { type Log, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, openLog, temporaryFolder } from '../scenarios/support.js'

/** Whichever of the two it is: an answer is whole. */
function expectAnswerOrClosed<T>(outcome: PromiseSettledResult<T>, expectAnswer: (value: T) => void): void {
  if (outcome.status === 'fulfilled') expectAnswer(outcome.value)
  else expect(outcome.reason).toMatchObject({ code: 'BOOKEND_CLOSED' })
}

it('what was pending when the log closed is there when it is opened again, and nothing was torn', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory, { ringBytes: 64 << 10 })
  const topic = log.topic('t')
  // Far more than the ring holds, so that most of it waits.
  const appends = Array.from({ length: 200 }, (_, index) => topic.append(new Uint8Array(5_000).fill(index)))
  await log.close()
  await Promise.all(appends)
  const again = await openLog(directory)
  expect(again.stats().recovery.tornBytes).toBe(0)
  const messages = await collect(again.topic('t').read())
  expect(messages.map(({ value }) => value[0])).toEqual(Array.from({ length: 200 }, (_, index) => index))
})

it('what is asked of the reaper when the log closes is answered, or BOOKEND_CLOSED', async () => {
  const log = await openLog()
  const topic = log.topic('t')
  // The reaper looks at one segment a turn of its event loop: it cannot be through with all of this before the log closes.
  for (let count = 0; count < 24; count++) await topic.append(new Uint8Array(500_000))
  const { length } = await log.segments()
  expect(length).toBeGreaterThan(12)
  const outcomes = Promise.allSettled(Array.from({ length: 2_000 }, () => log.segments()))
  await log.close()
  for (const outcome of await outcomes) {
    // Spare segments may have come meanwhile.
    expectAnswerOrClosed(outcome, (segments) => expect(segments.length).toBeGreaterThanOrEqual(length))
  }
})

it('a scan that is under way when the log closes ends, or is BOOKEND_CLOSED', async () => {
  for (let count = 1; count <= 5; count++) {
    const log = await openLog()
    const topic = log.topic('t')
    await topic.appendMany(Array.from({ length: 500 }, () => new Uint8Array(100)))
    const scans = Array.from({ length: count }, () => topic.scan(new URL('../fixtures/scan-sum.mjs', import.meta.url)))
    const outcomes = Promise.allSettled(scans)
    await log.close()
    for (const outcome of await outcomes) {
      expectAnswerOrClosed(outcome, (sum) => expect(sum).toMatchObject({ count: 500, bytes: 50_000 }))
    }
  }
})

it('leaving the scope of an await using closes the log', async () => {
  const directory = temporaryFolder()
  let kept: Log
  {
    const log = await openLog(directory)
    kept = log
    await log.topic('t', { codec: text }).append('a')
    await log[Symbol.asyncDispose]()
  }
  expect((await codedFailureOf(() => kept.topics())).code).toBe('BOOKEND_CLOSED')
  expect(await (await openLog(directory)).topics()).toEqual(['t'])
})

it('a log can be opened and closed many times, also without anything in between', async () => {
  const directory = temporaryFolder()
  for (let round = 0; round < 6; round++) {
    const log = await openLog(directory)
    if (round % 2 === 0) await log.topic('t').append(new Uint8Array(round))
    await log.close()
  }
  expect(await (await openLog(directory)).topic('t').bounds()).toEqual({ first: 0, next: 3 })
})

it('a handler may close its log: what it was called with is done first', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  await log.topic('t', { codec: text }).appendMany(['a', 'b'])
  const seen: string[] = []
  const worker = log
    .topic('t', { codec: text })
    .group('g')
    .process(async ({ value }) => {
      seen.push(value)
      await log.close()
    })
  await worker.finished
  await log.close()
  expect(seen).toEqual(['a'])
  expect(await (await openLog(directory)).topic('t').group('g').position()).toMatchObject({ committed: 1, lag: 1 })
})
