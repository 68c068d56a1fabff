import fs from 'node:fs'
import path from 'node:path'
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
  const { id } = json as unknown as { id: string }
  expect(id).toMatch(/^[0-9a-f]{32}$/)
  expect(out).toContain(id)
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

it('stat names the groups: what they have committed, what they lag behind, what is done above', async () => {
  const directory = await closedLog()
  let log = await open(directory, small)
  await log.topic('orders').group('billing').seek(100)
  const mails = log.topic('clicks').group('mails')
  const deliveries = mails.consume()
  for (let count = 0; count < 6; count++) {
    const { value } = await deliveries.next()
    if (value !== undefined && [0, 1, 3, 5].includes(value.offset)) await value.ack()
  }
  expect(await mails.position()).toMatchObject({ committed: 2, lag: 21 })
  const groups = [
    { topic: 'clicks', group: 'mails', committed: 2, lag: 21, acknowledged: 2 },
    { topic: 'orders', group: 'billing', committed: 100, lag: 150, acknowledged: 0, ranges: [] },
  ]
  await log.flush('disk')
  expect((await bookendJson('stat', directory)).json).toMatchObject({ groups, groupDamages: [] })
  await deliveries.return?.()
  await log.close()
  const { json } = await bookendJson('stat', directory)
  expect(json).toMatchObject({ groups, groupDamages: [], owner: { state: 'none' } })
  const { out } = await bookend(['stat', directory])
  expect(out).toMatch(/^clicks +mails +2 +21 +2 in 2 ranges$/m)
  expect(out).toMatch(/^orders +billing +100 +150$/m)
  expect((await bookend(['verify', directory])).out).toMatch(/2 topics, 2 groups/)

  const file = path.join(directory, 'groups')
  const bytes = fs.readFileSync(file)
  const identity = bytes.indexOf('mails')
  bytes[identity] ^= 1
  fs.writeFileSync(file, bytes)
  const { out: damaged } = await bookend(['stat', directory])
  expect(damaged).toMatch(/damage +cell . of .*groups is damaged: its group is lost/)
  const verified = await bookendJson('verify', directory)
  expect(verified).toMatchObject({ status: 1, json: { damages: [{ kind: 'groups', file }] } })
  const repaired = await bookend(['repair', directory])
  expect(repaired).toMatchObject({ status: 0, errors: '' })
  expect(repaired.out).toContain('made ')
  expect((await bookendJson('verify', directory)).status).toBe(0)
  log = await open(directory, small)
  // One was lost, the other goes on.
  const left = [
    await log.topic('orders').group('billing').position(),
    await log.topic('clicks').group('mails').position(),
  ]
  expect(left.filter(({ committed }) => committed > 0)).toHaveLength(1)
  await log.close()
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

it('stat shows the topics that a log keeps for itself with --all alone', async () => {
  const directory = await closedLog()
  const log = await open(directory, small)
  await log.transaction((tx) => tx.set('n', 1))
  await log.close()
  const names = async (...args: string[]) => {
    const { json } = await bookendJson('stat', directory, ...args)
    return (json as unknown as { topics: { name: string }[] }).topics.map(({ name }) => name)
  }
  expect((await names()).filter((name) => name.startsWith('.'))).toEqual([])
  expect(await names('--all')).toContain('.r.n')
})
