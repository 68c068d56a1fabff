import fs from 'node:fs'
import path from 'node:path'
import { type Delivery, type Group, type Log, open, text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { codedFailureOf, openLog, overwrite, segmentNames, start, temporaryFolder, until } from '../support.js'

async function follow(directory: string): Promise<Log> {
  const log = await open(directory, { readers: 1, readOnly: true, follow: true })
  onTestFinished(() => log.close().catch(() => {}))
  return log
}

async function consume<T>(group: Group<T>, count: number): Promise<Delivery<T>[]> {
  const taken: Delivery<T>[] = []
  for await (const delivery of group.consume()) {
    await delivery.ack()
    taken.push(delivery)
    if (taken.length === count) break
  }
  return taken
}

async function filled(count: number): Promise<{ directory: string; owner: Log }> {
  const directory = temporaryFolder()
  const owner = await openLog(directory)
  for (let number = 0; number < count; number++) await owner.topic('t', { codec: text }).append(`${number}`)
  return { directory, owner }
}

it('its position is kept beside the log, for the next process that takes it, and others may look', async () => {
  const { directory } = await filled(30)
  const first = await follow(directory)
  const taken = await consume(first.topic('t', { codec: text }).group('g'), 12)
  expect(taken.map(({ value }) => value)).toEqual(Array.from({ length: 12 }, (_, index) => `${index}`))
  const second = await follow(directory)
  const group = second.topic('t', { codec: text }).group('g')
  expect(await group.position()).toEqual({ committed: 12, next: 30, lag: 18, skipped: 0 })
  const error = await codedFailureOf(() => group.consume().next())
  expect(error.code).toBe('BOOKEND_LOCKED')
  expect(error.message).toMatch(/one process has a group at a time/)
  await first.close()
  expect((await consume(group, 1))[0]?.value).toBe('12')
})

it('what is acknowledged out of order is remembered, and survives kill -9 of the process', async () => {
  const { directory } = await filled(10)
  const program = start('follower-consumer.mjs', [directory])
  await program.says('acknowledged 0 1 2 4 6')
  const blocked = (await follow(directory)).topic('t').group('g')
  expect((await codedFailureOf(() => blocked.seek(0))).message).toContain(`process ${program.process.pid}`)
  program.process.kill('SIGKILL')
  await program.ended
  const group = (await follow(directory)).topic('t', { codec: text }).group('g')
  expect(await group.position()).toMatchObject({ committed: 3, lag: 5 })
  expect((await consume(group, 5)).map(({ value }) => value)).toEqual(['3', '5', '7', '8', '9'])
})

it('it is not the group of that name in the log, and neither moves the other', async () => {
  const { directory, owner } = await filled(6)
  await consume(owner.topic('t', { codec: text }).group('g'), 4)
  const group = (await follow(directory)).topic('t', { codec: text }).group('g')
  expect((await consume(group, 2)).map(({ value }) => value)).toEqual(['0', '1'])
  expect((await owner.topic('t').group('g').position()).committed).toBe(4)
})

it('a follower lists its own groups, those of other followers, and those of the owner, each once', async () => {
  const { directory, owner } = await filled(6)
  await consume(owner.topic('t', { codec: text }).group('g'), 4)
  await consume(owner.topic('t', { codec: text }).group('owned'), 5)
  const [first, second] = [await follow(directory), await follow(directory)]
  expect((await first.groups()).map(({ name, committed, lag }) => [name, committed, lag])).toEqual([
    ['g', 4, 2],
    ['owned', 5, 1],
  ])
  await consume(first.topic('t', { codec: text }).group('g'), 2)
  await consume(second.topic('t', { codec: text }).group('other'), 1)
  const ended = await first.topic('t', { codec: text }).group('g').consume().next()
  const none = { processors: [] }
  await until('the acknowledgements of the other process are written', async () => {
    const [, other] = await first.groups()
    return other?.committed === 1
  })
  expect(ended.value?.value).toBe('2')
  expect(await first.groups()).toEqual([
    { topic: 't', name: 'g', committed: 2, lag: 4, consumers: 1, ...none },
    { topic: 't', name: 'other', committed: 1, lag: 5, consumers: 0, ...none },
    { topic: 't', name: 'owned', committed: 5, lag: 1, consumers: 0, ...none },
  ])
  expect((await owner.groups()).map(({ name }) => name)).toEqual(['g', 'owned'])
})

it('seek, remove, and processors work as anywhere', async () => {
  const { directory } = await filled(40)
  const follower = await follow(directory)
  const group = follower.topic('t', { codec: text }).group('g')
  await group.seek(35)
  expect((await consume(group, 1))[0]?.value).toBe('35')
  await group.remove()
  expect(fs.readdirSync(path.join(directory, 'followers/groups/t'))).toEqual([])
  expect((await consume(group, 1))[0]?.value).toBe('0')
  const processor = follower
    .topic('t')
    .group('p')
    .process(new URL('../../fixtures/follower-handler.mjs', import.meta.url))
  await processor.idle()
  expect(processor.stats.processed).toBe(40)
  expect((await follower.topic('t').group('p').position()).lag).toBe(0)
})

it('retention by consumption waits for the groups of followers, also while they are away, until they are forgotten', async () => {
  const directory = temporaryFolder()
  const owner = await openLog(directory, { retention: { consumed: true } })
  const value = new Uint8Array(100_000)
  for (let number = 0; number < 60; number++) await owner.topic('t').append(value)
  const follower = await follow(directory)
  await consume(follower.topic('t').group('g'), 15)
  await consume(owner.topic('t').group('own'), 60)
  await owner.flush('disk')
  const { length } = segmentNames(directory)
  await until('what both are past is deleted', async () => (await owner.topic('t').bounds()).first > 0)
  await follower.close()
  for (let number = 0; number < 20; number++) await owner.topic('t').append(value)
  await consume(owner.topic('t').group('own'), 20)
  await owner.flush('disk')
  // Longer than retention looks: what is not gone by now stays.
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  expect((await owner.topic('t').bounds()).first).toBeLessThanOrEqual(15)
  expect(segmentNames(directory).length).toBeGreaterThanOrEqual(length - 2)
  const { ended } = start('../../dist/src/cli/main.js', ['groups', directory, '--remove', 'g'])
  expect((await ended).status).toBe(0)
  await until('nothing holds it back any more', async () => (await owner.topic('t').bounds()).first > 60)
})

it('a damaged position is refused with what to do, and lets nothing be deleted', async () => {
  const { directory } = await filled(5)
  const first = await follow(directory)
  await consume(first.topic('t').group('g'), 3)
  await first.close()
  const file = path.join(directory, 'followers/groups/t/g')
  for (const at of [2048 + 600, 2048 + 1100]) overwrite(file, at, new Uint8Array([255, 255, 255]))
  const error = await codedFailureOf(async () => (await follow(directory)).topic('t').group('g').seek(0))
  expect(error.code).toBe('BOOKEND_FORMAT')
  expect(error.message).toContain('--remove g')
})
