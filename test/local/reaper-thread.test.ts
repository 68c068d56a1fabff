/** A reaper that dies: nobody who waits for one depends on that one. */
import type { Worker } from 'node:worker_threads'
import { expect, it, onTestFinished } from 'vitest'
import type { ReaperListener } from '../../src/local/reaper-thread.js'
import { seeThreads } from '../fixtures/see-threads.mjs'
import { codedFailureOf, openLog, temporaryFolder, until } from '../scenarios/support.js'

const reapers: Worker[] = []
seeThreads((thread, name) => {
  if (name === 'bookend-reaper') reapers.push(thread)
})

/** The built ones: their threads are built JavaScript. */
const built = (file: string) => import(new URL(`../../dist/src/local/${file}.js`, import.meta.url).href)
const { ReaperThread } = (await built('reaper-thread')) as typeof import('../../src/local/reaper-thread.js')
const { shareMemory } = (await built('starting-threads')) as typeof import('../../src/local/starting-threads.js')

/** The reaper of a log that is only read, and what it has told. */
async function openReaper() {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  await log.topic('t').append(new Uint8Array(1))
  await log.close()
  reapers.length = 0
  const shared = shareMemory({ directory, io: 'file', maxMappedBytes: 1 << 30, ringBytes: 1 << 16 })
  const reaper = new ReaperThread(shared, undefined)
  onTestFinished(() => reaper.terminate())
  const deaths: boolean[] = []
  const listener: ReaperListener = {
    onEvent() {},
    onDeath: (_exitCode, _cause, isReplaced) => deaths.push(isReplaced),
    meetReaper: () => Promise.reject(new Error('there is no writer')),
    remembered: () => ({ retained: [], indexed: [], groups: [] }),
  }
  const open = () =>
    reaper.open({
      segmentBytes: undefined,
      readOnly: true,
      mapTtlMs: 30_000,
      flushIntervalMs: 500,
      retention: {},
      diskWatermarks: {},
      lockActive: false,
      compress: undefined,
      locks: [],
    })
  return { reaper, listener, deaths, open }
}

const segmentsOf = async (reaper: InstanceType<typeof ReaperThread>) =>
  (await reaper.call((remote) => remote.segments(10))).map(({ segment }) => segment)

it('what a dying one was asked is answered by the next, unless it may not be asked twice', async () => {
  const { reaper, listener, deaths, open } = await openReaper()
  await open()
  reaper.attend(listener)
  const before = await segmentsOf(reaper)
  const death = reapers[0].terminate()
  const again = segmentsOf(reaper)
  const once = codedFailureOf(() => reaper.callOnce((remote) => remote.segments(10)))
  await death
  expect(await again).toEqual(before)
  expect(await once).toMatchObject({ code: 'BOOKEND_WORKER' })
  await until('the death is told', () => deaths.length > 0)
  expect(deaths).toEqual([true])
  expect(reapers).toHaveLength(2)
})

it('one that dies before anybody attends to it is replaced once somebody does', async () => {
  const { reaper, listener, deaths, open } = await openReaper()
  await open()
  await reapers[0].terminate()
  expect(reapers).toHaveLength(1)
  reaper.attend(listener)
  expect(await segmentsOf(reaper)).not.toEqual([])
  expect(reapers).toHaveLength(2)
  await until('the death is told', () => deaths.length > 0)
  expect(deaths).toEqual([true])
})

it('one that dies before it has opened the log fails the opening, and has no successor', async () => {
  const { open } = await openReaper()
  const opening = codedFailureOf(open)
  await until('it has loaded', () => reapers[0].threadId > 0)
  await reapers[0].terminate()
  expect(await opening).toMatchObject({ code: 'BOOKEND_WORKER' })
  expect(reapers).toHaveLength(1)
})

it('one that ends with its log has no successor, and who asks it is told that the log is closed', async () => {
  const { reaper, listener, deaths, open } = await openReaper()
  await open()
  reaper.attend(listener)
  expect(await reaper.close(false)).toBe(true)
  const call = () => reaper.call((remote) => remote.segments(10))
  expect(await codedFailureOf(call)).toMatchObject({ code: 'BOOKEND_CLOSED' })
  expect(reapers).toHaveLength(1)
  expect(deaths).toEqual([])
})

it('nobody attends to one that has not opened its log', async () => {
  const { reaper, listener, open } = await openReaper()
  expect(() => reaper.attend(listener)).toThrow('a reaper is attended to once it has opened the log')
  // A thread that loads modules is not ended in that.
  await open()
})
