import { expect, it } from 'vitest'
import { chunkBytes } from '../../../src/limits.js'
import { TopicCells } from '../../../src/ring/topic-cells.js'
import { type ChunkAnswer, Reader } from '../../../src/threads/reader/reader.js'
import { payloadOf } from '../../support/frames.js'
import { recordsOf } from '../../support/model.js'
import { rewriteSegment } from '../../support/rewriting.js'
import { StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const messages = 3_000
const topic = { id: 0, name: 't' }

/** Messages of 1,000 bytes in three segments, and who reads them. */
function filledLog() {
  /** As in a process that follows: what its owner says is taken in when somebody misses something. */
  const owner: { says?: () => void } = {}
  const world = simulatedWorld()
  const log = new StorageLog(world)
  log.append([{ declare: 't', topic: 0 }])
  for (let offset = 0; offset < messages; offset += 50)
    log.append(Array.from({ length: 50 }, (_, index) => ({ topic: 0, value: payloadOf(0, offset + index, 1_000) })))
  const cells = new TopicCells(new SharedArrayBuffer(1024))
  cells.next(0).store(messages)
  const reader = new Reader(
    log.reader,
    log.lookup,
    log.catalog,
    cells,
    () => log.trim,
    () => owner.says?.(),
  )
  const chunks = (offset: number, to: number, count?: number) =>
    reader.run({ op: 'chunk', topic, offset, to, resume: undefined, count }) as Promise<ChunkAnswer>
  return { world, log, cells, chunks, owner }
}

function offsetsOf({ bytes, next, more = [] }: ChunkAnswer, from: number): number[] {
  let at = next
  return [
    ...recordsOf(bytes, 0, from, next).map(({ offset }) => offset),
    ...more.flatMap((chunk) => {
      const found = recordsOf(chunk.bytes, 0, at, chunk.next)
      at = chunk.next
      return found.map(({ offset }) => offset)
    }),
  ]
}

it('reads as many chunks as are wanted, one behind the other, each of a bounded size', async () => {
  const { chunks } = filledLog()
  for (const count of [undefined, 1, 2, 4]) {
    const answer = await chunks(100, messages, count)
    expect(answer.more?.length ?? 0).toBe((count ?? 1) - 1)
    const found = offsetsOf(answer, 100)
    expect(found).toEqual(found.map((_, index) => 100 + index))
    for (const { bytes } of [answer, ...(answer.more ?? [])])
      expect(bytes.buffer.byteLength).toBeLessThanOrEqual(chunkBytes)
  }
})

it('reads no further than the range', async () => {
  const { chunks } = filledLog()
  const answer = await chunks(0, 400, 9)
  expect(offsetsOf(answer, 0)).toEqual(Array.from({ length: 400 }, (_, offset) => offset))
  expect((await chunks(0, 10, 9)).more).toBeUndefined()
})

it('gives what stands in front of damage, and tells of it whoever comes for it', async () => {
  const { world, log, chunks } = filledLog()
  const bytes = world.disk.bytes(log.path(0))
  // Before anything was read: what was found right is not looked at again.
  bytes[Buffer.from(bytes.buffer).indexOf(payloadOf(0, 620, 1_000))] ^= 1
  const answer = await chunks(0, messages, 9)
  const found = offsetsOf(answer, 0)
  expect(found.length).toBeGreaterThan(500)
  expect(found.length).toBeLessThanOrEqual(620)
  expect(found).toEqual(found.map((_, index) => index))
  await expect(chunks(found.length, messages, 9)).rejects.toMatchObject({
    code: 'BOOKEND_CORRUPT',
    offset: found.length,
  })
})

it('what an owner has let go of a segment it has written anew is trimmed for who follows, and not damaged, though he had not heard of it', async () => {
  const { log, cells, chunks, owner } = filledLog()
  await log.index()
  const [{ end }] = log.catalog.stretches(0, 0, messages)
  await rewriteSegment(log, 0, new Map([[0, { offset: end, readable: end }]]))
  await expect(chunks(10, messages)).rejects.toMatchObject({ code: 'BOOKEND_CORRUPT' })
  owner.says = () => cells.first(0).store(end)
  await expect(chunks(10, messages)).rejects.toMatchObject({ code: 'BOOKEND_TRIMMED', offset: 10, first: end })
  expect(offsetsOf(await chunks(end, messages), end)[0]).toBe(end)
})

it('who follows looks once where something is damaged', async () => {
  const { world, log, chunks, owner } = filledLog()
  const bytes = world.disk.bytes(log.path(0))
  bytes[Buffer.from(bytes.buffer).indexOf(payloadOf(0, 620, 1_000))] ^= 1
  let looks = 0
  owner.says = () => {
    looks += 1
  }
  await expect(chunks(620, messages)).rejects.toMatchObject({ code: 'BOOKEND_CORRUPT', topic: 't' })
  expect(looks).toBe(1)
})
