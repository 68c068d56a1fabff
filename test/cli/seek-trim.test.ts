import { existsSync } from 'node:fs'
import path from 'node:path'
import { open } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { bookend, bookendJson, small, temporaryFolder } from './command.js'

async function tenMessages(): Promise<string> {
  const directory = temporaryFolder()
  await using log = await open(directory, small)
  await log.topic('t').appendMany(Array.from({ length: 10 }, () => new Uint8Array(1)))
  return directory
}

it('seek moves a group to where it is told to go on, and says how much is to do', async () => {
  const directory = await tenMessages()
  expect((await bookend(['seek', directory, 't', 'g', '7'])).out).toBe(
    'g of t goes on at 7 (was at 0): 3 messages to do\n',
  )
  const { json } = await bookendJson('seek', directory, 't', 'g', '1h')
  expect(json).toMatchObject({ topic: 't', group: 'g', from: 7, to: 0, lag: 10 })
  await bookend(['seek', directory, 't', 'g', 'next'])
  await using log = await open(directory, small)
  expect(await log.topic('t').group('g').position()).toMatchObject({ committed: 10, lag: 0 })
})

it('trim removes what is below, and with --dry-run only says so', async () => {
  const directory = await tenMessages()
  const would = await bookend(['trim', directory, 't', '4', '--dry-run'])
  expect(would).toMatchObject({ status: 0, out: 'would remove 4 messages, 0 to 3 of t; 6 messages stay\n' })
  expect((await bookend(['trim', directory, 't', '4'])).out).toBe('removed 4 messages, 0 to 3 of t; 6 messages stay\n')
  expect((await bookend(['trim', directory, 't', '2'])).out).toBe('removed nothing of t; 6 messages stay\n')
  await using log = await open(directory, { readOnly: true, readers: 1 })
  expect(await log.topic('t').bounds()).toEqual({ first: 4, next: 10 })
})

it('places that are not there, topics that are not there and logs that are not there change nothing', async () => {
  const directory = await tenMessages()
  const beyond = [
    ['seek', directory, 't', 'g', '11'],
    ['trim', directory, 't', '11'],
    ['seek', directory, 'nope', 'g', '0'],
    ['trim', directory, 'nope', '0'],
  ]
  for (const args of beyond) {
    const { status, errors } = await bookend(args)
    expect(status).toBe(1)
    expect(errors).toMatch(/^bookend: .*\n$/)
  }
  const missing = path.join(temporaryFolder(), 'missing')
  expect((await bookend(['seek', missing, 't', 'g', '0'])).errors).toContain('BOOKEND_FORMAT')
  expect((await bookend(['trim', missing, 't', '0'])).errors).toContain('BOOKEND_FORMAT')
  expect(existsSync(missing)).toBe(false)
  expect((await bookend(['trim', directory, 't', '-1'])).status).toBe(2)
  expect((await bookend(['seek', directory, 't', '.g', '1'])).status).toBe(2)
})

it('a log in use is refused with the name of who has it', async () => {
  const directory = await tenMessages()
  const log = await open(directory, small)
  onTestFinished(() => log.close())
  for (const args of [
    ['seek', directory, 't', 'g', '3'],
    ['trim', directory, 't', '3'],
    ['import', directory],
  ]) {
    const { status, errors } = await bookend(args)
    expect(status).toBe(3)
    expect(errors).toContain(`pid ${process.pid}`)
  }
  expect((await log.topic('t').bounds()).first).toBe(0)
})
