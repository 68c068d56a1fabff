import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import { openLog } from '../scenarios/support.js'
import { bookend, temporaryFolder } from './command.js'
import { start, startIn } from './talk.js'

it('serves streams within the limits that it is given until it is interrupted, tells who waits where to go on, and leaves a log that is closed', async () => {
  const directory = temporaryFolder()
  const { child, ended, printed } = start('serve', directory, '--port', '0', '--max-body', '4', '--rate', '1')
  const url = (await printed((out) => out.includes('\n'))).trim()
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/)
  const headers = { 'content-type': 'text/plain' }
  expect((await fetch(`${url}chats/7`, { method: 'PUT', headers, body: 'Once' })).status).toBe(201)
  const waiting = Promise.allSettled([fetch(`${url}chats/7?offset=now&live=long-poll`)])
  // Behind the one that waits.
  const head = () => fetch(`${url}chats/7`, { method: 'HEAD' })
  expect((await head()).status).toBe(200)
  expect((await fetch(`${url}chats/7`, { method: 'POST', headers, body: ' upon' })).status).toBe(413)
  // Ten at once are let through, and one more each second.
  const statuses = await Promise.all(Array.from({ length: 60 }, async () => (await head()).status))
  expect(new Set(statuses)).toEqual(new Set([200, 429]))
  child.kill('SIGINT')
  const outcome = await ended
  expect([outcome.status, outcome.errors]).toEqual([0, ''])
  await waiting
  const log = await open(directory)
  expect(await log.topics()).toEqual(['_streams', 'chats.7'])
  const { out } = await bookend(['topics', directory])
  expect(out.split('\n').map((line) => line.split(/ {2,}/).at(-1))).toEqual([
    'stream',
    expect.stringMatching(/^\d/),
    'text/plain',
    '',
  ])
  expect(Buffer.from((await log.topic('chats.7').get(0))?.value ?? []).toString()).toBe('Once')
  await log.close()
})

it('names the owner of a log that is in use', async () => {
  const log = await openLog()
  const { status, errors } = await bookend(['serve', log.directory, '--port', '0'])
  expect([status, errors]).toEqual([3, expect.stringContaining('BOOKEND_LOCKED')])
})

it('ends by a word when one of its threads has ended, with all that it has answered in the log', async () => {
  const directory = temporaryFolder()
  const mark = join(directory, 'ends')
  const preload = pathToFileURL(join(import.meta.dirname, '../fixtures/ending-thread.mjs')).href
  const env = { ...process.env, NODE_OPTIONS: `--import ${preload}`, ENDS_AT: mark }
  const { ended, printed } = startIn(env, 'serve', join(directory, 'log'), '--port', '0', '--threads', '2')
  const url = (await printed((out) => out.includes('\n'))).trim()
  const headers = { 'content-type': 'text/plain' }
  expect((await fetch(`${url}a`, { method: 'PUT', headers })).status).toBe(201)
  let answered = 0
  let isOver = false
  const clients = Array.from({ length: 10 }, async () => {
    while (!isOver) {
      const answer = await fetch(`${url}a`, { method: 'POST', headers, body: '.' }).catch(() => undefined)
      if (answer?.status === 204) answered += 1
      if (answered > 20 && !isOver) writeFileSync(mark, '')
    }
  })
  const { status, errors } = await ended
  isOver = true
  await Promise.all(clients)
  expect([status, errors]).toEqual([1, 'bookend: a thread that serves has ended by itself, with exit code 7\n'])
  const log = await open(join(directory, 'log'))
  expect(await log.topic('a').count()).toBeGreaterThanOrEqual(answered)
  await log.close()
})
