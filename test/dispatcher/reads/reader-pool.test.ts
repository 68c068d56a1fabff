import type { Worker } from 'node:worker_threads'
import { expect, it, onTestFinished } from 'vitest'
import { KeepAlive } from '../../../src/dispatcher/keep-alive.js'
import { unknownLogId } from '../../../src/format/log-id.js'
import { seeThreads } from '../../fixtures/see-threads.mjs'
import { openLog, temporaryFolder, until } from '../../scenarios/support.js'

const readers: Worker[] = []
seeThreads((thread, name) => {
  if (name?.startsWith('bookend-') !== true) readers.push(thread)
})

/** The built ones: their threads are built JavaScript. */
const built = (file: string) => import(new URL(`../../../dist/src/${file}`, import.meta.url).href)
const { ReaderPool } = (await built(
  'dispatcher/reads/reader-pool.js',
)) as typeof import('../../../src/dispatcher/reads/reader-pool.js')
const { shareMemory } = (await built(
  'local/starting-threads.js',
)) as typeof import('../../../src/local/starting-threads.js')

it('a thread that has to be started again and again stays longer each time', async () => {
  const keepAlive = new KeepAlive()
  const sizes = { maxMappedBytes: 1 << 30, ringBytes: 1 << 16 }
  const shared = shareMemory({ directory: temporaryFolder(), io: 'file', follow: false, ...sizes })
  const data = {
    shared,
    id: unknownLogId,
    segmentBytes: 1 << 20,
    io: 'file',
    footers: new SharedArrayBuffer(0),
  } as const
  const options = { maxThreads: 1, idleTimeoutMs: 20, maxHeapMb: undefined }
  const pool = new ReaderPool(data, options, keepAlive, () => {})
  onTestFinished(async () => {
    await pool.close()
    keepAlive.end()
  })
  // A read of a log that is not there: what it comes to does not matter here.
  const task = { op: 'offsetAt', topic: { id: 0, name: 't' }, time: 0 } as const
  for (const idleTimeoutMs of [20, 40, 80]) {
    await pool.run(task).catch(() => {})
    expect(pool.idleTimeoutMs).toBe(idleTimeoutMs)
    await until('the thread has ended', () => pool.threadCount === 0)
  }
})

it('a read whose thread dies under it is begun again, and so are those behind it', async () => {
  const log = await openLog()
  const topic = log.topic('t')
  await topic.appendMany(Array.from({ length: 10 }, (_, index) => Uint8Array.of(index)))
  await topic.get(0)
  const [reader] = readers.splice(0)
  const reads = Array.from({ length: 10 }, (_, offset) => topic.getMany([offset, offset]))
  await reader.terminate()
  expect((await Promise.all(reads)).map(([message]) => message?.value[0])).toEqual([...Array(10).keys()])
})

it('what its threads run is imported and not required: a thread may be ended while it loads', async () => {
  const keepAlive = new KeepAlive()
  const entry = new URL('../../fixtures/loaded-module.mjs', import.meta.url)
  const options = { entry, maxThreads: 1, idleTimeoutMs: 1_000, maxHeapMb: undefined }
  const pool = new ReaderPool({}, options, keepAlive, () => {})
  onTestFinished(async () => {
    await pool.close()
    keepAlive.end()
  })
  expect(await pool.run({ op: 'offsetAt', topic: { id: 0, name: 't' }, time: 0 })).toBe(false)
})
