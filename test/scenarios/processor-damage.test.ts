import { closeSync, openSync, writeSync } from 'node:fs'
import { bytes } from 'bookend'
import { expect, it } from 'vitest'
import { HandlerRecord } from '../support/recording-handler.js'
import { codedFailureOf, collect, openLog, segmentFile, temporaryFolder } from './support.js'

/** A closed log of 110 messages over several segments, in whose first one a few batches are damaged. */
async function damagedLog() {
  const folder = temporaryFolder()
  const directory = `${folder}/log`
  const log = await openLog(directory)
  const topic = log.topic('t')
  for (let index = 0; index < 110; index++) await topic.append(Buffer.alloc(40_000, `good ${index} `))
  await log.close()
  const file = openSync(segmentFile(directory, 0), 'r+')
  writeSync(file, Buffer.alloc(50_000, 0xee), 0, 50_000, 300_000)
  closeSync(file)
  const again = await openLog(directory)
  return { log: again, topic: again.topic('t', { codec: bytes }), record: new HandlerRecord(folder) }
}

for (const order of ['topic', 'key', 'none'] as const) {
  it(`damage becomes one dead letter for its range, and everything else is handled (order ${order})`, async () => {
    const { log, topic, record } = await damagedLog()
    const processor = topic
      .group('g')
      .process(record.module, { order, concurrency: 3, deadLetter: 'dead', batchSize: 4 })
    await processor.idle()
    const letters = await collect(log.topic('dead').read())
    // Without an order two threads may meet the same damage, each from its own side: then it is in two pieces.
    if (order === 'none') expect(letters.length).toBeGreaterThan(0)
    else expect(letters).toHaveLength(1)
    const lost = letters.flatMap(({ headers, value }) => {
      expect(value).toHaveLength(0)
      expect(headers?.['bookend-error']).toContain('cannot be delivered')
      const [first, end] = [Number(headers?.['bookend-offset']), Number(headers?.['bookend-next'])]
      expect(end).toBeGreaterThan(first)
      return Array.from({ length: end - first }, (_, index) => first + index)
    })
    const all = [...record.offsets(), ...lost].sort((a, b) => a - b)
    expect(all).toEqual(Array.from({ length: 110 }, (_, offset) => offset))
    expect(processor.stats.deadLettered).toBe(letters.length)
    expect(await topic.group('g').position()).toMatchObject({ committed: 110, lag: 0 })
  })
}

for (const order of ['topic', 'key', 'none'] as const) {
  it(`a function goes on behind damage as well (order ${order})`, async () => {
    const { log, topic } = await damagedLog()
    const handled: number[] = []
    const processor = topic
      .group('g')
      .process(({ offset }) => void handled.push(offset), { order, concurrency: 3, deadLetter: 'dead' })
    await processor.idle()
    const [letter, ...more] = await log.deadLetters('dead').list()
    expect(more).toEqual([])
    const { origin, damagedTo = 0 } = letter
    const lost = Array.from({ length: damagedTo - origin.offset }, (_, index) => origin.offset + index)
    expect(lost.length).toBeGreaterThan(0)
    expect([...handled, ...lost].sort((a, b) => a - b)).toEqual(Array.from({ length: 110 }, (_, offset) => offset))
    expect(processor.stats).toEqual({ processed: 110 - lost.length, failed: 0, deadLettered: 1 })
    expect(await topic.group('g').position()).toMatchObject({ committed: 110, lag: 0 })
  })
}

it('without a dead-letter topic damage ends the processor with its place, and a seek goes on behind it', async () => {
  const { topic, record } = await damagedLog()
  const error = await codedFailureOf(() => topic.group('g').process(record.module).finished)
  expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', topic: 't' })
  expect(record.offsets()).toEqual(Array.from({ length: error.offset as number }, (_, offset) => offset))
  await topic.group('g').seek(error.next as number)
  await topic.group('g').process(record.module).idle()
  expect(record.offsets().at(-1)).toBe(109)
})
