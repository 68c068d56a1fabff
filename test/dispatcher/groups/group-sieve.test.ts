import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { GroupDesk } from '../../../src/dispatcher/groups/group-desk.js'
import { GroupFeed } from '../../../src/dispatcher/groups/group-feed.js'
import { GroupSieve } from '../../../src/dispatcher/groups/group-sieve.js'
import type { Lease } from '../../../src/dispatcher/groups/lease.js'
import { BookendError } from '../../../src/errors.js'
import { chunkBytesOf, type LooseMessage } from '../../../src/messages/chunk-builder.js'
import { HeaderMatcher } from '../../../src/messages/header-matcher.js'
import { SelectedRecords } from '../../../src/messages/selected-records.js'
import { outcomeOf } from '../../support/groups.js'
import { Seeded } from '../../support/seeded.js'
import { storedGroup } from '../../support/stored-groups.js'

const chunkMessages = 5
const utf8 = (text: string) => new TextEncoder().encode(text)
const matcher = new HeaderMatcher([{ name: 'type', values: ['paid'] }])

/** A topic in an array, its group with a filter, and chunks that come when the test lets them. */
class SieveWorld {
  readonly messages: LooseMessage[] = []
  readonly damaged = new Set<number>()
  /** Chunks that were asked for, by the offset from which on. */
  readonly asked: number[] = []
  first = 0
  isOpen = true
  readonly committed: number[] = []
  readonly desk: GroupDesk
  readonly sieve: GroupSieve
  readonly feed: GroupFeed
  readonly #waits = new Set<() => void>()

  constructor() {
    const next = () => this.messages.length
    const whenNext = (offset: number, resolve: () => void) => {
      if (next() > offset || !this.isOpen) resolve()
      else this.#waits.add(resolve)
      return () => this.#waits.delete(resolve)
    }
    const group = storedGroup({}, async ({ committed }) => void this.committed.push(committed))
    this.desk = new GroupDesk({
      ...group,
      ...{ first: () => this.first, next, end: () => this.sieve.next(), onSkipped() {} },
      whenNext: (_, resolve, reject) => this.sieve.whenNext(resolve, reject),
      checkOpen: () => {
        if (!this.isOpen) throw new Error('closed')
      },
    })
    this.sieve = new GroupSieve({
      matcher,
      books: () => (this.desk.needsOpen ? undefined : this.desk.ledger),
      pass: (generation, ranges) => this.desk.pass(generation, ranges),
      source: {
        ...{ handle: { id: 0, name: 't' }, first: () => this.first, next, whenNext, checkOpen() {} },
        paced: async (chunk) => chunk,
        chunksInTurn: () => undefined,
        chunk: async (from, to, _resume, _count, wanted) => {
          this.asked.push(from)
          await turn()
          if (from < this.first) throw new BookendError('BOOKEND_TRIMMED', 'trimmed', { first: this.first })
          let end = from
          while (end < Math.min(to, from + chunkMessages) && !this.damaged.has(end)) end += 1
          if (end === from)
            throw new BookendError('BOOKEND_CORRUPT', 'damaged', { offset: from, next: this.#behind(from) })
          const bytes = chunkBytesOf(this.messages.slice(from, end))
          if (wanted === undefined) return { bytes, next: end, resume: undefined }
          const found = new SelectedRecords(0, wanted, from)
          found.add(bytes, end)
          const { bytes: left, to: last } = found.take()
          return { bytes: left, next: end, to: last, resume: undefined }
        },
        record: async (offset) => {
          if (this.damaged.has(offset)) throw new BookendError('BOOKEND_CORRUPT', 'damaged', { offset })
          const bytes = chunkBytesOf([this.messages[offset]])
          return { bytes, length: bytes.length }
        },
      },
    })
    this.feed = new GroupFeed(this.sieve)
  }

  #behind(damaged: number): number {
    let next = damaged
    while (this.damaged.has(next)) next += 1
    return next
  }

  publish(...matching: boolean[]): void {
    for (const isMatch of matching) {
      const headers = isMatch ? utf8('{"type":"paid"}') : utf8('{"type":"open"}')
      this.messages.push({
        offset: this.messages.length,
        time: 1,
        value: utf8('v'),
        extras: { key: undefined, headers },
      })
    }
    this.wake()
  }

  wake(): void {
    const waits = [...this.#waits]
    this.#waits.clear()
    for (const resolve of waits) resolve()
  }

  async next(): Promise<Lease> {
    const lease = this.desk.takeInTurn(1) ?? (await this.desk.request(1).lease)
    const delivered = await this.feed.message(lease, ({ offset }) => offset)
    if (delivered !== undefined) expect(delivered).toBe(lease.first)
    return lease
  }
}

async function opened(): Promise<SieveWorld> {
  const world = new SieveWorld()
  await world.desk.open('first')
  return world
}

const every = (count: number, stride: number) =>
  Array.from({ length: count }, (_, index) => index % stride === stride - 1)

it('hands out what matches, and has passed the rest', async () => {
  const world = await opened()
  world.publish(...every(40, 10))
  const offsets: number[] = []
  for (let left = 4; left > 0; left--) {
    const lease = await world.next()
    offsets.push(lease.first)
    await world.desk.acknowledge(lease, lease.first, lease.end)
  }
  expect(offsets).toEqual([9, 19, 29, 39])
  expect(world.desk.ledger.committed).toBe(40)
  expect(world.desk.take(1)).toBeUndefined()
})

it('looks no further ahead than a chunk of what is taken, and reads each chunk once', async () => {
  const world = await opened()
  world.publish(...every(100, 1))
  const first = await world.next()
  await turn()
  await turn()
  expect(world.asked).toEqual([0, chunkMessages])
  await world.desk.acknowledge(first, 0, 1)
  for (let left = 99; left > 0; left--) await world.next()
  expect(world.asked).toEqual(Array.from({ length: 20 }, (_, index) => index * chunkMessages))
})

it('who waits where nothing matches is served with the first message that does', async () => {
  const world = await opened()
  const { lease } = world.desk.request(1)
  const waiting = outcomeOf(lease)
  for (let round = 0; round < 5; round++) {
    world.publish(false, false, false)
    for (let turns = 0; turns < 6; turns++) await turn()
  }
  expect(waiting.state).toBe('pending')
  expect(world.desk.ledger.committed).toBe(15)
  world.publish(false, true)
  expect((await lease).first).toBe(16)
})

it('what was passed is written soon, and once for all of it', async () => {
  const world = await opened()
  world.publish(...every(30, 100))
  await world.sieve.lookThrough()
  expect(world.committed).toEqual([])
  while (world.committed.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(world.committed).toEqual([30])
})

it('what is looked at when the group is moved or removed is of no use to the group that it is then', async () => {
  const world = await opened()
  world.publish(...every(20, 3))
  const looking = world.sieve.lookThrough()
  await world.desk.seek(10)
  await looking
  expect(world.desk.ledger.committed).toBe(11)
  expect((await world.next()).first).toBe(11)
  const again = world.sieve.lookThrough()
  await world.desk.remove()
  await again
  await world.desk.open('first')
  expect((await world.next()).first).toBe(2)
})

it('what cannot be read is handed out, as it may match, and who gets it meets the damage', async () => {
  const world = await opened()
  world.publish(...every(20, 100), true)
  for (const offset of [7, 8]) world.damaged.add(offset)
  const request = world.desk.request(1)
  const lease = await request.lease
  expect(lease.first).toBe(7)
  await expect(world.feed.message(lease, ({ offset }) => offset)).rejects.toMatchObject({ code: 'BOOKEND_CORRUPT' })
  await world.desk.seek(9)
  expect((await world.next()).first).toBe(20)
})

it('messages that retention deletes meanwhile are passed by themselves', async () => {
  const world = await opened()
  world.publish(...every(30, 4))
  const looking = world.sieve.lookThrough()
  world.first = 16
  await looking
  expect((await world.next()).first).toBe(19)
})

it('who waits hears that the log closes', async () => {
  const world = await opened()
  world.publish(false)
  const waiting = outcomeOf(world.desk.request(1).lease)
  for (let turns = 0; turns < 6; turns++) await turn()
  world.isOpen = false
  world.wake()
  for (let turns = 0; turns < 6; turns++) await turn()
  expect(waiting).toMatchObject({ state: 'failed', error: new Error('closed') })
})

it('a message that was given back and does not match is not delivered', async () => {
  const world = await opened()
  world.publish(true, false, true)
  await world.sieve.lookThrough()
  const lease = { first: 1, end: 2, attempt: 2, generation: 0 } as Lease
  expect(await world.feed.message(lease, ({ offset }) => offset)).toBeUndefined()
})

it('whatever comes and goes, each message that matches is handed out once, and nothing else', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new Seeded(seed)
    const world = await opened()
    const taken: number[] = []
    const takeAll = (async () => {
      for (;;) {
        const lease = await world.next()
        taken.push(lease.first)
        if (random.chance(0.7)) void world.desk.acknowledge(lease, lease.first, lease.end)
      }
    })()
    takeAll.catch(() => {})
    for (let step = 0; step < 30; step++) {
      world.publish(...Array.from({ length: random.below(8) }, () => random.chance(0.3)))
      for (let turns = random.below(4); turns > 0; turns--) await turn()
      if (random.chance(0.2)) await world.sieve.lookThrough()
    }
    const wanted = world.messages.filter(
      ({ extras }) =>
        extras?.headers?.length === utf8('{"type":"paid"}').length && Buffer.from(extras.headers).includes('paid'),
    )
    for (let turns = 0; turns < 400 && taken.length < wanted.length; turns++) await turn()
    await world.sieve.lookThrough()
    expect(taken, `seed ${seed}`).toEqual(wanted.map(({ offset }) => offset))
    const { ledger } = world.desk
    expect(ledger.remaining(world.messages.length)).toBe(wanted.filter(({ offset }) => !ledger.isDone(offset)).length)
  }
})
