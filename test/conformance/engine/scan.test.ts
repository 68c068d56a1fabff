import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Log } from 'bookend'
import { describe, expect, it } from 'vitest'
import { codedFailureOf, failureOf, fixture, temporaryFolder } from '../../scenarios/support.js'
import { onEveryEngine, onEveryReader } from './fixture.js'

const sum = new URL('../../fixtures/scan-sum.mjs', import.meta.url)
const bad = (how: string) => new URL(`../../fixtures/scan-bad.mjs?${how}`, import.meta.url)

const finishing = (how: string) => new URL(`../../fixtures/scan-finish.mjs?${how}`, import.meta.url)

interface Sum {
  count: number
  bytes: number
  runs: [number, number][]
}

/** Ten thousand messages, with those of another topic between. */
async function fill(log: Log): Promise<void> {
  const written: Promise<unknown>[] = []
  for (let round = 0; round < 40; round++) {
    written.push(
      log.topic('t').appendMany(Array.from({ length: 250 }, (_, index) => new Uint8Array(200 + (index % 7)))),
    )
    await log.topic('noise').append(new Uint8Array(50_000))
  }
  // Not every engine writes its topics in one line.
  await Promise.all(written)
  await log.topic('trimmed').appendMany(Array.from({ length: 300 }, () => new Uint8Array(100)))
  await log.topic('trimmed').trim(100)
}

async function expectSums(log: Log): Promise<void> {
  const topic = log.topic('t')
  const all = await topic.scan<Sum>(sum)
  expect(all.count).toBe(10_000)
  expect(all.runs).toEqual([[0, 9_999]])
  expect((await topic.scan<Sum>(sum.href, { from: 1_234, to: 5_678 })).runs).toEqual([[1_234, 5_677]])
  expect((await topic.scan<Sum>(sum, { from: 9_999, to: 1e6 })).runs).toEqual([[9_999, 9_999]])
  expect((await topic.scan<Sum>(sum, { from: 5, to: 5 })).count).toBe(0)
  expect((await topic.scan<Sum>(sum, { from: 20_000 })).count).toBe(0)
  expect((await log.topic('noise').scan<Sum>(sum)).bytes).toBe(40 * 50_000)
}

onEveryEngine(({ open, supports }) => {
  it.runIf(supports.scan)('several threads map every message once, and the ranges are reduced in order', async () => {
    const log = await open({ readers: 3 })
    await fill(log)
    await expectSums(log)
    // Whoever puts the last parts together finishes, once.
    const parts = new URL('../../fixtures/scan-finish-parts.mjs', import.meta.url)
    for (let round = 0; round < 5; round++)
      expect(await log.topic('t').scan(parts)).toEqual({ count: 10_000, finished: 1 })
    expect(await log.topic('t').scan(parts, { to: 10 })).toEqual({ count: 10, finished: 1 })
    expect(await log.topic('t').scan(parts, { to: 0 })).toEqual({ count: 0, finished: 1 })
  })

  it.runIf(supports.scan)('many small topics beside each other are scanned as what they are', async () => {
    const log = await open({ readers: 2 })
    const counts = Array.from({ length: 60 }, (_, index) => 1 + ((index * 7) % 40))
    for (let round = 0; round < 40; round++)
      for (const [index, count] of counts.entries())
        if (round < count) {
          const topic = log.topic(`t${index}`)
          const value = new Uint8Array(index * 20 + round)
          while (!topic.offer(value)) await topic.ready()
        }
    await log.flush()
    const bytesOf = (index: number) => (counts[index] * (counts[index] - 1)) / 2 + counts[index] * index * 20
    for (let pass = 0; pass < 2; pass++) {
      const sums = await Promise.all(counts.map((_, index) => log.topic(`t${index}`).scan<Sum>(sum)))
      expect(sums.map(({ count }) => count)).toEqual(counts)
      expect(sums.map(({ bytes }) => bytes)).toEqual(counts.map((_, index) => bytesOf(index)))
      expect(sums.every(({ runs }, index) => runs[0][0] === 0 && runs[0][1] === counts[index] - 1)).toBe(true)
    }
  })
})

onEveryReader(fill, (reader) => {
  describe.runIf(reader.supports.scan)('a scan', () => {
    it('maps every message once, and reduces the ranges in order', async () => {
      await expectSums(reader.log)
    })

    it('of a topic that does not exist maps one empty batch', async () => {
      expect(await reader.log.topic('nothing').scan<Sum>(sum)).toEqual({ count: 0, bytes: 0, runs: [] })
    })

    it('of a module that does not load, or lacks a function, is BOOKEND_HANDLER and can be mended', async () => {
      const topic = reader.log.topic('t')
      const missing = pathToFileURL(fixture('no-such-module.mjs'))
      expect((await codedFailureOf(() => topic.scan(missing))).code).toBe('BOOKEND_HANDLER')
      const incomplete = await codedFailureOf(() => topic.scan(bad('no-reduce')))
      expect(incomplete.code).toBe('BOOKEND_HANDLER')
      expect(incomplete.message).toContain('reduce')
      const file = path.join(temporaryFolder(), 'broken.mjs')
      writeFileSync(file, 'export const map = ')
      const broken = await codedFailureOf(() => topic.scan(pathToFileURL(file)))
      expect(broken.code).toBe('BOOKEND_HANDLER')
      expect(broken.cause).toBeInstanceOf(Error)
      expect((await topic.scan<Sum>(sum)).count).toBe(10_000)
    })

    it('whose module finishes sends what that makes of the result, not the result', async () => {
      const topic = reader.log.topic('t')
      const one = { to: 1_000 }
      for (const how of ['', 'late']) expect(await topic.scan(finishing(how), one)).toEqual({ first: 0, count: 1_000 })
      expect(await topic.scan(finishing(''), { from: 7, to: 7 })).toEqual({ first: 7, count: 0 })
      expect((await failureOf(() => topic.scan(finishing('throw'), one))).message).toBe('finish did this')
      const error = await codedFailureOf(() => topic.scan(finishing('no-function'), one))
      expect([error.code, error.message]).toEqual(['BOOKEND_HANDLER', expect.stringContaining('"finish"')])
    })

    it('rejects with what the module throws, as it is, and the next one goes on', async () => {
      const topic = reader.log.topic('t')
      const thrown = await failureOf(() => topic.scan(bad('throw')))
      expect(thrown).toBeInstanceOf(RangeError)
      expect(thrown.message).toBe('the map function did this')
      const rejected = await failureOf(() => topic.scan(bad('reject')))
      expect(rejected.message).toBe('the map function rejected')
      expect(rejected.code).toBe('E_MINE')
      expect((await topic.scan<Sum>(sum)).count).toBe(10_000)
    })

    it('that is aborted rejects with the reason of its signal, and reads and scans go on', async () => {
      const topic = reader.log.topic('t')
      const reason = new Error('no longer wanted')
      await expect(topic.scan(sum, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      const controller = new AbortController()
      const scanning = topic.scan(bad('slow'), { signal: controller.signal })
      setTimeout(() => controller.abort(reason), 30)
      await expect(scanning).rejects.toBe(reason)
      expect((await topic.scan<Sum>(sum)).count).toBe(10_000)
      expect((await topic.get(0))?.value.length).toBe(200)
    })

    it('below the first readable offset is BOOKEND_TRIMMED and says where it may start', async () => {
      const topic = reader.log.topic('trimmed')
      const error = await codedFailureOf(() => topic.scan(sum, { from: 0 }))
      expect(error).toMatchObject({ code: 'BOOKEND_TRIMMED', first: 100 })
      expect((await topic.scan<Sum>(sum)).runs).toEqual([[100, 299]])
    })
  })
})
