import { expect, it } from 'vitest'
import { openLog, segmentNames, temporaryFolder, until } from './support.js'

const value = (number: number) => new Uint8Array(20_000).fill(number)

it('segments of a queue go by themselves once their messages are popped, and no others', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  const queue = log.queue('q')
  const count = 400
  for (let number = 0; number < count; number += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, index) => queue.push(value(number + index))))
  }
  expect(segmentNames(directory).length).toBeGreaterThan(7)
  for (let number = 0; number < count / 2; number++) expect((await queue.pop())?.[0]).toBe(number & 0xff)
  const first = async () => (await log.topic('q').bounds()).first
  await until('what was popped is deleted', async () => (await first()) > count / 2 - 60)
  expect(await first()).toBeLessThanOrEqual(count / 2)
  for (let number = count / 2; number < count; number++) expect((await queue.pop())?.[0]).toBe(number & 0xff)
  // The active segment stays, and those that are prepared.
  await until('only the active segment is left', () => segmentNames(directory).length <= 3)
  expect(await queue.size()).toBe(0)
})

it('a second group of the topic keeps what it has not seen', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  const queue = log.queue('q')
  await log.topic('q').group('audit').seek('first')
  for (let number = 0; number < 200; number++) await queue.push(value(number))
  for (let number = 0; number < 200; number++) await queue.pop()
  await log.flush('disk')
  const seen: number[] = []
  for await (const delivery of log.topic('q').group('audit').consume()) {
    seen.push(delivery.offset)
    await delivery.ack()
    if (seen.length === 200) break
  }
  expect(seen).toEqual(Array.from({ length: 200 }, (_, index) => index))
  await until('both are past it', () => segmentNames(directory).length <= 3)
})

it('a queue goes on behind what was deleted after a restart, and clearing it frees its segments', async () => {
  const directory = temporaryFolder()
  let log = await openLog(directory)
  for (let number = 0; number < 300; number++) await log.queue('q').push(value(number))
  for (let number = 0; number < 150; number++) await log.queue('q').pop()
  await until('some are deleted', async () => (await log.topic('q').bounds()).first > 40)
  await log.close()
  log = await openLog(directory)
  const queue = log.queue('q')
  expect(await queue.size()).toBe(150)
  expect((await queue.pop())?.[0]).toBe(150)
  await queue.clear()
  await until('the rest is deleted', () => segmentNames(directory).length <= 3)
  await queue.push(value(7))
  expect((await queue.pop())?.[0]).toBe(7)
})
