import diagnostics from 'node:diagnostics_channel'
import { type BookendError, type Log, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, openLog, overwrite, placeOf, segmentFile, temporaryFolder } from '../scenarios/support.js'
import { offsetsOf, range, take, words } from '../support/words.js'

/** A log with messages "m0", "m1", ... in the topic "t". */
async function filled(count: number, directory = temporaryFolder()): Promise<{ log: Log; directory: string }> {
  const log = await openLog(directory)
  await log.topic('t', { codec: text }).appendMany(words(count))
  return { log, directory }
}

const groupOf = (log: Log, name = 'g') => log.topic('t', { codec: text }).group(name)

it('after a restart what was acknowledged does not come again, in whatever order that was, and the rest does', async () => {
  const { log, directory } = await filled(10)
  const deliveries = await take(groupOf(log).consume(), 10)
  for (const index of [0, 1, 4, 7]) await deliveries[index].ack()
  await log.close()
  const reopened = await openLog(directory)
  const again = await take(groupOf(reopened).consume(), 6)
  expect(offsetsOf(again)).toEqual([2, 3, 5, 6, 8, 9])
  expect(again.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1, 1])
})

it('a seek survives a restart, of a group that was never used as well', async () => {
  const { log, directory } = await filled(10)
  await groupOf(log).seek(7)
  await log.close()
  const reopened = await openLog(directory)
  expect(await groupOf(reopened).position()).toMatchObject({ committed: 7, lag: 3 })
})

it('a group that was removed ends its consumers, and starts anew when it is used again', async () => {
  const { log, directory } = await filled(3)
  const group = groupOf(log)
  const consumer = group.consume()
  for (const delivery of await take(consumer, 3)) await delivery.ack()
  const waiting = consumer.next()
  await group.remove()
  expect(await waiting).toEqual({ done: true, value: undefined })
  expect(await group.position()).toMatchObject({ committed: 0, lag: 3 })
  expect(offsetsOf(await take(groupOf(log).consume(), 3))).toEqual([0, 1, 2])
  await group.remove()
  await log.close()
  expect(await groupOf(await openLog(directory)).position()).toMatchObject({ committed: 0, lag: 3 })
})

it('a group behind the oldest message is moved there, and told so', async () => {
  const { log } = await filled(10)
  const group = groupOf(log)
  const consumer = group.consume({ prefetch: 1 })
  const [first] = await take(consumer, 1)
  await first.ack()
  const told: unknown[] = []
  const hear = (message: unknown) => told.push(message)
  diagnostics.subscribe('bookend:group', hear)
  try {
    await log.topic('t').trim(6)
    expect(await group.position()).toEqual({ committed: 6, next: 10, lag: 4, skipped: 5 })
    expect((await take(consumer, 1))[0].offset).toBe(6)
    expect(told).toEqual([{ directory: log.directory, topic: 't', group: 'g', skipped: 5, first: 6 }])
  } finally {
    diagnostics.unsubscribe('bookend:group', hear)
  }
})

it('a group that lagged while nobody had it open is moved when it is used', async () => {
  const { log, directory } = await filled(10)
  await groupOf(log).seek(2)
  await log.topic('t').trim(6)
  await log.close()
  const group = groupOf(await openLog(directory))
  expect(await group.position()).toEqual({ committed: 6, next: 10, lag: 4, skipped: 4 })
})

it('damage ends the consumer with its place; a seek goes on behind it', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  for (let number = 0; number < 60; number++) await log.topic('d').append(new Uint8Array(40_000).fill(number + 1))
  await log.close()
  const file = segmentFile(directory, 0)
  overwrite(file, placeOf(file, 11), new Uint8Array([0xee]))
  const group = (await openLog(directory)).topic('d').group('g')
  const seen: number[] = []
  const consumeAll = async () => {
    for await (const delivery of group.consume()) {
      expect(delivery.value.every((byte) => byte === delivery.offset + 1)).toBe(true)
      seen.push(delivery.offset)
      await delivery.ack()
      if (delivery.offset === 59) return
    }
  }
  const error = (await codedFailureOf(consumeAll)) as BookendError
  expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 10 })
  expect((await group.position()).committed).toBe(10)
  await group.seek(error.next as number)
  await consumeAll()
  expect(seen).toEqual([...range(0, 10), ...range(error.next as number, 60)])
})
