/** The messages of a group come in chunks: what happens where one is not in the chunk that was read for it. */
import { expect, it } from 'vitest'
import { GroupFeed } from '../../../src/dispatcher/groups/group-feed.js'
import { Lease } from '../../../src/dispatcher/groups/lease.js'
import { codedFailureOf, failureOf } from '../../scenarios/support.js'
import { chunkOf, lyingSource } from '../../support/chunks.js'

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

/** A topic of ten messages in chunks of five; and how many of them were looked up one by one. */
function honestSource() {
  const seen = { lookups: 0 }
  const lying = lyingSource()
  const chunk: typeof lying.chunk = async (offset) => {
    const end = offset - (offset % 5) + 5
    const offsets = Array.from({ length: end - offset }, (_, index) => offset + index)
    return { ...(await lying.chunk(offset, 10, undefined)), bytes: chunkOf(3, [offsets]), next: end }
  }
  const record: typeof lying.record = (offset) => {
    seen.lookups += 1
    return lying.record(offset)
  }
  return { source: { ...lying, chunk, record }, seen }
}

it('goes on in the next chunk without a promise, once that has come', async () => {
  const { source, seen } = honestSource()
  const feed = new GroupFeed(source)
  expect(await feed.message(leaseOf(0), offsetOf)).toBe(0)
  await new Promise(setImmediate)
  for (let offset = 1; offset < 10; offset++) expect(feed.message(leaseOf(offset), offsetOf)).toBe(offset)
  expect(seen.lookups).toBe(0)
})

it('gives each its message, whenever one of the next chunk is asked for', async () => {
  for (let turns = 0; turns < 30; turns++) {
    const feed = new GroupFeed(honestSource().source)
    const asked = [0, 1, 2, 3, 4].map((offset) => feed.message(leaseOf(offset), offsetOf))
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    asked.push(feed.message(leaseOf(5), offsetOf))
    expect(await Promise.all(asked), `asked after ${turns} turns`).toEqual([0, 1, 2, 3, 4, 5])
  }
})
