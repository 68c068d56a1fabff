import { open } from 'bookend'
import { expect, it } from 'vitest'
import { bookend, bookendJson, small, temporaryFolder } from './command.js'

it('lists topics with where they begin and end, also where they are empty', async () => {
  const directory = temporaryFolder()
  const log = await open(directory, small)
  for (const name of ['b', 'a', 'b']) await log.topic(name).append(new Uint8Array(1))
  await log.topic('b').trim(1)
  await log.topic('a').trim(1)
  const [{ timestamp }] = [(await log.topic('b').get(1))!]
  await log.close()
  const { json } = await bookendJson('topics', directory)
  expect(json).toEqual({
    directory,
    topics: [
      { name: 'a', first: 1, next: 1, oldest: null, newest: null },
      { name: 'b', first: 1, next: 2, oldest: timestamp, newest: timestamp },
    ],
  })
  expect((await bookend(['topics', directory])).out).toMatch(/^topic .*\na +1 +1\nb +1 +2 +\d{4}-.*\n$/)
  expect((await bookend(['topics', directory, '--quiet'])).out).toBe('a\nb\n')
})

it('a log without topics has none', async () => {
  const directory = temporaryFolder()
  await (await open(directory, small)).close()
  expect(await bookend(['topics', directory])).toEqual({ status: 0, out: 'no topics\n', errors: '' })
  expect((await bookend(['topics', directory, '-q'])).out).toBe('')
})
