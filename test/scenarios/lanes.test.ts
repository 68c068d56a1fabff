/** Threads that append through lanes of their own, and end at any moment: what they handed over is written, in their order, and nobody else is harmed. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { open } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import type { LaneGrant } from '../../src/local/lanes.js'
import type { LocalEngine } from '../../src/local/local-engine.js'
import { completeOptions } from '../../src/log/options.js'
import { Seeded } from '../support/seeded.js'
import { small, temporaryFolder, until } from './support.js'

const { openLocalEngine } = (await import(
  new URL('../../dist/src/local/opening.js', import.meta.url).href
)) as typeof import('../../src/local/opening.js')

interface LaneThread {
  lane: number
  worker: Worker
  /** What its program came to. */
  answer: Promise<unknown>
}

async function openEngine(directory: string, options = {}): Promise<LocalEngine> {
  const engine = await openLocalEngine(completeOptions(directory, { ...small, ringBytes: 64 << 10, ...options }))
  onTestFinished(() => engine.close().catch(() => {}))
  return engine
}

async function start(engine: LocalEngine, number: number, name: string, ...args: unknown[]): Promise<LaneThread> {
  const grant: LaneGrant = await engine.lanes.open()
  const { place: directory } = engine.facts
  const worker = new Worker(new URL('../fixtures/lane-thread.mjs', import.meta.url), {
    workerData: { grant, directory, segmentBytes: 1 << 20, number, program: { name, args } },
    transferList: [grant.bulk],
  })
  worker.once('exit', () => engine.lanes.ended(grant.lane))
  const answer = new Promise((resolve, reject) => {
    worker.on('message', (message) => {
      if (message.answer !== undefined) resolve(message.answer)
      if (message.failure !== undefined) reject(Object.assign(new Error(message.failure.message), message.failure))
    })
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('ended')))
  })
  answer.catch(() => {})
  return { lane: grant.lane, worker, answer }
}

/** Which messages of which thread the topic holds, in its order. */
async function sequences(directory: string): Promise<Map<number, number[]>> {
  const log = await open(directory, small)
  const found = new Map<number, number[]>()
  for await (const batch of log.topic('common').read().batches())
    for (const { value } of batch) {
      const [number, index] = new Uint32Array(value.slice(0, 8).buffer)
      found.set(number, [...(found.get(number) ?? []), index])
    }
  expect(log.stats().recovery).toMatchObject({ tornBytes: 0, damages: [] })
  await log.close()
  return found
}

it('threads that are terminated at any moment leave a prefix of what they appended, and their lanes', async () => {
  const random = new Seeded(7)
  const directory = temporaryFolder()
  const engine = await openEngine(directory)
  const rounds = 24
  const common = engine.topic('common')
  let number = 0
  const user = async (): Promise<void> => {
    while (number < rounds) {
      number += 1
      // Every third ends early, perhaps while it still loads.
      const isEarly = number % 3 === 0
      const { worker } = await start(engine, number, 'flood')
      await once(worker, 'online')
      const before = common.next()
      if (!isEarly) await until('something is appended', () => common.next() > before)
      await new Promise((resolve) => setTimeout(resolve, random.below(120)))
      await worker.terminate()
    }
  }
  await Promise.all([user(), user(), user()])
  // Every lane comes back.
  const table = engine.lanes
  await until('all lanes are free', async () => {
    const grants: LaneGrant[] = []
    try {
      for (let lane = 1; lane < 64; lane++) grants.push(await table.open())
      return true
    } catch {
      return false
    } finally {
      for (const { lane, bulk } of grants) {
        bulk.close()
        table.ended(lane)
      }
    }
  })
  await engine.close()
  const found = await sequences(directory)
  let messages = 0
  for (const [, indices] of found) {
    messages += indices.length
    expect(indices).toEqual(indices.map((_, index) => index))
  }
  expect(messages).toBeGreaterThan(0)
}, 240_000)

it('level disk and flush work in a lane, beside a flood in another', async () => {
  const engine = await openEngine(temporaryFolder())
  const flood = await start(engine, 1, 'flood')
  const some = await start(engine, 2, 'some', 300)
  const offsets = (await some.answer) as number[]
  expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
  await flood.worker.terminate()
})

it('flushSync covers the lane of its thread', async () => {
  const directory = temporaryFolder()
  const engine = await openEngine(directory)
  const { answer } = await start(engine, 5, 'offerAndFlushSync', 200)
  expect(await answer).toBe(200)
  expect(engine.topic('common').next()).toBe(200)
})

it('who waits for a message in one lane hears of it from another', async () => {
  const engine = await openEngine(temporaryFolder())
  const waiting = await start(engine, 1, 'wait', 0)
  await once(waiting.worker, 'message')
  // Asleep by then, most likely; if not, it has to see it as well.
  await new Promise((resolve) => setTimeout(resolve, 50))
  await engine.topic('common').append(new Uint8Array(8), undefined, 'process')
  expect(await waiting.answer).toBe(1)
  const inOwner = new Promise<void>((resolve, reject) => engine.topic('common').whenNext(1, resolve, reject))
  const some = await start(engine, 2, 'some', 1)
  await Promise.all([inOwner, some.answer])
})

it('when the log closes, a loop of offers ends with BOOKEND_CLOSED, and what was handed over is in the log', async () => {
  const directory = temporaryFolder()
  const engine = await openEngine(directory)
  const offering = await start(engine, 3, 'offerUntilFailure')
  await once(offering.worker, 'message')
  await until('it appends', () => engine.topic('common').next() > 0)
  await engine.close()
  expect(await offering.answer).toMatchObject({ code: 'BOOKEND_CLOSED' })
  const found = await sequences(directory)
  const indices = found.get(3) ?? []
  expect(indices).toEqual(indices.map((_, index) => index))
})
