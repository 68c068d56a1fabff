import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, openLog, small, temporaryFolder, until } from './support.js'

const ackTimeoutMs = 3_600_000

it('a closed log does not stay in memory for deliveries that nobody gave back, nor for a signal that goes on', async () => {
  v8.setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { signal } = new AbortController()
  const inUse = () => {
    collect()
    return process.memoryUsage().arrayBuffers
  }
  const before = inUse()
  let one = 0
  // A function of its own, whose variables are gone with it: a frame that goes on would keep the last log.
  const openAndClose = async (): Promise<void> => {
    // Not by `openLog`, which keeps it to close it.
    const log = await open(temporaryFolder(), small)
    one = inUse() - before
    const topic = log.topic('t')
    await topic.append(new Uint8Array(10))
    for (const options of [{ ackTimeoutMs }, { ackTimeoutMs, signal }]) {
      const delivery = await topic
        .group(`g${'signal' in options}`)
        .consume(options)
        .next()
      expect(delivery.done).toBe(false)
    }
    // Also one that holds nothing, and was left in the middle.
    await topic
      .group('idle')
      .consume({ signal })
      .next()
      .then(({ value }) => value?.ack())
    await log.close()
  }
  for (let count = 0; count < 4; count++) await openAndClose()
  await until('all closed logs are collected', () => inUse() < before + one / 2)
})

it('a consumer that waits for one of its deliveries to be settled hears that the log is closed', async () => {
  const log = await openLog()
  const topic = log.topic('t')
  await topic.appendMany([new Uint8Array(1), new Uint8Array(1)])
  const consumer = topic.group('g').consume({ prefetch: 1, ackTimeoutMs })
  const { value: held } = await consumer.next()
  const waiting = codedFailureOf(() => consumer.next())
  await log.close()
  expect(await waiting).toMatchObject({ code: 'BOOKEND_CLOSED' })
  expect(held?.offset).toBe(0)
})
