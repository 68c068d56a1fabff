/** What a later release may write into batches, and this one passes over: frames of a kind that it does not know. */
import { crc32 } from 'node:zlib'
import { expect, it } from 'vitest'
import { batchHeaderBytes, readBatchHeader, writeBatchHeader } from '../../src/format/batch-layout.js'
import { frameKind, frameWord, kindOf } from '../../src/format/frame-layout.js'
import { frameEnd } from '../../src/format/frame-walk.js'
import { ChunkCursor } from '../../src/messages/chunk-cursor.js'
import { collectTopic } from '../../src/storage/append/topic-mover.js'
import { ControlFile } from '../../src/storage/files/control-file.js'
import { LogWalk } from '../../src/storage/follow/log-walk.js'
import { payloadOf } from '../support/frames.js'
import { checkedLog, readWhatIsLeft, repairedLog } from '../support/repair.js'
import { indexSegment, StorageLog, testSegmentBytes } from '../support/storage-log.js'
import { type SimulatedWorld, simulatedWorld } from '../support/worlds.js'

const unknownKind = 9
const count = 40
const values = Array.from({ length: count }, (_, offset) => payloadOf(0, offset, 200))

/** Turns declarations that nothing needs into frames of an unknown kind; checksums are right again. */
function forgeUnknown(bytes: Uint8Array, start: number, base: number): void {
  const header = readBatchHeader(bytes, start, base + start, testSegmentBytes)
  if (header === undefined) throw new Error('a batch stands here')
  const words = new Uint32Array(bytes.buffer)
  const end = start + header.bytes
  for (let frame = start + batchHeaderBytes, next = frameEnd(words, frame, end); next > 0; ) {
    const at = (frame >>> 2) + frameWord.tail
    if (kindOf(words[at]) === frameKind.declare) words[at] = (words[at] & 0xff00ffff) | (unknownKind << 16)
    frame = next
    next = frameEnd(words, frame, end)
  }
  const bodyCrc = crc32(bytes.subarray(start + batchHeaderBytes, end))
  const { count: records, position, time, epoch, topic, flags } = header
  writeBatchHeader(bytes, words, start, header.bytes, records, position, time, epoch, topic, flags, bodyCrc)
}

/** Two topics; batches of messages around such frames, in front of them, behind them, and one of nothing else; sealed in the middle. */
function sample(): { world: SimulatedWorld; log: StorageLog } {
  const world = simulatedWorld()
  const log = new StorageLog(world)
  const declarations = ['orders', 'other'].map((declare, topic) => ({ declare, topic }))
  log.append(declarations)
  const strange = { declare: 'orders', topic: 0 }
  for (let offset = 0; offset < count; offset += 2) {
    const two = [0, 1].map((more) => ({ topic: 0, value: values[offset + more] }))
    const start = log.tail.relative
    const kind = (offset / 2) % 5
    if (kind === 0) log.append([two[0], strange, two[1]])
    else if (kind === 1) log.append([strange, ...two])
    else if (kind === 2) log.append([...two, strange])
    else if (kind === 3) log.append([two[0], { topic: 1, value: values[offset] }, strange, two[1]])
    else log.append([strange])
    forgeUnknown(world.disk.bytes(log.path(log.tail.segment)), start, log.files.base(log.tail.segment))
    if (kind === 4) log.append(two)
    if (offset === 20) {
      log.roll()
      log.append(declarations)
    }
  }
  return { world, log }
}

function expectWhole({ reader, lookup, recovered, published }: StorageLog): void {
  expect(recovered).toMatchObject({ damages: [], tornBytes: 0, published })
  expect(recovered.topics.map(({ name, next }) => [name, next])).toEqual([
    ['orders', count],
    ['other', count / 2 / 5],
  ])
  expect(readWhatIsLeft(reader, 0, values, 0, count).size).toBe(count)
  for (let offset = 0; offset < count; offset++) expect(reader.readOne(0, offset)).toBeDefined()
  expect(lookup.find(0, [...values.keys()]).starts).not.toContain(-1)
}

it('every reader passes over them: recovery, chunks, lookups, indexes, followers, moving, verify', async () => {
  const { world, log } = sample()
  log.flush()
  log.close(false)
  expectWhole(new StorageLog(simulatedWorld(world.disk)))
  await indexSegment(world, log.files, 0)
  expectWhole(new StorageLog(simulatedWorld(world.disk)))
  const walk = new LogWalk(world.disk, log.files, 64)
  const met = [...walk.advance(log.published, 0)].flatMap(({ topics }) => topics)
  walk.close()
  expect(Math.max(...met.filter(({ topic }) => topic === 0).map((topic) => topic.next))).toBe(count)
  const moved = collectTopic(log.files, 0, 0, 20, [0])
  expect(moved?.batches.reduce((sum, { records }) => sum + records, 0)).toBe(20)
  const { report } = checkedLog(world)
  expect(report.damages).toEqual([])
  expect(report.remarks.map(({ kind, what }) => [kind, what])).toEqual([
    ['unknown', expect.stringContaining(`kind ${unknownKind}`)],
    ['unknown', expect.stringContaining(`kind ${unknownKind}`)],
  ])
})

it('a chunk in the log itself is walked past them', () => {
  const { log } = sample()
  const chunk = log.reader.readMapped({ topic: 0, offset: 0, to: 20 })
  const cursor = new ChunkCursor(chunk.bytes, 0, 0, chunk.next)
  let met = 0
  while (cursor.next()) met += 1
  chunk.release()
  expect(met).toBe(chunk.next)
})

it('a repair goes on around them, and refuses where what they mean was lost with the control file', () => {
  const { world, log } = sample()
  log.close(true)
  const whole = world.disk.copy()
  // A batch in the middle of the first segment.
  whole.bytes(log.path(0)).fill(7, 3_000, 3_100)
  repairedLog(simulatedWorld(whole))
  expect(checkedLog(simulatedWorld(whole)).report.damages.filter(({ kind }) => kind !== 'offsets')).toEqual([])
  const lost = world.disk.copy()
  lost.drop(ControlFile.path('/log'))
  const before = lost.fingerprint()
  expect(() => repairedLog(simulatedWorld(lost))).toThrow(
    expect.objectContaining({ code: 'BOOKEND_FORMAT', file: ControlFile.path('/log') }),
  )
  expect(lost.fingerprint()).toBe(before)
})
