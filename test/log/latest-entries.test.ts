/** The state of a topic whose oldest messages go while it is looked for. */
import { expect, it } from 'vitest'
import { closedError, trimmedError } from '../../src/failures.js'
import { type EntriesRange, type EntriesSource, latestEntries } from '../../src/log/finding/latest-entries.js'
import type { Message } from '../../src/messages/message.js'
import { type OffsetBits, OffsetSet } from '../../src/messages/offset-set.js'

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
  }
  const order: string[] = []
  const engine = {
    checkOpen: () => {},
    keepState: () => {
      order.push('kept')
      return () => order.push('let go')
    },
    scan: undefined,
    async *picked(range: EntriesRange, only: OffsetBits) {
      picked.push(range.first)
      // The first of them that are read have gone by then.
      if (picked.length === 1) first = 17
      if (range.first < first) throw trimmedError('t', range.first, first)
      for (const offset of new OffsetSet(only).some(range.first, range.next, 2)) yield [messageAt(offset)]
      if (picked.length === 3) return
      first = 19
      throw trimmedError('t', 19, first)
    },
  }
  const found: number[] = []
  const picked: number[] = []
  for await (const { offset } of latestEntries(source, engine)) found.push(offset)
  expect(asked).toEqual([0, 5, 10])
  expect(picked).toEqual([0, 17, 19])
  expect(found).toEqual([17, 18, 19])
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
  }
  const engine = {
    checkOpen() {
      if (isClosed) throw closedError('/log')
    },
    keepState: () => () => {
      isLetGo = true
    },
    scan: undefined,
    async *picked({ first, next }: EntriesRange, only: OffsetBits) {
      yield new OffsetSet(only).some(first, next, 20).map(messageAt)
    },
  }
  const entries = latestEntries(source, engine)
  expect((await entries.next()).value).toMatchObject({ offset: 16 })
  isClosed = true
  await expect(entries.next()).rejects.toMatchObject({ code: 'BOOKEND_CLOSED' })
  expect(isLetGo).toBe(true)
})
