import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { open, text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import type { LogReport } from '../../src/storage/check/verify-log.js'
import { bookend, bookendJson, closedLog, segmentFile, small, temporaryFolder } from './command.js'

function damage(file: string, at: number): void {
  const descriptor = fs.openSync(file, 'r+')
  fs.writeSync(descriptor, Buffer.from('damage'), 0, 6, at)
  fs.closeSync(descriptor)
}

/** Every file but the lock, with its time of change and bytes. */
function contentOf(directory: string): Map<string, string> {
  const names = fs.readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name !== 'lock')
  return new Map(
    names.map((name) => {
      const file = path.join(directory, name)
      const status = fs.statSync(file)
      return [name, status.isDirectory() ? '' : `${status.mtimeMs} ${fs.readFileSync(file).toString('latin1')}`]
    }),
  )
}

it('a log in order is status 0, and is not touched', async () => {
  const directory = await closedLog()
  const before = contentOf(directory)
  const { status, json } = await bookendJson<LogReport>('verify', directory)
  expect(status).toBe(0)
  expect(json).toMatchObject({ isLive: false, damages: [], remarks: [], messages: 275, topics: 2 })
  const { out } = await bookend(['verify', directory])
  expect(out).toContain('No damage.')
  expect((await bookend(['repair', directory])).status).toBe(0)
  const after = contentOf(directory)
  expect([...after.keys()]).toEqual([...before.keys()])
  for (const [name, content] of before) expect(after.get(name) === content, name).toBe(true)
})

it('damage is status 1 with file, position, topic and offsets; repair mends the log and loses nothing else', async () => {
  const directory = await closedLog()
  const file = segmentFile(directory, 1)
  damage(file, 500_000)
  const { status, json } = await bookendJson<LogReport>('verify', directory)
  expect(status).toBe(1)
  expect(json.damages).toMatchObject([{ kind: 'batches', file }])
  const [{ position, bytes, lost }] = json.damages
  expect(position).toBeLessThanOrEqual((1 << 20) + 500_000)
  expect(position + bytes).toBeGreaterThan((1 << 20) + 500_000)
  expect(lost.length).toBeGreaterThan(0)

  const dry = await bookend(['repair', '--dry-run', directory])
  expect(dry.status).toBe(1)
  expect(dry.out).toContain('would set aside')
  expect(fs.existsSync(path.join(directory, 'damaged'))).toBe(false)

  const repaired = await bookend(['repair', directory])
  // Where it takes its time, it says how far it is.
  const errors = repaired.errors.replaceAll(/^verify: .*\n/gm, '')
  expect({ status: repaired.status, errors }).toEqual({ status: 0, errors: '' })
  expect(repaired.out).toContain('Repaired.')
  const after = await bookendJson<LogReport>('verify', directory)
  expect(after.status).toBe(0)
  expect(after.json.remarks).toMatchObject([{ kind: 'gap', position, bytes, lost }])
  const [folder] = fs.readdirSync(path.join(directory, 'damaged'))
  expect(fs.readdirSync(path.join(directory, 'damaged', folder))).toContain('manifest.json')

  const log = await open(directory, small)
  onTestFinished(() => log.close())
  const orders = log.topic('orders', { codec: text })
  const clicks = log.topic('clicks')
  const isLost = (topic: string, offset: number) =>
    lost.some((range) => range.topic === topic && range.from <= offset && offset < (range.to ?? 0))
  for (let number = 0; number < 250; number++) {
    if (isLost('orders', number)) {
      const failure = await orders.get(number).catch((error) => error)
      expect(failure).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: number, position })
      expect(failure.next).toBeGreaterThan(number)
    } else expect((await orders.get(number))?.value).toBe(String(number).repeat(3_000))
  }
  for (let number = 0; number < 25; number++) {
    if (!isLost('clicks', number)) expect((await clicks.get(number))?.value[0]).toBe(number * 10)
  }
  expect(await orders.append('more')).toBe(250)
})

it('a first segment that is missing costs the messages that it held, which are counted before a repair and after', async () => {
  const directory = await closedLog()
  fs.rmSync(segmentFile(directory, 0))
  const { json } = await bookendJson<LogReport>('verify', directory)
  const [{ kind, lost }] = json.damages
  expect(kind).toBe('missing')
  expect(lost.map(({ topic, from }) => [topic, from])).toEqual([
    ['orders', 0],
    ['clicks', 0],
  ])
  const count = lost.reduce((sum, { from, to = from }) => sum + to - from, 0)
  expect(json.messages).toBe(275 - count)
  expect((await bookend(['verify', directory])).out).toContain(`${count} messages lost`)
  expect((await bookend(['repair', directory])).out).toContain(`${count} messages stay lost`)
  const log = await open(directory, small)
  onTestFinished(() => log.close())
  expect(await log.topic('orders').bounds()).toMatchObject({ first: 0, next: 250 })
  const failure = await log
    .topic('orders')
    .get(0)
    .catch((error) => error)
  expect(failure).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 0 })
})

it('an open log is checked as far as it is published, and is not repaired', async () => {
  const directory = temporaryFolder()
  const log = await open(directory, small)
  onTestFinished(() => log.close())
  for (let number = 0; number < 100; number++) await log.topic('t').append(new Uint8Array(30_000).fill(number))
  await log.flush('disk')
  const { status, json } = await bookendJson<LogReport & { owner: { pid: number } }>('verify', directory)
  expect(status).toBe(0)
  expect(json).toMatchObject({
    isLive: true,
    messages: 100,
    damages: [],
    owner: { state: 'running', pid: process.pid },
  })
  expect(json.verifiedTo).toBe(log.stats().positions.published)
  for (const args of [[], ['--dry-run']]) {
    const { status: refused, errors } = await bookend(['repair', directory, ...args])
    expect(refused).toBe(3)
    expect(errors).toContain('BOOKEND_LOCKED')
  }
  expect(await log.topic('t').append(new Uint8Array(3))).toBe(100)
})

it('finds no damage in a log that is written to, rolled and trimmed while it is checked', async () => {
  const directory = temporaryFolder()
  const log = await open(directory, { ...small, flushIntervalMs: 5 })
  const topic = log.topic('t')
  let isDone = false
  const writing = (async () => {
    for (let number = 0; !isDone; number++) {
      await topic.append(new Uint8Array(10_000))
      if (number % 100 === 99) await topic.trim(Math.max(0, number - 250))
    }
  })()
  const seen: number[] = []
  for (let round = 0; round < 4; round++) {
    const { status, json } = await bookendJson<LogReport>('verify', directory)
    expect(json.damages).toEqual([])
    expect(status).toBe(0)
    seen.push(json.verifiedTo)
  }
  isDone = true
  await writing
  await log.close()
  expect(seen.at(-1)).toBeGreaterThan(seen[0])
})

it('a log whose owner was killed is in order', async () => {
  const directory = temporaryFolder()
  const holder = fileURLToPath(new URL('../fixtures/hold-log.mjs', import.meta.url))
  const child = spawn(process.execPath, [holder, directory, '60'], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  expect((await bookendJson('stat', directory)).json).toMatchObject({ owner: { state: 'running', pid: child.pid } })
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('close', resolve))
  expect((await bookendJson('stat', directory)).json).toMatchObject({ owner: { state: 'none' }, isClean: false })
  const { status, json } = await bookendJson<LogReport>('verify', directory)
  expect({ status, damages: json.damages, messages: json.messages }).toEqual({ status: 0, damages: [], messages: 60 })
})
