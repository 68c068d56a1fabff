import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { ChunkReader, type ChunkSource } from '../../../src/dispatcher/reads/chunk-reader.js'
import { chunkOf } from '../../support/chunks.js'

const topic = 3
const perChunk = 4
const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

/** A topic whose end, and whose failures, are the test's to make; chunks of it hold no more than four messages. */
class TopicWorld implements ChunkSource {
  readonly handle = { id: topic, name: 't' }
  readonly asked: { offset: number; to: number; resume: unknown }[] = []
  readonly waits = new Set<() => void>()
  firstOffset = 0
  nextOffset: number
  /** What reads at this offset fail with. */
  failure: { at: number; error: Error } | undefined
  closed: Error | undefined

  constructor(nextOffset: number) {
    this.nextOffset = nextOffset
  }

  first = () => this.firstOffset
  next = () => this.nextOffset

  async chunk(offset: number, to: number, resume: unknown) {
    this.asked.push({ offset, to, resume })
    if (this.failure?.at === offset) throw this.failure.error
    const next = Math.min(to, offset + perChunk)
    return { bytes: chunkOf(topic, [upTo(offset, next)]), next, resume: { position: next } as never }
  }

  whenNext(offset: number, resolve: () => void): () => void {
    if (this.nextOffset > offset) resolve()
    else this.waits.add(resolve)
    return () => this.waits.delete(resolve)
  }

  checkOpen(): void {
    if (this.closed !== undefined) throw this.closed
  }

  publish(count: number): void {
    this.nextOffset += count
    for (const resolve of this.waits) resolve()
  }

  reader({ from = 0, to = Number.MAX_SAFE_INTEGER, follow = false } = {}): ChunkReader {
    return new ChunkReader(this, { from, to, follow })
  }
}

async function offsetsOf(reader: ChunkReader): Promise<number[]> {
  const cursor = await reader.next()
  const offsets: number[] = []
  while (cursor?.next()) offsets.push(cursor.offset)
  return offsets
}

it('hands out every message once, each chunk beginning where the one before ended', async () => {
  const world = new TopicWorld(10)
  const reader = world.reader({ from: 1 })
  expect(await offsetsOf(reader)).toEqual([1, 2, 3, 4])
  expect(await offsetsOf(reader)).toEqual([5, 6, 7, 8])
  expect(await offsetsOf(reader)).toEqual([9])
  expect(await reader.next()).toBeUndefined()
  expect(world.asked.map(({ resume }) => resume)).toEqual([undefined, { position: 5 }, { position: 9 }])
})

it('asks for the chunk after the one it hands out, and for none behind the end', async () => {
  const world = new TopicWorld(10)
  const reader = world.reader({ to: 6 })
  await reader.next()
  expect(world.asked.map(({ offset, to }) => [offset, to])).toEqual([
    [0, 6],
    [4, 6],
  ])
  await reader.next()
  expect(world.asked).toHaveLength(2)
})

it('follows the topic: it waits for what is to come, and reads no further than it may', async () => {
  const world = new TopicWorld(0)
  const reader = world.reader({ to: 3, follow: true })
  const coming = offsetsOf(reader)
  await turn()
  expect(world.asked).toEqual([])
  world.publish(2)
  expect(await coming).toEqual([0, 1])
  const rest = offsetsOf(reader)
  await turn()
  world.publish(5)
  expect(await rest).toEqual([2])
  expect(await reader.next()).toBeUndefined()
})

it('closed while it waits, it ends, and leaves nobody waiting', async () => {
  const world = new TopicWorld(0)
  const reader = world.reader({ follow: true })
  const waiting = reader.next()
  await turn()
  expect(world.waits.size).toBe(1)
  reader.close()
  expect(await waiting).toBeUndefined()
  expect(world.waits.size).toBe(0)
})

it('closed while its chunk is read, it hands out nothing', async () => {
  const reader = new TopicWorld(4).reader()
  const reading = reader.next()
  reader.close()
  expect(await reading).toBeUndefined()
})

it('what was trimmed before it began is refused; the place to begin at is in the error', async () => {
  const world = new TopicWorld(9)
  world.firstOffset = 5
  await expect(world.reader({ from: 4 }).next()).rejects.toMatchObject({ code: 'BOOKEND_TRIMMED', first: 5 })
})

it('a chunk ahead that fails is told when it is asked for, not before', async () => {
  const world = new TopicWorld(8)
  const reader = world.reader()
  const error = new Error('unreadable')
  world.failure = { at: 4, error }
  expect(await offsetsOf(reader)).toEqual([0, 1, 2, 3])
  expect(world.asked).toHaveLength(2)
  // A rejection that nobody heard of would fail this test by itself.
  await turn()
  await expect(reader.next()).rejects.toBe(error)
})

it('of a closed log it hands out nothing, not even a chunk that has come', async () => {
  const world = new TopicWorld(8)
  const reader = world.reader()
  await reader.next()
  world.closed = new Error('closed')
  await expect(reader.next()).rejects.toBe(world.closed)
})

it.each([3, 2, 9])('a chunk of messages 3 to 8 that says it ends at %i is refused', async (next) => {
  const world = new TopicWorld(9)
  world.chunk = async () => ({ bytes: chunkOf(topic, [[3, 4]]), next, resume: undefined as never })
  const read = world.reader({ from: 3, to: 8 }).next()
  await expect(read).rejects.toThrow('Bookend invariant broken: a chunk ends in the range it was read for')
})
