import { open } from 'bookend'
import { expect, it } from 'vitest'
import { bookend, small, temporaryFolder } from './command.js'

async function filledLog(): Promise<string> {
  const directory = temporaryFolder()
  await using log = await open(directory, small)
  await log.topic('a').append(Buffer.from('first Line\nsecond line'))
  await log.topic('a').append(Buffer.from('a.c'), { key: 'order-7' })
  await log.topic('b').append(Buffer.from('abc'), { headers: { source: 'web' } })
  await log.topic('b').append(new Uint8Array([0xff, 0x61, 0x62, 0x63, 0xfe]))
  return directory
}

async function found(directory: string, ...args: string[]): Promise<string> {
  const { out, errors } = await bookend(['grep', directory, ...args, '--format', '{topic}:{offset}'])
  expect(errors).toBe('')
  return out.trim().replaceAll('\n', ' ')
}

it('finds values, keys and headers of all topics, or of one', async () => {
  const log = await filledLog()
  expect(await found(log, 'a.c')).toBe('a:1 b:0 b:1')
  expect(await found(log, 'a.c', '-F')).toBe('a:1')
  expect(await found(log, 'a.c', '--topic', 'b')).toBe('b:0 b:1')
  expect(await found(log, 'a.c', '--topic', 'b', '--topic', 'a', '--max-count', '1')).toBe('b:0')
  expect(await found(log, '^order-\\d$')).toBe('a:1')
  expect(await found(log, '^source=web$')).toBe('b:0')
  expect(await found(log, '^second')).toBe('a:0')
  expect(await found(log, 'line$', '-i', '--from', '0', '--to', '1')).toBe('a:0')
  expect(await found(log, '.', '--where', 'source=web')).toBe('b:0')
})

it('prints one line a match, counts, and says by its status whether there was one', async () => {
  const log = await filledLog()
  const some = await bookend(['grep', log, 'line', '--format', 'text'])
  expect(some.status).toBe(0)
  expect(some.out).toMatch(/^a:0 .* {2}first Line\\nsecond line\n$/)
  expect(await bookend(['grep', log, 'abc', '--count'])).toEqual({ status: 0, out: '2\n', errors: '' })
  expect(await bookend(['grep', log, 'nowhere'])).toEqual({ status: 1, out: '', errors: '' })
  expect(await bookend(['grep', log, 'nowhere', '--count'])).toEqual({ status: 1, out: '0\n', errors: '' })
})

it('a failure is not the same as nothing found', async () => {
  const log = await filledLog()
  expect((await bookend(['grep', log, '('])).status).toBe(2)
  expect((await bookend(['grep', temporaryFolder(), 'x'])).status).toBe(2)
})
