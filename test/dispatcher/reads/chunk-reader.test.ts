import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { ChunkReader, type ChunkSource } from '../../../src/dispatcher/reads/chunk-reader.js'
import type { ChunkAnswer } from '../../../src/threads/reader/reader.js'
import { chunkOf } from '../../support/chunks.js'

const topic = 3
const perChunk = 4
const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

/** A topic whose end, and whose failures, are the test's to make; chunks of it hold no more than four messages. */
class TopicWorld implements ChunkSource {
  readonly handle = { id: topic, name: 't' }
  readonly asked: { offset: number; to: number; resume: unknown }[] = []
  /** How many chunks were asked for at once. */
  readonly counts: number[] = []
  pacedCount = 0
  /** Whether a chunk behind another is read at once. */
  isAtOnce: (offset: number) => boolean = () => false
  /** Offsets at which that was tried, and where it was done. */
  readonly tried: number[] = []
  readonly doneAtOnce: number[] = []
  /** What chunks have behind their batches, as if messages were as long. */
  padding = 0
  /** Whether a chunk takes a turn of the event loop. */
  takesTurns = false
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

  async chunk(offset: number, to: number, resume: unknown, count = 1): Promise<ChunkAnswer> {
    this.asked.push({ offset, to, resume })
    this.counts.push(count)
    if (this.takesTurns) await turn()
    if (this.failure?.at === offset) throw this.failure.error
    const next = Math.min(to, offset + perChunk)
    const chunk = { bytes: this.#chunkOf(offset, next), next, resume: { position: next } as never }
    const more: ChunkAnswer[] = []
    for (
      let at = next;
      more.length < count - 1 && at < to && this.failure?.at !== at;
      at = more[more.length - 1].next
    ) {
      const end = Math.min(to, at + perChunk)
      more.push({ bytes: this.#chunkOf(at, end), next: end, resume: { position: end } as never })
    }
    return { ...chunk, more }
  }

  chunksInTurn() {
    const memory = new Uint8Array((1 << 10) + this.padding)
    return (offset: number, to: number, resume: unknown, isBorrowed: boolean): ChunkAnswer | undefined => {
      expect(resume).toEqual({ position: offset })
      this.tried.push(offset)
      if (!this.isAtOnce(offset)) return undefined
      this.doneAtOnce.push(offset)
      const next = Math.min(to, offset + perChunk)
      const made = this.#chunkOf(offset, next)
      if (isBorrowed) memory.fill(0).set(made)
      const bytes = isBorrowed ? memory.subarray(0, made.length) : made
      return { bytes, next, resume: { position: next } as never }
    }
  }

  #chunkOf(from: number, to: number): Uint8Array<ArrayBuffer> {
    const made = chunkOf(topic, [upTo(from, to)])
    const bytes = new Uint8Array(made.length + this.padding)
    bytes.set(made)
    return bytes
  }

  async paced(chunk: ChunkAnswer): Promise<ChunkAnswer> {
    this.pacedCount += 1
    return chunk
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

/** Reads to the end: in front of each chunk the consumer works for some turns of the event loop. */
async function readOn(world: TopicWorld, reader: ChunkReader, chunks: number, workTurns: number): Promise<number[]> {
  const offsets: number[] = []
  world.takesTurns = true
  for (let count = 0; count < chunks; count++) {
    for (let turns = 0; turns < workTurns; turns++) await turn()
    offsets.push(...(await offsetsOf(reader)))
  }
  return offsets
}

it('asks for more at once as long as it comes before its chunks, and for one again when they come before it', async () => {
  const world = new TopicWorld(1_000)
  const reader = world.reader()
  const fast = await readOn(world, reader, 30, 0)
  expect(world.counts.slice(0, 5)).toEqual([1, 1, 2, 4, 4])
  const slow = await readOn(world, reader, 60, 3)
  expect([...fast, ...slow]).toEqual(upTo(0, 90 * perChunk))
  // No more than one is kept for whoever is slow, beside the one he looks at.
  expect(world.counts.slice(-20)).toEqual(Array.from({ length: 20 }, () => 1))
  expect(Math.max(...world.counts)).toBe(4)
})

it('never asks for more than one at once for a consumer that is slow from the start', async () => {
  const world = new TopicWorld(200)
  expect(await readOn(world, world.reader(), 50, 3)).toEqual(upTo(0, 200))
  expect(new Set(world.counts)).toEqual(new Set([1]))
})

it('hands out what came together one by one, each in its turn, up to what cannot be read', async () => {
  const world = new TopicWorld(400)
  const reader = world.reader({ from: 1 })
  const error = new Error('unreadable')
  world.failure = { at: 1 + 40 * perChunk, error }
  expect(await readOn(world, reader, 40, 0)).toEqual(upTo(1, 1 + 40 * perChunk))
  expect(world.counts).toContain(4)
  expect(world.pacedCount).toBe(40 - world.counts.length + 1)
  await expect(reader.next()).rejects.toBe(error)
})

it('reads at once for who is done with a chunk before the next one, and ahead from where that ends', async () => {
  const world = new TopicWorld(100)
  world.isAtOnce = (offset) => offset < 40
  world.takesTurns = true
  const reader = world.reader()
  const seen: number[] = []
  for (let cursor = await reader.next(true); cursor !== undefined; cursor = await reader.next(true))
    while (cursor.next()) seen.push(cursor.offset)
  expect(seen).toEqual(upTo(0, 100))
  const asked = world.asked.map(({ offset, resume }) => [offset, resume])
  expect(asked.slice(0, 2)).toEqual([
    [0, undefined],
    [40, { position: 40 }],
  ])
  expect(Math.max(...world.counts)).toBe(4)
})

it('what was trimmed meanwhile is not read at once either', async () => {
  const world = new TopicWorld(100)
  world.isAtOnce = () => true
  const reader = world.reader()
  await reader.next(true)
  world.firstOffset = 8
  world.failure = { at: 4, error: new Error('trimmed') }
  await expect(reader.next(true)).rejects.toBe(world.failure.error)
})

it('a reader that is lent chunks gives memory of its own to who asks for that', async () => {
  const world = new TopicWorld(100)
  world.isAtOnce = () => true
  const reader = world.reader()
  await reader.next(true)
  const [own, lent] = [await reader.next(), await reader.next(true)]
  expect([own?.next(), own?.offset, lent?.next(), lent?.offset]).toEqual([true, 4, true, 8])
})

/** Of a chunk whose messages are just long enough to be read by the thread that wants them. */
const longPadding = perChunk * 512 - chunkOf(topic, [upTo(0, perChunk)]).length

it('what is long and wanted faster than others read it is read at once, in memory of its own', async () => {
  const world = new TopicWorld(4_000)
  world.isAtOnce = () => true
  world.padding = longPadding
  const reader = world.reader()
  world.takesTurns = true
  const cursors: NonNullable<Awaited<ReturnType<ChunkReader['next']>>>[] = []
  for (let cursor = await reader.next(); cursor !== undefined; cursor = await reader.next()) cursors.push(cursor)
  const seen: number[] = []
  for (const cursor of cursors) while (cursor.next()) seen.push(cursor.offset)
  expect(seen).toEqual(upTo(0, 4_000))
  // From the fourth time on that it came first: nothing is asked of others any more.
  expect(world.counts).toEqual([1, 1, 2, 4])
  expect(world.doneAtOnce).toEqual(upTo(0, 1_000 - 8).map((chunk) => (chunk + 8) * perChunk))
})

it.each([
  ['short', 0, longPadding - 1],
  ['for a consumer that is slow', 3, longPadding],
])('what is %s is left to others', async (_, workTurns, padding) => {
  const world = new TopicWorld(400)
  world.isAtOnce = () => true
  world.padding = padding
  expect(await readOn(world, world.reader(), 100, workTurns)).toEqual(upTo(0, 400))
  expect(world.tried).toEqual([])
})

it('what could not be read at once is tried again ever more rarely, and soon again once it could', async () => {
  const world = new TopicWorld(40_000)
  world.padding = longPadding
  world.isAtOnce = (offset) => offset >= 36_000 && offset < 38_000
  const cold = await readOn(world, world.reader(), 10_000, 0)
  expect(cold).toEqual(upTo(0, 40_000))
  const refused = world.tried.filter((offset) => !world.isAtOnce(offset))
  const gapsOf = (offsets: readonly number[]) => offsets.slice(1).map((at, index) => (at - offsets[index]) / perChunk)
  const gaps = gapsOf(refused.filter((offset) => offset < 36_000))
  // Others read up to four chunks with what they were asked for last, and that once more until it comes first.
  expect(gaps.length).toBeGreaterThan(8)
  for (const [index, gap] of gaps.entries()) {
    const rest = Math.min(1024, 16 << index)
    expect(gap).toBeGreaterThanOrEqual(rest)
    expect(gap).toBeLessThanOrEqual(rest + 16)
  }
  expect(world.doneAtOnce.at(-1)).toBe(38_000 - perChunk)
  expect(gapsOf(refused.filter((offset) => offset >= 38_000))[0]).toBeLessThanOrEqual(16 + 16)
})

it.each([1, 2, 3, 4, 5, 6])('whoever reads, every message comes once, in order: seed %i', async (seed) => {
  let state = seed
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state / 2 ** 32
  }
  const world = new TopicWorld(8_000)
  world.padding = longPadding
  // Stretches that are in memory, and some that are not.
  const cold = new Set(upTo(0, 20).filter(() => random() < 0.3))
  world.isAtOnce = (offset) => !cold.has(Math.floor(offset / 400))
  world.takesTurns = true
  const reader = world.reader()
  const seen: number[] = []
  for (;;) {
    const isBorrowed = random() < 0.3
    const cursor = await reader.next(isBorrowed)
    if (cursor === undefined) break
    if (random() < 0.05) for (let turns = random() * 4; turns > 0; turns--) await turn()
    while (cursor.next()) seen.push(cursor.offset)
  }
  expect(seen).toEqual(upTo(0, 8_000))
  expect(world.doneAtOnce.length).toBeGreaterThan(100)
})

it('closed among chunks that came together, it hands out no more', async () => {
  const world = new TopicWorld(1_000)
  const reader = world.reader()
  await readOn(world, reader, 10, 0)
  const coming = reader.next()
  reader.close()
  expect([await coming, await reader.next()]).toEqual([undefined, undefined])
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
