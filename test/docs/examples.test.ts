import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readText, root, runProgram } from './repository.js'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(os.tmpdir(), 'bookend-examples-'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function runExample(name: string, ...args: string[]): Promise<string> {
  return runProgram(join(root, 'examples', name), args, folder)
}

it('telemetry-burst stores every reading of the burst', async () => {
  const printed = await runExample('telemetry-burst.mjs', join(folder, 'telemetry'))
  expect(printed).toContain('200000 readings stored and flushed\n')
  expect(printed).toContain('last reading: offset 199999, sensor 63\n')
})

it('outbox sends each letter once, and goes on where the run before it stopped', async () => {
  const first = await runExample('outbox.mjs', join(folder, 'outbox'))
  expect(first.match(/^sent .*/gm)).toEqual(['sent 0: tea', 'sent 1: cups', 'sent 2: spoons'])
  const second = await runExample('outbox.mjs', join(folder, 'outbox'))
  expect(second.match(/^sent .*/gm)).toEqual(['sent 3: tea', 'sent 4: cups', 'sent 5: spoons'])
})

it('parallel-count counts every message', async () => {
  const printed = await runExample('parallel-count.mjs', join(folder, 'requests'))
  expect(printed).toBe('200: 30000\n304: 10000\n404: 10000\n')
})

it('threads-server appends what all its threads take, each in its order', async () => {
  const printed = await runExample('threads-server.mjs', join(folder, 'threads'), '3', '60')
  expect(printed).toBe('60 requests in 3 threads, each in order: true\nthe log has 60 messages\n')
})

it('mail-sender sends what can be sent, and has the rest in a box', async () => {
  const lines = (await runExample('mail-sender.mjs', join(folder, 'mails'))).split('\n')
  expect(lines.filter((line) => !line.includes('digest'))).toEqual([
    'sent welcome to ada',
    'sent invoice to bob, attempt 3',
    '2 wait, taken back: true',
    'Error: no such address: no one, after 4 attempts',
    '',
  ])
})

it('account lets no more be withdrawn than there is, whichever threads want it at once', async () => {
  const folderOfAccount = join(folder, 'account')
  expect(await runExample('account.mjs', folderOfAccount, '2')).toBe('3 of 4 withdrawals of 30, balance 10\n')
  expect(await runExample('account.mjs', folderOfAccount, '3')).toBe('3 of 6 withdrawals of 30, balance 20\n')
})

it('importer takes in what it has not yet, however often it is begun', async () => {
  const [log, file] = [join(folder, 'imported'), join(folder, 'lines.txt')]
  const lines = (count: number) => Array.from({ length: count }, (_, index) => `line ${index}\n`).join('')
  writeFileSync(file, lines(1_500))
  expect(await runExample('importer.mjs', log, file)).toBe('1500 of 1500 lines imported\n')
  writeFileSync(file, lines(2_000))
  expect(await runExample('importer.mjs', log, file)).toBe('went on behind line 1500, 500 of 2000 lines imported\n')
  expect(await runExample('importer.mjs', log, file)).toBe('went on behind line 2000, 0 of 2000 lines imported\n')
})

it('order-lookups finds orders by their numbers, in a log that is new and in one that was there', async () => {
  const directory = join(folder, 'order-lookups')
  const tail = 'sent: 297 of 300\n'
  const sent = `order 17: sent\nhistory: placed, paid, sent\n${tail}`
  expect(await runExample('order-lookups.mjs', directory, '300')).toBe(sent)
  expect(await runExample('order-lookups.mjs', directory, '300', '99')).toBe(
    `order 99: placed\nhistory: placed\n${tail}`,
  )
  expect(await runExample('order-lookups.mjs', directory, '300', '300')).toBe(`order 300: unknown\nhistory: \n${tail}`)
})

it('pipeline does each order once in each of its steps, however often it is killed', async () => {
  const printed = await runExample('pipeline.mjs', join(folder, 'pipeline'), '300', '3')
  expect(printed).toBe('invoices: 300 messages, of 300 orders\nletters: 300 messages, of 300 orders\n')
})

it('opentelemetry joins append and delivery in the trace of their request', async () => {
  const lines = (await runExample('opentelemetry.mjs', join(folder, 'traces'))).trim().split('\n')
  const spans = lines.map((line) => /^(.+): trace ([0-9a-f]{32}), (.+)$/.exec(line)?.slice(1) ?? [line])
  expect(spans.map(([name, , place]) => [name, place])).toEqual([
    ['append orders', 'a child'],
    ['checkout', 'the first span'],
    ['consume orders', 'a child'],
  ])
  expect(new Set(spans.map(([, traceId]) => traceId)).size).toBe(1)
})

it('tailer prints what another process writes, in order, and goes on where it stopped', async () => {
  const directory = join(folder, 'tailed')
  const writing = runExample('tailer.mjs', directory, 'write', '60')
  const first = (await runExample('tailer.mjs', directory, '20')).trim().split('\n')
  const second = (await runExample('tailer.mjs', directory, '40')).trim().split('\n')
  await writing
  const lines = Array.from(
    { length: 60 },
    (_, number) => `${number} ${number % 5 === 0 ? 'warn' : 'info'} line ${number}`,
  )
  expect([...first, ...second]).toEqual(lines)
})

it('every example imports the package by its name and fits on a page', () => {
  for (const name of readdirSync(join(root, 'examples')).filter((entry) => entry.endsWith('.mjs'))) {
    const text = readText(join('examples', name))
    expect(text.split('\n').length, name).toBeLessThan(60)
    expect(text, name).not.toMatch(/from '\.\.\//)
  }
})
