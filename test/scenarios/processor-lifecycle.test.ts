import { type Log, text } from 'bookend'
import { expect, it } from 'vitest'
import { HandlerRecord } from '../support/recording-handler.js'
import { openLog, temporaryFolder, until } from './support.js'

const topicOf = (log: Log) => log.topic('t', { codec: text })
const good = (count: number) => Array.from({ length: count }, (_, index) => `good ${index}`)
const upTo = (end: number) => Array.from({ length: end }, (_, offset) => offset)

async function filled(values: string[]) {
  const folder = temporaryFolder()
  const directory = `${folder}/log`
  const log = await openLog(directory)
  const topic = topicOf(log)
  await topic.appendMany(values)
  return { log, topic, directory, record: new HandlerRecord(folder) }
}

for (const order of ['topic', 'key', 'none'] as const) {
  it(`order ${order}: messages that come while it runs are handled, and acknowledged for ever`, async () => {
    const { log, topic, directory, record } = await filled(good(500))
    const processor = topic.group('g').process(record.module, { order, concurrency: 2, batchSize: 64 })
    for (let round = 0; round < 20; round++) {
      await Promise.all(upTo(25).map((index) => topic.append(`good ${index}`, { key: `k${index % 5}` })))
    }
    await processor.idle()
    expect(record.offsets().sort((a, b) => a - b)).toEqual(upTo(1_000))
    expect(processor.stats).toEqual({ processed: 1_000, failed: 0, deadLettered: 0 })
    await log.close()
    await processor.finished
    const again = await openLog(directory)
    expect(await topicOf(again).group('g').position()).toMatchObject({ committed: 1_000, lag: 0 })
  })
}

it('closing the log ends its processors: what they have done is acknowledged', async () => {
  const { log, topic, directory, record } = await filled([...good(300), 'slow 20', ...good(300)])
  const orders = ['topic', 'key', 'none'] as const
  const processors = orders.map((order) =>
    topic.group(order).process(record.module, { order, batchSize: 7, concurrency: 2 }),
  )
  await until('they are at work', () => processors.every(({ stats }) => stats.processed > 0))
  await log.close()
  for (const processor of processors) await processor.finished
  const again = await openLog(directory)
  const handled = record.offsets().length
  const positions = await Promise.all(orders.map((order) => topicOf(again).group(order).position()))
  // One handler wrote for three groups: what it handled and what they have acknowledged is the same number.
  expect(positions.reduce((sum, { next, lag }) => sum + next - lag, 0)).toBeLessThanOrEqual(handled)
  for (const order of ['topic', 'none'] as const) await topicOf(again).group(order).process(record.module).idle()
})
