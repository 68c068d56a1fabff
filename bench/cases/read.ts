import type { ReadCount, Store } from '../contenders/contender.js'
import type { Job, Outcome } from '../job.js'
import { measured } from '../resources.js'
import { makeValues } from '../values.js'
import { warmUp } from '../warm-up.js'
import { able } from './append.js'

/** In {@link measureMixed}. */
const batchOffsets = 100
/** A scan of what has been seen takes so little time that one of them would say little. */
const scansAgain = 5
/** A lookup by itself is a round trip to another thread, or to the disk: more of them would only take longer. */
const mostLookups = { oneByOne: 20_000, batched: 400_000 }

/** Every message, in order, to the application's thread. The page cache is warm: the data was just written. */
export function measureRead(store: Store, job: Job): Promise<Outcome> {
  return measureInOrder(able(store.read, 'reads in order'), job)
}

/** The same through the store's own batches. */
export function measureReadBatches(store: Store, job: Job): Promise<Outcome> {
  return measureInOrder(able(store.readBatches, 'batches'), job)
}

/**
 * Every message behind the warm-up, visited in the reader threads: once for the first time, so that everything is verified, and
 * some times more over what has been seen before.
 */
export async function measureScan(store: Store, job: Job): Promise<Outcome> {
  const scan = able(store.scan, 'scans')
  const first = await warmUp(job, job.warmupMessages, () => scan(0, job.warmupMessages))
  const expected = { ...job, messages: job.messages - job.warmupMessages }
  const visit = async () => checkCount(await scan(job.warmupMessages, job.messages), expected)
  const figures = await measured(expected.messages, job.messageBytes, visit)
  const again = await measured(expected.messages * scansAgain, job.messageBytes, async () => {
    for (let scans = 0; scans < scansAgain; scans++) await visit()
  })
  return { figures: { ...figures, ...first, againMessagesPerSecond: again.messagesPerSecond! } }
}

/** Offsets all over the log, one lookup awaited before the next. */
export async function measureGet(store: Store, job: Job): Promise<Outcome> {
  const get = able(store.get, 'lookups')
  return measureLookups(store, job, mostLookups.oneByOne, async (offsets) => {
    for (const offset of offsets) checkValue(await get(offset), job, offset)
  })
}

/** The same, `parameter` of them to a call. */
export async function measureGetMany(store: Store, job: Job): Promise<Outcome> {
  const getMany = able(store.getMany, 'lookups')
  return measureLookups(store, job, mostLookups.batched, async (offsets) => {
    for (let at = 0; at < offsets.length; at += job.parameter) {
      const some = offsets.slice(at, at + job.parameter)
      const values = await getMany(some)
      some.forEach((offset, index) => {
        checkValue(values[index], job, offset)
      })
    }
  })
}

/** A hundred appends, then a hundred lookups, in turn. */
export async function measureMixed(store: Store, job: Job): Promise<Outcome> {
  const get = able(store.getMany, 'lookups')
  const values = makeValues(job.messageBytes)
  const round = async () => {
    await store.append(batchOffsets, values)
    const found = await get(randomOffsets(batchOffsets, job.messages))
    for (const value of found) checkValue(value, job, -1)
  }
  const rounds = Math.max(1, Math.round(job.messages / 10 / batchOffsets))
  const first = await warmUp(job, batchOffsets * 2, round)
  const figures = await measured(rounds * batchOffsets * 2, job.messageBytes, async () => {
    for (let index = 0; index < rounds; index++) await round()
  })
  return { figures: { ...figures, ...first } }
}

async function measureLookups(
  store: Store,
  job: Job,
  most: number,
  lookUp: (offsets: readonly number[]) => Promise<void>,
): Promise<Outcome> {
  const stored = await able(store.count, 'lookups').call(store)
  // The last ones are still in the store's own memory: offsets from all of it.
  const lookups = Math.min(job.messages, most)
  const some = randomOffsets(Math.ceil(lookups / 5), stored)
  const first = await warmUp(job, some.length, () => lookUp(some))
  const offsets = randomOffsets(lookups, stored)
  const figures = await measured(lookups, job.messageBytes, () => lookUp(offsets))
  return { figures: { ...figures, ...first } }
}

function randomOffsets(count: number, below: number): number[] {
  return Array.from({ length: count }, () => Math.floor(Math.random() * below))
}

async function measureInOrder(read: NonNullable<Store['read']>, job: Job): Promise<Outcome> {
  const first = await warmUp(job, job.warmupMessages, () => read(job.warmupMessages))
  let count: ReadCount = { messages: 0, bytes: 0 }
  const figures = await measured(job.messages, job.messageBytes, async () => {
    count = await read()
  })
  checkCount(count, job)
  return { figures: { ...figures, ...first } }
}

/** A fast read that lost something is no read. */
export function checkCount(count: ReadCount, job: Pick<Job, 'messages' | 'messageBytes'>): void {
  const bytes = job.messages * job.messageBytes
  if (count.messages === job.messages && count.bytes === bytes) return
  throw new Error(`read ${count.messages} messages, ${count.bytes} bytes; written were ${job.messages}, ${bytes}`)
}

function checkValue(value: Uint8Array | undefined, job: Job, offset: number): void {
  if (value?.length !== job.messageBytes) throw new Error(`offset ${offset} gave ${value?.length} bytes`)
}
