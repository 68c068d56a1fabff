import { expect, it } from 'vitest'
import { cursorOver } from '../../../src/dispatcher/reads/chunk-reader.js'
import { chunkBytes } from '../../../src/limits.js'
import { OffsetSet } from '../../../src/messages/offset-set.js'
import { TopicCells } from '../../../src/ring/topic-cells.js'
import { type ChunkAnswer, Reader } from '../../../src/threads/reader/reader.js'
import { payloadOf } from '../../support/frames.js'
import { Seeded } from '../../support/seeded.js'
import { StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const messages = 3_000
const topic = { id: 0, name: 't' }
const filter = [{ name: 'type', values: ['paid'] }]
const headers = new TextEncoder().encode('{"type":"paid"}')

/** Messages of 1,000 bytes in three segments, of which those at a multiple of `every` match, and who reads them. */
function filledLog(every: number) {
  const world = simulatedWorld()
  const log = new StorageLog(world)
  log.append([{ declare: 't', topic: 0 }])
  for (let first = 0; first < messages; first += 50)
    log.append(
      Array.from({ length: 50 }, (_, index) => {
        const value = payloadOf(0, first + index, 1_000)
        const isMatch = (first + index) % every === 0
        return { topic: 0, value, ...(isMatch && { extras: { key: undefined, headers } }) }
      }),
    )
  const cells = new TopicCells(new SharedArrayBuffer(1024))
  cells.next(0).store(messages)
  const reader = new Reader(log.reader, log.lookup, log.catalog, cells, () => log.trim)
  const chunk = (offset: number, resume?: ChunkAnswer['resume'], to = messages) =>
    reader.run({ op: 'chunk', topic, offset, to, resume, filter }) as Promise<ChunkAnswer>
  return { world, log, chunk }
}

function offsetsOf(answer: ChunkAnswer, from: number): number[] {
  const cursor = cursorOver(answer, 0, from)
  const offsets: number[] = []
  while (cursor.next()) offsets.push(cursor.offset)
  return offsets
}

it('answers have what matches and nothing else, and one follows the other without a hole', async () => {
  for (const every of [1, 7, 700, messages * 2]) {
    const { chunk } = filledLog(every)
    const found: number[] = []
    let answers = 0
    let resume: ChunkAnswer['resume']
    for (let offset = 0; offset < messages; answers++) {
      const answer = await chunk(offset, resume)
      expect(answer.next).toBeGreaterThan(offset)
      expect(answer.bytes.length).toBeLessThanOrEqual(2 * chunkBytes)
      found.push(...offsetsOf(answer, offset))
      if (found.length > 0) expect(answer.to).toBeLessThanOrEqual(answer.next)
      ;({ next: offset, resume } = answer)
    }
    expect(found).toEqual(Array.from({ length: Math.ceil(messages / every) }, (_, index) => index * every))
    expect(answers).toBeGreaterThan(1)
  }
})

it('an answer ends in front of damage, and who comes for what follows hears of it', async () => {
  const { world, log, chunk } = filledLog(100)
  const bytes = world.disk.bytes(log.path(0))
  bytes[Buffer.from(bytes.buffer).indexOf(payloadOf(0, 620, 1_000))] ^= 1
  const answer = await chunk(0)
  expect(answer.next).toBeGreaterThan(400)
  expect(answer.next).toBeLessThanOrEqual(620)
  expect(offsetsOf(answer, 0)).toEqual([0, 100, 200, 300, 400, 500, 600].filter((offset) => offset < answer.next))
  await expect(chunk(answer.next, answer.resume)).rejects.toMatchObject({
    code: 'BOOKEND_CORRUPT',
    offset: answer.next,
  })
})

it('looks no further than the range', async () => {
  const { chunk } = filledLog(10)
  const answer = await chunk(5, undefined, 35)
  expect([answer.next, answer.to]).toEqual([35, 31])
  expect(offsetsOf(answer, 5)).toEqual([10, 20, 30])
})

/** Offsets of a range, by what is asked for of it, one answer after the other. */
async function readNamed(
  { chunk }: { chunk(offset: number, resume: ChunkAnswer['resume'], only: OffsetSet): Promise<ChunkAnswer> },
  named: OffsetSet,
  from: number,
  to: number,
) {
  const found: number[] = []
  let answers = 0
  let resume: ChunkAnswer['resume']
  for (let offset = from; offset < to; answers++) {
    const answer = await chunk(offset, resume, named)
    expect(answer.next).toBeGreaterThan(offset)
    found.push(...offsetsOf(answer, offset))
    ;({ next: offset, resume } = answer)
  }
  return { found, answers }
}

/** Messages of so many bytes, those of another topic between them. */
function twoTopics(count: number, bytes: number, segmentBytes: number) {
  const log = new StorageLog(simulatedWorld(), { segmentBytes })
  log.append([{ declare: 't', topic: 0 }])
  log.append([{ declare: 'other', topic: 1 }])
  for (let offset = 0; offset < count; offset++)
    log.append([
      { topic: 0, value: payloadOf(0, offset, bytes) },
      { topic: 1, value: payloadOf(1, offset, bytes) },
    ])
  const cells = new TopicCells(new SharedArrayBuffer(1024))
  cells.next(0).store(count)
  const reader = new Reader(log.reader, log.lookup, log.catalog, cells, () => log.trim)
  const chunk = (offset: number, resume: ChunkAnswer['resume'], { only }: OffsetSet) =>
    reader.run({ op: 'chunk', topic, offset, to: count, resume, only }) as Promise<ChunkAnswer>
  return { log, chunk }
}

it.each([
  { count: 6_000, bytes: 40, segmentBytes: 1 << 18 },
  // Each takes longer to pass over than to look up, and there are more of them in a segment than are looked up at once.
  { count: 700, bytes: 12_000, segmentBytes: 8 << 20 },
])('what is named comes and nothing else, be it nearly all or nearly nothing: $count of $bytes bytes', async (size) => {
  const { count } = size
  const { log, chunk } = twoTopics(size.count, size.bytes, size.segmentBytes)
  const random = new Seeded(4)
  for (const isIndexed of [false, true]) {
    if (isIndexed) await log.index()
    for (const share of [0, 0.001, 0.02, 0.2, 1]) {
      const named = OffsetSet.over(0, count)
      const truth: number[] = []
      // Dense in some parts, and nothing for long in others.
      for (let offset = 0; offset < count; offset++)
        if (random.chance(Math.floor(offset / 500) % 3 === 1 ? 0 : share)) truth.push(offset)
      for (const offset of truth) named.add(offset)
      const from = random.below(20)
      const { found } = await readNamed({ chunk }, named, from, count)
      expect(found, `a share of ${share}`).toEqual(truth.filter((offset) => offset >= from))
    }
  }
})

it('where few are named the others are not read', async () => {
  const { log, chunk } = twoTopics(6_000, 40, 1 << 18)
  await log.index()
  const named = OffsetSet.over(0, 6_000)
  for (let offset = 100; offset < 6_000; offset += 200) named.add(offset)
  const read = log.reader.readBorrowed.bind(log.reader)
  const inOrder: number[] = []
  log.reader.readBorrowed = (request) => {
    inOrder.push(request.offset)
    return read(request)
  }
  const { found, answers } = await readNamed({ chunk }, named, 0, 6_000)
  expect(found).toHaveLength(30)
  expect(answers).toBeLessThan(10)
  // The segment that is being written has no index.
  const { first } = log.catalog.stretches(0, 0, 6_000).at(-1) ?? { first: 0 }
  expect(inOrder.every((offset) => offset >= first)).toBe(true)
})
