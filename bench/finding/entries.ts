/**
 * The state that puts under keys come to: `entries()` of a topic that holds all of them, and a walk through a store that has kept the latest of every
 * key alone. A key is put ten times on average, in no order.
 */
import { join } from 'node:path'
import { open } from 'bookend'
import { type StoreOptions, valueAt } from '../contenders/contender.js'
import type { Job, Outcome } from '../job.js'
import { requirePackage } from '../peer-packages.js'
import { measured } from '../resources.js'
import { makeValues } from '../values.js'
import { warmUp } from '../warm-up.js'

const putsPerKey = 10
/** Puts between two awaits. */
const putsPerAwait = 10_000

interface StateStore {
  /** Resolves when all of it can be read. */
  fill(puts: number, values: readonly Uint8Array[]): Promise<void>
  /** Looks at the value of every entry. @returns how many there are, and their bytes */
  walk(): Promise<Walked>
  close(): Promise<void>
}

interface Walked {
  entries: number
  bytes: number
}

interface Database {
  put(key: string, value: Uint8Array): Promise<boolean>
  getRange(): Iterable<{ value: Uint8Array }>
  close(): Promise<void>
}

export async function fillState(job: Job, options: StoreOptions): Promise<Outcome> {
  const store = await openState(job, options)
  await store.fill(job.messages, makeValues(job.messageBytes))
  await store.close()
  return { figures: { messages: job.messages } }
}

export async function measureEntries(job: Job, options: StoreOptions): Promise<Outcome> {
  const entries = distinctKeys(job.messages)
  const store = await openState(job, options)
  const pass = async () => {
    const walked = await store.walk()
    if (walked.entries !== entries || walked.bytes !== entries * job.messageBytes)
      throw new Error(`${walked.entries} entries of ${walked.bytes} bytes were found, ${entries} are there`)
  }
  const first = await warmUp(job, entries, pass)
  const figures = await measured(entries, job.messageBytes, pass)
  await store.close()
  return { figures: { ...figures, ...first, putsPerSecond: job.messages / figures.seconds! } }
}

const keysOf = (puts: number) => Math.ceil(puts / putsPerKey)

/** Spread over all keys, the same each time. */
function keyNumber(put: number, keys: number): number {
  let mixed = Math.imul(put ^ (put >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return ((mixed ^ (mixed >>> 16)) >>> 0) % keys
}

const keyAt = (put: number, puts: number) => `key-${keyNumber(put, keysOf(puts))}`

function distinctKeys(puts: number): number {
  const keys = keysOf(puts)
  const isMet = new Uint8Array(keys)
  for (let put = 0; put < puts; put++) isMet[keyNumber(put, keys)] = 1
  return isMet.reduce((sum, met) => sum + met, 0)
}

async function openState(job: Job, options: StoreOptions): Promise<StateStore> {
  if (job.contender === 'bookend') return openTopic(job)
  if (job.contender === 'lmdb') return openLmdb(options)
  throw new Error(`${job.contender} keeps no state`)
}

async function openTopic({ directory, level }: Job): Promise<StateStore> {
  const log = await open(directory, { durability: level })
  const topic = log.topic('bench')
  return {
    async fill(puts, values) {
      for (let put = 0; put < puts; put++) {
        const extras = { key: keyAt(put, puts) }
        while (!topic.offer(valueAt(values, put), extras)) await topic.ready()
      }
      await log.flush('disk')
    },
    async walk() {
      const walked = { entries: 0, bytes: 0 }
      for await (const { value } of topic.entries()) {
        walked.entries += 1
        walked.bytes += value.length
      }
      return walked
    },
    close: () => log.close(),
  }
}

function openLmdb({ packageDirectory, directory }: StoreOptions): StateStore {
  const lmdb = requirePackage<{ open(options: Readonly<Record<string, unknown>>): Database }>(packageDirectory, 'lmdb')
  const state = lmdb.open({ path: join(directory, 'state.mdb'), encoding: 'binary' })
  return {
    async fill(puts, values) {
      let last: Promise<unknown> | undefined
      for (let put = 0; put < puts; put++) {
        last = state.put(keyAt(put, puts), valueAt(values, put))
        if (put % putsPerAwait === 0) await last
      }
      await last
    },
    async walk() {
      const walked = { entries: 0, bytes: 0 }
      for (const { value } of state.getRange()) {
        walked.entries += 1
        walked.bytes += value.length
      }
      return walked
    },
    close: () => state.close(),
  }
}
