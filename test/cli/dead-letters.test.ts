import { open } from 'bookend'
import { expect, it } from 'vitest'
import { collect } from '../scenarios/support.js'
import { bookend, bookendJson, small, temporaryFolder } from './command.js'

/** Two messages that no handler can take, one of them without room for its value, and one note about damage. */
async function withDeadLetters(): Promise<string> {
  const directory = temporaryFolder()
  await using log = await open(directory, small)
  await log.topic('orders').append(Buffer.from('left out'), { key: 'k1' })
  await log.topic('orders').append(Buffer.from('second'), { key: 'k2', headers: { own: 'header' } })
  const module = new URL('data:text/javascript,export default () => { throw new Error("cannot \\u001b[2J") }')
  const processor = log
    .topic('orders')
    .group('billing')
    .process(module, { retries: 1, backoffMs: 1, deadLetter: 'failed' })
  await processor.idle()
  await processor.stop()
  const [letter] = await collect(log.topic('failed').read())
  await log.topic('failed').trim(1)
  const headers = { ...letter.headers, 'bookend-value': 'left out: 8 bytes' }
  await log.topic('failed').append(new Uint8Array(0), { key: letter.key, headers })
  await log.topic('failed').append(new Uint8Array(0), { headers: { ...letter.headers, 'bookend-attempts': '0' } })
  return directory
}

async function orders(directory: string) {
  await using log = await open(directory, { readOnly: true, readers: 1 })
  return (await collect(log.topic('orders').read({ from: 2 }))).map(({ keyText, headers, value }) => [
    keyText,
    headers,
    Buffer.from(value).toString(),
  ])
}

it('says of each where it came from and why it failed', async () => {
  const directory = await withDeadLetters()
  const { status, out } = await bookend(['dead-letters', directory, 'failed'])
  expect(status).toBe(0)
  expect(out).toMatch(/^ +1 {2}\S+ \S+ {2}orders:1 {2}billing +2 {2}Error: cannot \\u001b\[2J$/m)
  const { json } = await bookendJson<{ deadLetters: unknown[] } & Record<string, never>>(
    'dead-letters',
    directory,
    'failed',
  )
  expect(json.deadLetters).toMatchObject([
    { offset: 1, topic: 'orders', from: 1, group: 'billing', attempts: 2, error: 'Error: cannot \x1b[2J' },
    { offset: 2, from: 0 },
    { offset: 3, attempts: 0 },
  ])
})

it('brings them back as they were, once', async () => {
  const directory = await withDeadLetters()
  const { status, out } = await bookend(['dead-letters', directory, 'failed', '--redrive'])
  expect({ status, out }).toEqual({
    status: 0,
    out: 'brought back 2 messages; 1 stood for messages that cannot be read, and have nothing to bring back\n',
  })
  const expected = [
    ['k2', { own: 'header' }, 'second'],
    ['k1', undefined, 'left out'],
  ]
  expect(await orders(directory)).toEqual(expected)
  expect((await bookend(['dead-letters', directory, 'failed', '--redrive'])).out).toBe('brought back 0 messages\n')
  expect(await orders(directory)).toEqual(expected)
  expect((await bookend(['dead-letters', directory, 'failed'])).out).toBe('no dead letters\n')
})

it('brings some back, to another topic if asked, and lists the rest, also while the log is in use', async () => {
  const directory = await withDeadLetters()
  const moved = await bookend(['dead-letters', directory, 'failed', '--redrive', '--key', 'k1', '--to', 'by-hand'])
  expect(moved.out).toBe('brought back 1 message\n')
  await using log = await open(directory, small)
  expect(
    (await collect(log.topic('by-hand').read())).map(({ keyText, value }) => [keyText, Buffer.from(value).toString()]),
  ).toEqual([['k1', 'left out']])
  const { json } = await bookendJson<{ deadLetters: unknown[] } & Record<string, never>>(
    'dead-letters',
    directory,
    'failed',
  )
  expect(json.deadLetters).toMatchObject([{ offset: 1, from: 1 }, { offset: 3 }])
})

it('passes over what is no dead letter, and never removes it', async () => {
  const directory = await withDeadLetters()
  const log = await open(directory, small)
  await log.topic('failed').append(Buffer.from('a stray'))
  await log.close()
  expect((await bookend(['dead-letters', directory, 'failed', '--redrive'])).status).toBe(0)
  expect(await orders(directory)).toHaveLength(2)
  expect((await bookend(['dead-letters', directory, 'orders', '--discard'])).out).toBe('discarded 0 dead letters\n')
  expect(await orders(directory)).toHaveLength(2)
  expect((await bookend(['dead-letters', directory, 'failed', '--discard'])).out).toBe('discarded 0 dead letters\n')
})

it('refuses --to without --redrive', async () => {
  expect((await bookend(['dead-letters', temporaryFolder(), 'failed', '--to', 'x'])).status).toBe(2)
})
