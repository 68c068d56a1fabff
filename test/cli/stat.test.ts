import fs from 'node:fs'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import { bookend, bookendJson, closedLog, segmentFile, small } from './command.js'

it('stat of a closed log names topics, offsets, sizes, times and state', async () => {
  const before = Date.now()
  const directory = await closedLog()
  const { status, json } = await bookendJson('stat', directory)
  expect(status).toBe(0)
  expect(json).toMatchObject({
    isClean: true,
    epoch: 1,
    owner: { state: 'none' },
    segments: { sealed: 1, indexed: 1, missing: 0 },
    damages: [],
    topics: [
      { name: 'clicks', first: 0, next: 25, messages: 25, lost: 0, bytes: 25 * 120 },
      { name: 'orders', first: 0, next: 250, messages: 250, lost: 0, segments: 2 },
    ],
  })
  const [{ firstTime, lastTime }] = (json as unknown as { topics: { firstTime: number; lastTime: number }[] }).topics
  expect(firstTime).toBeGreaterThanOrEqual(before)
  expect(lastTime).toBeGreaterThanOrEqual(firstTime)
  const { out } = await bookend(['stat', directory])
  expect(out).toMatch(/^orders +0 +250 +250 /m)
  expect(out).toContain('closed in order')
})

it('stat of an open log follows what is published, trims included', async () => {
  const directory = await closedLog()
  const log = await open(directory, { ...small, flushIntervalMs: 5 })
  try {
    await log.topic('orders').trim(200)
    await log.topic('clicks').append(new Uint8Array(10))
    await log.flush('disk')
    const { json } = await bookendJson('stat', directory)
    expect(json).toMatchObject({
      owner: { state: 'running', pid: process.pid },
      isClean: false,
      topics: [
        { name: 'clicks', first: 0, next: 26 },
        { name: 'orders', first: 200, next: 250, messages: 50 },
      ],
    })
    expect((await bookend(['stat', directory])).out).toContain(`open in process ${process.pid}`)
  } finally {
    await log.close()
  }
})

it('stat says what is damaged or missing without reading everything, and --quick leaves sizes out', async () => {
  const directory = await closedLog()
  fs.rmSync(segmentFile(directory, 0))
  const { status, json } = await bookendJson('stat', directory, '--quick')
  expect(status).toBe(0)
  expect(json).toMatchObject({ segments: { missing: 1 }, damages: [{ from: 0, to: 1 << 20 }] })
  expect((json as unknown as { topics: { bytes?: number }[] }).topics.every(({ bytes }) => bytes === undefined)).toBe(
    true,
  )
  expect((await bookend(['stat', directory])).out).toContain('missing segment')
})
