import { open } from 'bookend'
import { expect, it } from 'vitest'
import { openLog, segmentNames, small, temporaryFolder, until } from './support.js'

const where = { type: 'refund' }
const sales = (count: number) => Array.from({ length: count }, () => new Uint8Array(10_000))
const headers = { type: 'sale' }

it('what a group has passed is still passed in the next life of the log, though nothing was acknowledged', async () => {
  const directory = temporaryFolder()
  const log = await open(directory, small)
  const topic = log.topic('t')
  await topic.appendMany(sales(20), { headers })
  const consumer = topic.group('g', { where }).consume()
  const waiting = consumer.next()
  // One that is not there yet would be said to stand there as well.
  await until('it has passed them', async () => (await log.groups())[0]?.committed === 20)
  await consumer.return?.()
  await waiting
  await log.close()
  await using again = await open(directory, small)
  // Nobody says what it was given: this is what was written.
  expect(await again.topic('t').group('g').position()).toMatchObject({ committed: 20, lag: 0 })
})

it('what was acknowledged behind a message that is held does not come again, whatever stands between', async () => {
  const directory = temporaryFolder()
  const log = await open(directory, small)
  const topic = log.topic('t')
  for (let round = 0; round < 60; round++) {
    await topic.appendMany(sales(1), { headers })
    await topic.append(new Uint8Array(1), { headers: where })
  }
  const consumer = topic.group('g', { where }).consume()
  for (let index = 0; index < 60; index++) {
    const { value } = await consumer.next()
    // The first forty are held, each with one between that is passed.
    if (index >= 40) await value?.ack()
  }
  await log.close()
  await using again = await open(directory, small)
  const group = again.topic('t').group('g', { where })
  expect(await group.position()).toMatchObject({ committed: 1, lag: 40 })
})

it('retention deletes what a group has passed, and goes on as long as it waits', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory, { retention: { consumed: true } })
  const topic = log.topic('t')
  const consumer = topic.group('g', { where }).consume()
  const waiting = consumer.next()
  await until('the group is there', async () => (await log.groups()).length === 1)
  for (let round = 0; round < 6; round++) await topic.appendMany(sales(90), { headers })
  await until(
    'the first segments are gone',
    async () => segmentNames(directory).length <= 4 && (await topic.bounds()).first > 200,
  )
  await topic.append(new Uint8Array([7]), { headers: where })
  expect((await waiting).value?.value).toEqual(new Uint8Array([7]))
})
