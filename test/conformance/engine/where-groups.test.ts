import type { Delivery, Log } from 'bookend'
import { describe, expect, it } from 'vitest'
import { codedFailureOf, expectMistake, failureOf, temporaryFolder, until } from '../../scenarios/support.js'
import { HandlerRecord } from '../../support/recording-handler.js'
import { Seeded } from '../../support/seeded.js'
import { take } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

const where = { type: ['refund', 'loss'] }
const ascending = (offsets: number[]) => [...offsets].sort((a, b) => a - b)

onEveryEngine(({ shared, open, supports }) => {
  /** Messages of which those match that `isMatch` says. */
  async function append(log: Log, name: string, count: number, isMatch: (index: number) => boolean): Promise<number[]> {
    const topic = log.topic(name)
    const matching: number[] = []
    for (let index = 0; index < count; ) {
      const type = isMatch(index) ? (index % 2 === 0 ? 'refund' : 'loss') : 'sale'
      let end = index + 1
      while (end < count && isMatch(end) === isMatch(index)) end += 1
      const values = Array.from({ length: end - index }, () => Buffer.from('good'))
      const { first } = await topic.appendMany(values, { headers: { type, shop: 'north' } })
      if (type !== 'sale') matching.push(...values.map((_, place) => first + place))
      index = end
    }
    return matching
  }

  /** The log, a name for a topic; undefined: this engine gives groups every message. */
  async function filtered() {
    const { log, name } = await shared()
    return { log, name, isHere: log.supports.filteredGroups }
  }

  it('an engine that cannot do it says so before anything is done', async () => {
    const { log, name, isHere } = await filtered()
    if (isHere) return
    expect((await codedFailureOf(() => log.topic(name).group('g', { where }))).code).toBe('BOOKEND_UNSUPPORTED')
    expect(await log.topics()).not.toContain(name)
  })

  it('a group is given what matches, moves on over the rest, and is not behind when nothing is left', async () => {
    const { log, name, isHere } = await filtered()
    if (!isHere) return
    const topic = log.topic(name)
    const wanted = await append(log, name, 1_000, (index) => index % 97 === 5 || (index > 500 && index < 520))
    const group = topic.group('g', { where })
    // Before it is used, and without coming to be by that.
    expect(await group.position()).toMatchObject({ next: 1_000, lag: wanted.length })
    const consumer = group.consume()
    const taken = await take(consumer, wanted.length)
    expect(taken.map(({ offset }) => offset)).toEqual(wanted)
    expect(taken.every(({ attempt, headers }) => attempt === 1 && headers?.shop === 'north')).toBe(true)
    expect(await group.position()).toMatchObject({ committed: wanted[0], lag: wanted.length })
    for (const delivery of taken.slice(3)) await delivery.ack()
    expect(await group.position()).toMatchObject({ committed: wanted[0], lag: 3 })
    for (const delivery of taken.slice(0, 3)) await delivery.ack()
    expect(await group.position()).toEqual({ committed: 1_000, next: 1_000, lag: 0, skipped: 0 })
    // Nobody asks, and it is not behind for what comes and does not match.
    await consumer.return?.()
    await append(log, name, 50, () => false)
    expect(await group.position()).toEqual({ committed: 1_050, next: 1_050, lag: 0, skipped: 0 })
    expect((await log.groups()).find((each) => each.topic === name)).toMatchObject({ committed: 1_050, lag: 0 })
    const [last] = await append(log, name, 1, () => true)
    expect(await group.position()).toMatchObject({ committed: last, lag: 1 })
    // One that is given everything has nothing to do with it.
    expect(await topic.group('all').position()).toMatchObject({ committed: 0, lag: 1_051 })
  })

  it('consumers share what matches, wait through what does not, and get again what was given back', async () => {
    const { log, name, isHere } = await filtered()
    if (!isHere) return
    const group = log.topic(name).group('g', { where })
    const taken: number[] = []
    const returned = new Set<number>()
    const isOver = new AbortController()
    const consumers = [1, 2, 3].map(async () => {
      for await (const delivery of group.consume({ prefetch: 3, signal: isOver.signal }) as AsyncIterable<
        Delivery<Uint8Array>
      >) {
        if (delivery.attempt === 1 && delivery.offset % 3 === 0) {
          returned.add(delivery.offset)
          await delivery.nack()
          continue
        }
        taken.push(delivery.offset)
        await delivery.ack()
      }
    })
    const random = new Seeded(3)
    const wanted: number[] = []
    for (let round = 0; round < 12; round++) wanted.push(...(await append(log, name, 40, () => random.chance(0.2))))
    await append(log, name, 40, () => false)
    await until('nothing is left', async () => taken.length >= wanted.length && (await group.position()).lag === 0)
    isOver.abort(new Error('over'))
    // All at once: one that has ended before its turn comes is a rejection that nobody hears.
    for (const end of await Promise.allSettled(consumers))
      expect(end).toMatchObject({ status: 'rejected', reason: { message: 'over' } })
    expect(ascending(taken)).toEqual(wanted)
    expect(ascending([...returned])).toEqual(wanted.filter((offset) => offset % 3 === 0))
    expect((await group.position()).committed).toBe(520)
  })

  it('what was passed stays passed, until the group is moved back', async () => {
    const { log, name, isHere } = await filtered()
    if (!isHere) return
    const wanted = await append(log, name, 60, (index) => index % 10 === 4)
    const group = log.topic(name).group('g', { where })
    for (const delivery of await take(group.consume(), 6)) await delivery.ack()
    await group.seek(20)
    expect(await group.position()).toMatchObject({ committed: 24, lag: 4 })
    expect((await take(group.consume(), 4)).map(({ offset }) => offset)).toEqual(wanted.slice(2))
    await group.seek('next')
    expect(await group.position()).toMatchObject({ committed: 60, lag: 0 })
    await group.seek(0)
    expect((await take(group.consume(), 1))[0].offset).toBe(4)
  })

  it('a group has one condition in a process, whoever says it, and none is another one', async () => {
    const { log, name, isHere } = await filtered()
    if (!isHere) return
    await append(log, name, 10, (index) => index % 2 === 0)
    const topic = log.topic(name)
    const group = topic.group('g', { where })
    topic.group('g', { where: { type: ['loss', 'refund', 'loss'] } })
    await expectMistake(() => topic.group('g', { where: { type: 'refund' } }), TypeError)
    // Who says nothing takes it as it is.
    const [first] = await take(topic.group('g').consume(), 1)
    expect(first.offset).toBe(0)
    await first.ack()
    await group.remove()
    const other = topic.group('g', { where: { type: 'sale' } })
    expect((await take(other.consume(), 2)).map(({ offset }) => offset)).toEqual([1, 3])
    await take(topic.group('busy').consume(), 1)
    const late = async () => {
      // In another thread than that of its books it is said with the first use.
      await topic.group('busy', { where }).position()
    }
    expect(await failureOf(late)).toBeInstanceOf(TypeError)
    for (const bad of [{ type: 1 }, 'type', { type: undefined }])
      await expectMistake(() => topic.group('h', { where: bad as never }), TypeError)
    await expectMistake(() => topic.group('h', { filter: {} } as never), TypeError)
  })

  describe.runIf(supports.process)('processors', () => {
    it.each(['topic', 'key', 'none'] as const)('in order %s handle what matches and nothing else', async (order) => {
      const log = await open({ readers: 2 })
      if (!log.supports.filteredGroups) return
      const random = new Seeded(11)
      const wanted = await append(log, 't', 2_000, (index) => random.chance(0.05) || (index > 900 && index < 1_000))
      const record = new HandlerRecord(temporaryFolder())
      const group = log.topic('t').group('g', { where })
      const processor = group.process(record.module, { order, concurrency: 2, batchSize: 16 })
      await processor.idle()
      expect(ascending(record.offsets())).toEqual(wanted)
      expect(processor.stats.processed).toBe(wanted.length)
      expect(await group.position()).toMatchObject({ committed: 2_000, lag: 0 })
      // What comes while it waits.
      for (let round = 0; round < 20; round++)
        wanted.push(...(await append(log, 't', 10, (index) => index === round % 10)))
      await processor.idle()
      expect(ascending(record.offsets())).toEqual(wanted)
      expect(await group.position()).toMatchObject({ committed: 2_200, lag: 0 })
      await processor.stop()
    })
  })
})
