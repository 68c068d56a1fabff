/** What is measured of finding. */
import { join } from 'node:path'
import type { Group } from 'bookend'
import { able } from '../cases/append.js'
import type { StoreOptions } from '../contenders/contender.js'
import type { Figures, Job, Outcome } from '../job.js'
import { measured } from '../resources.js'
import { makeValues } from '../values.js'
import { warmUp } from '../warm-up.js'
import { dropPageCache } from '../workspace.js'
import { indexed, openFindingLog, segmentBytesOf } from './bookend.js'
import { type Finder, keysOf, openFinder, rareEvery } from './finder.js'

/** Looked for side by side, and one by one. */
const inFlight = 100
const mostLooks = { sideBySide: 20_000, oneByOne: 2_000 }
/** Keys that are looked for again and again. */
const knownKeys = 1_000
/** A look at a cold log of less says nothing. */
const leastCold = 100_000
const coldLooks = 3
/** Deliveries that a consumer holds. */
const prefetch = 1_000
/** What the cost of a side index is stated of, and how many segments are made to find it out. */
const statedBytes = 128 * 1024 * 1024
const costSegments = 4
/** The best of so many counts: what else runs only takes from it. */
const appendRounds = 3

/** Everything with keys and types, and the indexes that belong to them. */
export async function fillFinding(job: Job, options: StoreOptions): Promise<Outcome> {
  const finder = await openFinder(job, options)
  await finder.fill(job.messages, makeValues(job.messageBytes))
  await finder.close()
  return { figures: { messages: job.messages } }
}

/**
 * The newest message of random keys, a hundred side by side; of a thousand keys that were asked for before; and of keys that are nowhere, hot and
 * from a dropped page cache.
 */
export async function measureFindKey(job: Job, options: StoreOptions): Promise<Outcome> {
  const finder = await openFinder(job, options)
  const random = () => `key-${Math.floor(Math.random() * keysOf(job.messages))}`
  const find = async (key: string) => {
    if ((await finder.last(key))?.length !== job.messageBytes) throw new Error(`${key} was not found`)
  }
  const pass = async (looks: number) => {
    for (let done = 0; done < looks; done += inFlight)
      await Promise.all(Array.from({ length: inFlight }, () => find(random())))
  }
  const looks = Math.min(job.messages, mostLooks.sideBySide)
  const first = await warmUp(job, looks, () => pass(looks))
  const figures = await measured(looks, job.messageBytes, () => pass(looks))
  const some = Array.from({ length: Math.min(job.messages, knownKeys) }, random)
  const again = async () => {
    for (const key of some) await find(key)
  }
  await again()
  const rounds = 20
  const known = await measured(rounds * some.length, job.messageBytes, async () => {
    for (let round = 0; round < rounds; round++) await again()
  })
  let nowhere = 0
  const miss = async (asked: Finder) => {
    if ((await asked.last(`nobody-${nowhere++}`)) !== undefined) throw new Error('a key was found that is nowhere')
  }
  const misses = Math.min(job.messages, mostLooks.oneByOne)
  const missed = await measured(misses, 0, async () => {
    for (let index = 0; index < misses; index++) await miss(finder)
  })
  const missMs = (missed.seconds! * 1e3) / misses
  await finder.close()
  const cold = job.messages < leastCold ? {} : await coldMisses(job, options, miss)
  return { figures: { ...figures, ...first, knownPerSecond: known.messagesPerSecond!, missMs, ...cold } }
}

/**
 * Looks from a dropped page cache, by who has just opened the store: the first, which finds out what there is, and the next, which only needs other pages.
 * The least of some: the device is shared. Nothing where the cache cannot be dropped.
 */
async function coldMisses(job: Job, options: StoreOptions, miss: (asked: Finder) => Promise<void>): Promise<Figures> {
  const cold = async (finder: Finder) => {
    if (!dropPageCache(job.directory)) return undefined
    const start = performance.now()
    await miss(finder)
    return performance.now() - start
  }
  const firsts: number[] = []
  const nexts: number[] = []
  while (nexts.length < coldLooks) {
    const finder = await openFinder(job, options)
    const [first, next] = [await cold(finder), await cold(finder)]
    await finder.close()
    if (first === undefined || next === undefined) return {}
    firsts.push(first)
    nexts.push(next)
  }
  return { coldFirstMissMs: Math.min(...firsts), coldMissMs: Math.min(...nexts) }
}

/** The first message at or after random times, one by one. */
export async function measureFindTime(job: Job, options: StoreOptions): Promise<Outcome> {
  const finder = await openFinder(job, options)
  const { first, last } = await able(finder.times, 'times')()
  const offsetAt = able(finder.offsetAt, 'times').bind(finder) as NonNullable<Finder['offsetAt']>
  const looks = Math.min(job.messages, mostLooks.oneByOne)
  const pass = async () => {
    for (let look = 0; look < looks; look++) {
      const offset = await offsetAt(Math.floor(first + Math.random() * (last - first)))
      if (!(offset >= 0 && offset <= job.messages)) throw new Error(`a time has led to ${offset}`)
    }
  }
  const firstPass = await warmUp(job, looks, pass)
  const figures = await measured(looks, 0, pass)
  await finder.close()
  return { figures: { ...figures, ...firstPass, eachMs: (figures.seconds! * 1e3) / looks } }
}

/** A group that is given one message in a hundred, over one that is given all and looks itself; all is acknowledged in both. */
export async function measureFindGroup(job: Job): Promise<Outcome> {
  const { log, topic } = await openFindingLog(job)
  const { next } = await topic.bounds()
  const rare = Math.ceil(next / rareEvery)
  let groups = 0
  // A group is made, and removed, durably: that is not what is measured.
  const consume = async (isFiltered: boolean) => {
    const group = topic.group(`group-${groups++}`, isFiltered ? { where: { type: 'rare' } } : {})
    await group.seek('first')
    const figures = await measured(next, job.messageBytes, async () => {
      const found = await consumeAll(group, isFiltered ? rare : next)
      if (found !== rare) throw new Error(`${found} messages were found, ${rare} are there`)
    })
    await group.remove()
    return figures
  }
  const first = await warmUp(job, next, () => consume(true))
  const figures = await consume(true)
  await warmUp(job, next, () => consume(false))
  const tested = await consume(false)
  await log.close()
  const testedPerSecond = tested.messagesPerSecond!
  return {
    figures: { ...figures, ...first, testedPerSecond, rateOverTested: figures.messagesPerSecond! / testedPerSecond },
  }
}

async function consumeAll(group: Group<Uint8Array>, deliveries: number): Promise<number> {
  let found = 0
  let left = deliveries
  const acks: Promise<void>[] = []
  for await (const delivery of group.consume({ prefetch })) {
    if (delivery.headers?.type === 'rare') found += 1
    acks.push(delivery.ack())
    left -= 1
    if (left === 0) break
  }
  await Promise.all(acks)
  const { lag } = await group.position()
  if (lag !== 0) throw new Error(`the group is ${lag} messages behind, with nothing left to do`)
  return found
}

/**
 * Processor time of the whole process for the side indexes of segments that were sealed without, in a quiet moment. A segment that is sealed is walked
 * anyway: what its side index adds is less.
 */
export async function measureFindCost(job: Job): Promise<Outcome> {
  const segmentBytes = segmentBytesOf(job, costSegments)
  const { log, fill, index } = await openFindingLog(job, false, segmentBytes)
  await fill(job.messages, makeValues(job.messageBytes))
  // Until the segments are sealed, and have their own indexes.
  await indexed(job.directory)
  let made = 0
  const figures = await measured(job.messages, job.messageBytes, async () => {
    index()
    made = await indexed(job.directory)
  })
  await log.close()
  // A smoke run fills no segment, and claims no speed.
  const eachMs = (figures.userCpuMs! + figures.systemCpuMs!) / Math.max(1, made)
  return { figures: { ...figures, segmentCpuMs: (eachMs * statedBytes) / segmentBytes } }
}

/** Offers to a topic that is indexed, over offers to one that is not: by turns, each when the other's segments have what they are to get. */
export async function measureFindAppend(job: Job): Promise<Outcome> {
  const values = makeValues(job.messageBytes)
  const [plain, indexedToo] = await Promise.all(
    [false, true].map(async (isIndexed) => {
      const directory = join(job.directory, isIndexed ? 'indexed' : 'plain')
      const { log, offer } = await openFindingLog({ ...job, directory }, isIndexed)
      const pass = () => offer(job.messages, values)
      return { log, pass, settled: () => indexed(directory), passes: [] as Figures[] }
    }),
  )
  const logs = [plain!, indexedToo!]
  for (const { pass, settled } of logs) {
    await pass()
    await settled()
  }
  for (let round = 0; round < appendRounds; round++)
    for (const { pass, settled, passes } of logs) {
      passes.push(await measured(job.messages, job.messageBytes, pass))
      await settled()
    }
  await Promise.all(logs.map(({ log }) => log.close()))
  const [beside, figures] = logs.map(({ passes }) =>
    passes.reduce((best, each) => (each.messagesPerSecond! > best.messagesPerSecond! ? each : best)),
  )
  const plainPerSecond = beside!.messagesPerSecond!
  return { figures: { ...figures!, plainPerSecond, rateOverPlain: figures!.messagesPerSecond! / plainPerSecond } }
}
