import diagnostics from 'node:diagnostics_channel'
import { type Log, text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { HandlerRecord } from '../support/recording-handler.js'
import { codedFailureOf, collect, failureOf, openLog, temporaryFolder, until } from './support.js'

async function filled(
  values: string[],
  options = {},
): Promise<{ log: Log; topic: ReturnType<typeof topicOf>; record: HandlerRecord }> {
  const folder = temporaryFolder()
  const log = await openLog(`${folder}/log`, options)
  const topic = topicOf(log)
  await topic.appendMany(values)
  return { log, topic, record: new HandlerRecord(folder) }
}

const topicOf = (log: Log) => log.topic('t', { codec: text })
const good = (count: number) => Array.from({ length: count }, (_, index) => `good ${index}`)
const upTo = (end: number, ...without: number[]) =>
  Array.from({ length: end }, (_, offset) => offset).filter((offset) => !without.includes(offset))
const unique = (offsets: number[]) => [...new Set(offsets)].sort((a, b) => a - b)

const deaths: [how: string, reason: RegExp, options?: object][] = [
  ['throw', /^RangeError: cannot handle 7$/],
  ['throw-oddly', /^Error: /],
  ['exit', /BookendError: the handler ended its thread .*exited with code: 0/],
  ['throw-later', /BookendError: the handler ended its thread .*thrown behind/],
  ['memory', /BookendError: the handler ended its thread .*memory/, { maxHeapMb: 32 }],
  ['block', /BookendError: the handler had not come back after 3000 ms/, { timeoutMs: 3_000 }],
  ['hang', /BookendError: the handler had not come back after 3000 ms/, { timeoutMs: 3_000 }],
]

for (const [how, reason, options] of deaths) {
  it(`a message whose handler does "${how}" becomes a dead letter; all others, other groups and reads go on`, async () => {
    const { log, topic, record } = await filled([...good(7), how, ...good(12)])
    const other = new HandlerRecord(temporaryFolder())
    const poisoned = topic.group('poisoned').process(record.module, {
      ...{ batchSize: 5, retries: 1, backoffMs: 1, deadLetter: 'dead', ...options },
    })
    // Of another group, whose handler meets the same message only when all this is over.
    const healthy = log.topic('other', { codec: text })
    const second = healthy.group('g').process(other.module)
    for (let round = 0; round < 20; round++) {
      await healthy.append('good')
      expect((await topic.get(round))?.offset).toBe(round)
    }
    await second.idle()
    expect(other.offsets()).toEqual(upTo(20))
    await poisoned.idle()
    expect(unique(record.offsets())).toEqual(upTo(20, 7))
    expect(await topic.group('poisoned').position()).toMatchObject({ committed: 20, lag: 0 })
    const letters = await collect(log.topic('dead', { codec: text }).read())
    expect(letters).toHaveLength(1)
    expect(letters[0].value).toBe(how)
    expect(letters[0].headers).toMatchObject({
      'bookend-topic': 't',
      'bookend-offset': '7',
      'bookend-group': 'poisoned',
    })
    expect(letters[0].headers?.['bookend-error']).toMatch(reason)
    // The batch, alone, and once more.
    expect(letters[0].headers?.['bookend-attempts']).toBe('2')
    expect(poisoned.stats).toEqual({ processed: 19, failed: 2, deadLettered: 1 })
    await poisoned.stop()
    await poisoned.finished
    await log.close()
  })
}

it('without a dead-letter topic the processor ends with the error of the handler, and the message stays', async () => {
  const { log, topic, record } = await filled([...good(3), 'throw', ...good(3)])
  const processor = topic.group('g').process(record.module, { retries: 1, backoffMs: 1 })
  const error = await failureOf(() => processor.finished)
  expect(error).toBeInstanceOf(RangeError)
  expect(error).toMatchObject({ message: 'cannot handle 3', code: 'E_MINE', topic: 't', offset: 3 })
  expect(error.stack).toContain('handler-records.mjs')
  expect(await failureOf(() => processor.idle())).toBe(error)
  await processor.stop()
  expect(processor.state).toBe('failed')
  expect(processor.error).toBe(error)
  expect(await topic.group('g').position()).toMatchObject({ committed: 3, lag: 4 })
  // The next one begins with it, with all its attempts.
  const again = topic.group('g').process(record.module, { retries: 1, backoffMs: 1, deadLetter: 'dead' })
  await again.idle()
  expect(unique(record.offsets())).toEqual(upTo(7, 3))
  const [letter] = await collect(log.topic('dead', { codec: text }).read())
  expect(letter.headers?.['bookend-attempts']).toBe('2')
})

it('a processor that ends by itself is seen by those who do not ask it', async () => {
  const { log, topic, record } = await filled(['throw'])
  const told: unknown[] = []
  const listen = (message: unknown) => told.push(message)
  diagnostics.subscribe('bookend:error', listen)
  onTestFinished(() => {
    diagnostics.unsubscribe('bookend:error', listen)
  })
  const processor = topic.group('g').process(record.module, { retries: 0 })
  expect({ state: processor.state, error: processor.error }).toEqual({ state: 'running', error: undefined })
  await until('it has failed', () => processor.state === 'failed')
  expect(processor.error).toMatchObject({ message: 'cannot handle 0' })
  expect(log.stats().errors).toEqual({ count: 1, last: 'BOOKEND_HANDLER' })
  const { error } = processor
  const where = { topic: 't', group: 'g', directory: log.directory }
  const message = expect.stringMatching(/group "g" of topic "t" has stopped: RangeError: cannot handle 0/)
  expect(told).toEqual([{ ...where, code: 'BOOKEND_HANDLER', message, error }])
  // Ends that were asked for are no errors.
  const asked = topic.group('h').process(record.module, { deadLetter: 'dead', retries: 0 })
  await asked.idle()
  await asked.stop()
  expect({ state: asked.state, error: asked.error }).toEqual({ state: 'stopped', error: undefined })
  expect(log.stats().errors.count).toBe(1)
})

it('an ended processor that nobody asks is no unhandled rejection', async () => {
  const { topic, record } = await filled(['throw'])
  const processor = topic.group('g').process(record.module, { retries: 0 })
  await processor.finished.catch(() => {})
  const unasked = topic.group('g').process(record.module, { retries: 0 })
  // vitest fails the run if this one's rejection goes unhandled.
  await unasked.stop()
})

for (const how of ['missing', 'throws', 'exits', 'hangs', 'no-default']) {
  it(`a module that does not load (${how}) is BOOKEND_HANDLER, and nothing is acknowledged`, async () => {
    const { log, topic, record } = await filled(good(3))
    const file = how === 'missing' ? 'no-such-handler.mjs' : 'handler-bad.mjs'
    const module = new URL(`../fixtures/${file}?${how}`, import.meta.url)
    const processor = topic.group('g').process(module, { deadLetter: 'dead', timeoutMs: 3_000 })
    expect((await codedFailureOf(() => processor.idle())).code).toBe('BOOKEND_HANDLER')
    expect((await codedFailureOf(() => processor.finished)).code).toBe('BOOKEND_HANDLER')
    await processor.stop()
    expect(await topic.group('g').position()).toMatchObject({ committed: 0, lag: 3 })
    await topic.group('g').process(record.module).idle()
    expect(record.offsets()).toEqual([0, 1, 2])
    expect(await log.topics()).toEqual(['t'])
  })
}

it('a handler thread that died leaves no mapping behind', async () => {
  const values = Array.from({ length: 60 }, (_, index) => (index % 20 === 7 ? 'exit' : `good ${'x'.repeat(40_000)}`))
  const { log, topic, record } = await filled([], { mapTtlMs: 50 })
  for (const value of values) await topic.append(value)
  const processor = topic.group('g').process(record.module, { batchSize: 4, retries: 0, deadLetter: 'dead' })
  await processor.idle()
  expect(unique(record.offsets())).toEqual(upTo(60, 7, 27, 47))
  await processor.stop()
  // Two lives of a mapping later only the writer has one, at most.
  await until('only the writer has one', async () =>
    (await log.residency()).flatMap(({ mappings }) => mappings).every(({ thread }) => thread === 'writer'),
  )
})
