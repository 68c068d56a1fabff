/** Retirement and deletion against readers: real threads, real mappings. */

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { expect, it, onTestFinished } from 'vitest'
import { loadSystemCalls } from '../../src/memory/system-calls.js'
import { Engine } from '../support/engine.js'
import { payloadOf } from '../support/frames.js'
import { testSegmentBytes } from '../support/storage-log.js'
import { realWorld } from '../support/worlds.js'
import { fixture, report, temporaryFolder } from './support.js'

/** All of them in a run of their own, see `npm run hammer`. */
const reads = Number(process.env.BOOKEND_HAMMER_READS ?? 1_000_000)
const ms = Number(process.env.BOOKEND_HAMMER_MS ?? 10_000)

interface Hammered {
  reads: number
  retired: number
  deleted: number
  published: number
  wrong: number
  left: number
  failed: string[]
}

it('every byte is right, whatever is retired and deleted meanwhile, and no mapping is left', async () => {
  const found = await report<Hammered>('pin-hammer.mjs', [temporaryFolder(), `${reads}`, `${ms}`])
  expect(found).toMatchObject({ wrong: 0, left: 0, failed: [] })
  expect(found.reads).toBeGreaterThan(Math.min(reads, 5_000) - 1)
  expect(found.retired).toBeGreaterThan(1_000)
  expect(found.deleted).toBeGreaterThan(10)
})

it('the same hammer catches pins that do not hold', async () => {
  const { wrong } = await report<Hammered>('pin-hammer.mjs', [temporaryFolder(), '1000000', '30000', 'broken'])
  expect(wrong).toBeGreaterThan(0)
})

it('streams, lookups and scans of an open log meet retirement and deletion at every moment', async () => {
  const found = await report<{ checked: number; scans: number; retired: number; deleted: number }>(
    'retirement-hammer.mjs',
    ['4000', temporaryFolder()],
  )
  expect(found.checked).toBeGreaterThan(1_000)
  expect(found.scans).toBeGreaterThan(1)
  expect(found.retired).toBeGreaterThan(10)
  expect(found.deleted).toBeGreaterThan(1)
})

/** A log with three sealed segments, on real files, and a thread that has the first of them pinned. */
async function withPinnedThread(ends: boolean) {
  const world = realWorld('koffi')
  let now = 5_000
  const engine = new Engine(world, { ringBytes: 1 << 20, mapTtlMs: 1_000 })
  onTestFinished(async () => {
    await engine.closeWindows()
    world.dispose()
  })
  engine.offer([{ declare: 'a', topic: 0 }])
  for (let offset = 0; engine.tail.segment < 3; offset++) {
    engine.append(0, payloadOf(0, offset, 60_000))
    await engine.settle(3)
  }
  await engine.flush()
  const gate = new SharedArrayBuffer(4)
  const workerData = {
    directory: world.directory,
    slots: engine.slotsMemory,
    segmentBytes: testSegmentBytes,
    gate,
    ends,
  }
  const worker = new Worker(pathToFileURL(fixture('pin-and-exit.mjs')), { workerData })
  onTestFinished(async () => {
    await worker.terminate()
  })
  const { threadId } = worker
  const exited = once(worker, 'exit')
  await once(worker, 'message')
  // From here on the clock of the mappings is the test's.
  engine.slots.nowMs = () => now
  const idle = async (ttls: number) => {
    now = (now + ttls * 1_000) | 0
    await engine.settle(3)
  }
  const rowsOf = (owner: number) => [...engine.slots.rows()].filter((row) => row.owner === owner)
  return { engine, worker, threadId, gate, idle, rowsOf, exited }
}

const withNative = it.skipIf(!loadSystemCalls().isNative)

withNative(
  'a reader that stops in the middle of a copy keeps its mapping, others go on, and it ends with the right bytes',
  async () => {
    const { engine, worker, threadId, gate, rowsOf, exited } = await withPinnedThread(false)
    const lastUse = rowsOf(threadId)[0].lastUseMs
    engine.slots.nowMs = () => lastUse
    engine.readWindows.with(1, () => {})
    for (let round = 1; round <= 50; round++) {
      engine.slots.nowMs = () => (lastUse + round * 1_000) | 0
      await engine.settle(2)
      expect(rowsOf(threadId)).toMatchObject([{ segment: 0, state: 'idle', pins: 1 }])
      // Another thread reads the same segment and others, whose mappings go as they should.
      const window = engine.readWindows.acquire(round % 2)
      expect(window.window.read(0, 4)).toEqual(
        new Uint8Array(readFileSync(engine.files.path(round % 2)).subarray(0, 4)),
      )
      engine.readWindows.release(round % 2)
    }
    expect(engine.state.retiredCount.load()).toBeGreaterThan(20)
    // Not even deletion takes it away.
    engine.offer([{ declare: 'a', topic: 0, first: 1_000 }])
    await engine.settle(20)
    expect(engine.files.list()[0]).toBe(0)
    const whole = readFileSync(engine.files.path(0))
    const copied = once(worker, 'message')
    Atomics.store(new Int32Array(gate), 0, 1)
    Atomics.notify(new Int32Array(gate), 0)
    expect(Buffer.compare((await copied)[0], whole)).toBe(0)
    await exited
    await new Promise((resolve) => setTimeout(resolve, 30))
    await engine.settle(10)
    expect(engine.files.list()[0]).toBeGreaterThan(0)
  },
)

withNative('a reader thread that dies with a pin has it taken over when it has ended', async () => {
  const { engine, threadId, idle, rowsOf, exited } = await withPinnedThread(true)
  await exited
  await idle(50)
  // Nobody else may touch what it holds.
  expect(rowsOf(threadId)).toMatchObject([{ pins: 1, state: 'idle' }])
  const [row] = rowsOf(threadId)
  const mapped = () => readFileSync('/proc/self/maps', 'utf8').includes(`${row.address.toString(16)}-`)
  expect(mapped()).toBe(true)
  const start = performance.now()
  engine.reaper.ownerDied(threadId)
  console.log(`taken over in ${(performance.now() - start).toFixed(2)} ms`)
  expect(rowsOf(threadId)).toEqual([])
  expect(readFileSync('/proc/self/maps', 'utf8')).not.toMatch(new RegExp(`^${row.address.toString(16)}-.*\\.seg`, 'm'))
})
