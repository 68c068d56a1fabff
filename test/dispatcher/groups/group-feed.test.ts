/** The messages of a group come in chunks: what happens where one is not in the chunk that was read for it. */
import { expect, it } from 'vitest'
import { GroupFeed } from '../../../src/dispatcher/groups/group-feed.js'
import { Lease } from '../../../src/dispatcher/groups/lease.js'
import { codedFailureOf, failureOf } from '../../scenarios/support.js'
import { lyingSource } from '../../support/chunks.js'

const offsetOf = ({ offset }: { offset: number }) => offset
const leaseOf = (offset: number) => new Lease(offset, offset + 1, 1, 0)

it('looks up what its chunk does not hold', async () => {
  const feed = new GroupFeed(lyingSource())
  for (let offset = 0; offset < 10; offset++) expect(await feed.message(leaseOf(offset), offsetOf)).toBe(offset)
})

it('takes no other message for the one it looks up, nor for one that was trimmed away', async () => {
  const feed = new GroupFeed(lyingSource((offset) => offset - 1))
  expect(await feed.message(leaseOf(4), offsetOf)).toBe(4)
  const error = await codedFailureOf(async () => feed.message(leaseOf(5), offsetOf))
  expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 5 })
})

it('believes no chunk that ends before it begins, or behind what is published', async () => {
  const source = lyingSource()
  for (const next of [0, 11]) {
    const chunk: typeof source.chunk = async (...asked) => ({ ...(await source.chunk(...asked)), next })
    const feed = new GroupFeed({ ...source, chunk })
    const error = await failureOf(async () => feed.message(leaseOf(0), offsetOf))
    expect(error.message).toBe('Bookend invariant broken: a chunk ends in the range it was read for')
  }
})
