import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { codedFailureOf, failureOf, fixture, openLog, temporaryFolder } from '../scenarios/support.js'

const sum = new URL('../fixtures/scan-sum.mjs', import.meta.url)
const bad = (how: string) => new URL(`../fixtures/scan-bad.mjs?${how}`, import.meta.url)

interface Sum {
  count: number
  bytes: number
  runs: [number, number][]
}

async function filled(readers: number) {
  const log = await openLog(undefined, { readers })
  const topic = log.topic('t')
  const noise = log.topic('noise')
  // Over several segments, with other topics between.
  for (let round = 0; round < 40; round++) {
    void topic.appendMany(Array.from({ length: 250 }, (_, index) => new Uint8Array(200 + (index % 7))))
    await noise.append(new Uint8Array(50_000))
  }
  return { log, topic, noise }
}

it('a scan maps every message once, and reduces the ranges in order', async () => {
  const { topic, noise } = await filled(3)
  const all = await topic.scan<Sum>(sum)
  expect(all.count).toBe(10_000)
  expect(all.runs).toEqual([[0, 9_999]])
  expect((await topic.scan<Sum>(sum.href, { from: 1_234, to: 5_678 })).runs).toEqual([[1_234, 5_677]])
  expect((await topic.scan<Sum>(sum, { from: 9_999, to: 1e6 })).runs).toEqual([[9_999, 9_999]])
  expect((await topic.scan<Sum>(sum, { from: 5, to: 5 })).count).toBe(0)
  expect((await topic.scan<Sum>(sum, { from: 20_000 })).count).toBe(0)
  expect((await noise.scan<Sum>(sum)).bytes).toBe(40 * 50_000)
})

it('a scan of a topic that does not exist maps one empty batch', async () => {
  const log = await openLog()
  expect(await log.topic('nothing').scan<Sum>(sum)).toEqual({ count: 0, bytes: 0, runs: [] })
})

it('a module that does not load, or lacks a function, is BOOKEND_HANDLER and can be mended', async () => {
  const { topic } = await filled(1)
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

it('what the module throws arrives as it is, and the reader threads go on', async () => {
  const { topic } = await filled(2)
  const thrown = await failureOf(() => topic.scan(bad('throw')))
  expect(thrown).toBeInstanceOf(RangeError)
  expect(thrown.message).toBe('the map function did this')
  const rejected = await failureOf(() => topic.scan(bad('reject')))
  expect(rejected.message).toBe('the map function rejected')
  expect(rejected.code).toBe('E_MINE')
  expect((await topic.scan<Sum>(sum)).count).toBe(10_000)
})

it('an aborted scan rejects with the reason of its signal, and the reader threads go on', async () => {
  const { topic } = await filled(1)
  const reason = new Error('no longer wanted')
  await expect(topic.scan(sum, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  const controller = new AbortController()
  const scanning = topic.scan(bad('slow'), { signal: controller.signal })
  setTimeout(() => controller.abort(reason), 30)
  await expect(scanning).rejects.toBe(reason)
  expect((await topic.scan<Sum>(sum)).count).toBe(10_000)
  expect((await topic.get(0))?.value.length).toBe(200)
})

it('a scan below the first readable offset is BOOKEND_TRIMMED and says where it may start', async () => {
  const { topic } = await filled(1)
  await topic.trim(100)
  const error = await codedFailureOf(() => topic.scan(sum, { from: 0 }))
  expect(error).toMatchObject({ code: 'BOOKEND_TRIMMED', first: 100 })
  expect((await topic.scan<Sum>(sum)).runs).toEqual([[100, 9_999]])
})
