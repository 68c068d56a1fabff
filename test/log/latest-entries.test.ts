/** The state of a topic whose oldest messages go while it is looked for. */
import { expect, it } from 'vitest'
import { closedError, trimmedError } from '../../src/failures.js'
import { type EntriesSource, latestEntries } from '../../src/log/finding/latest-entries.js'
import type { Message } from '../../src/messages/message.js'

const messageAt = (offset: number) => {
  const key = Buffer.from(`k${offset % 4}`)
  return { offset, key, tombstone: false } as unknown as Message<string>
}

it('begins again behind what has gone, and ends where it would have', async () => {
  let first = 0
  const asked: number[] = []
  const source: EntriesSource<string> = {
    bounds: async () => ({ first, next: 20 }),
    async *read({ from, to }) {
      asked.push(from)
      for (let offset = from; offset < to; offset++) {
        // Twice, the second time behind where it had begun again.
        if (offset === first + 3 && first < 10) first += 5
        if (offset < first) throw trimmedError('t', offset, first)
        yield messageAt(offset)
      }
    },
    getMany: async (offsets) => offsets.map((offset) => (offset < first ? undefined : messageAt(offset))),
  }
  const order: string[] = []
  const engine = {
    checkOpen: () => {},
    keepState: () => {
      order.push('kept')
      return () => order.push('let go')
    },
    scan: undefined,
  }
  const found: number[] = []
  for await (const { offset } of latestEntries(source, engine)) found.push(offset)
  expect(asked).toEqual([0, 5, 10])
  expect(found).toEqual([16, 17, 18, 19])
  expect(order).toEqual(['kept', 'let go'])
})

it('hands over nothing any more once the log is closed, though it was fetched before', async () => {
  let isClosed = false
  let isLetGo = false
  const source: EntriesSource<string> = {
    bounds: async () => ({ first: 0, next: 20 }),
    async *read({ from, to }) {
      for (let offset = from; offset < to; offset++) yield messageAt(offset)
    },
    getMany: async (offsets) => offsets.map(messageAt),
  }
  const engine = {
    checkOpen() {
      if (isClosed) throw closedError('/log')
    },
    keepState: () => () => {
      isLetGo = true
    },
    scan: undefined,
  }
  const entries = latestEntries(source, engine)
  expect((await entries.next()).value).toMatchObject({ offset: 16 })
  isClosed = true
  await expect(entries.next()).rejects.toMatchObject({ code: 'BOOKEND_CLOSED' })
  expect(isLetGo).toBe(true)
})
