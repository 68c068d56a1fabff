import { open } from 'bookend'
import { expect, it } from 'vitest'
import { openLog } from '../scenarios/support.js'
import { bookend, temporaryFolder } from './command.js'
import { start } from './talk.js'

it('serves streams within the limits that it is given until it is interrupted, tells who waits where to go on, and leaves a log that is closed', async () => {
  const directory = temporaryFolder()
  const { child, ended, printed } = start('serve', directory, '--port', '0', '--max-body', '4', '--rate', '1')
  const url = (await printed((out) => out.includes('\n'))).trim()
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/)
  const headers = { 'content-type': 'text/plain' }
  expect((await fetch(`${url}chats/7`, { method: 'PUT', headers, body: 'Once' })).status).toBe(201)
  const waiting = fetch(`${url}chats/7?offset=now&live=long-poll`)
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
  await waiting.catch(() => {})
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
