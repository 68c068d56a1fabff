/** Random puts and deletes under keys, in topics that are compacted and in one that is not, and a plain model of what counts of them. */

import { frameFlag } from '../../src/format/frame-layout.js'
import { ChunkCursor, partsOf } from '../../src/messages/chunk-cursor.js'
import { Supersession } from '../../src/storage/compact/supersession.js'
import { readSealedFile } from '../../src/storage/index/sealed-index.js'
import { payloadOf, type TestFrame } from './frames.js'
import type { Seeded } from './seeded.js'
import { someKeys } from './side-indexed-log.js'
import { StorageLog } from './storage-log.js'
import { simulatedWorld } from './worlds.js'

const utf8 = (text: string) => new TextEncoder().encode(text)
export const compactedNames = ['a', 'b']
const names = [...compactedNames, 'plain']
const tombstone = utf8('{"bookend-tombstone":"1"}')

/** One message; of those without a key nothing is superseded. */
export interface Put {
  readonly key: string | undefined
  readonly isTombstone: boolean
  readonly hasId: boolean
}

/** Of what is good for a long time. */
const lasting = '"bookend-expires":"9999999999999"'

/**
 * @param keys of which there are so many, beside some that have one tag
 * @param isTwinned each of these has one tag with another
 * @param deletes share of messages with a key that are tombstones
 * @param lasts share of messages that expire some day, and not yet
 */
export function compactedLog(
  random: Seeded,
  {
    messages = 2_000,
    keys = 50,
    segmentBytes = 1 << 16,
    bytes = 300,
    lasts = 0,
    deletes = 0.1,
    isTwinned = false,
  } = {},
) {
  const world = simulatedWorld()
  let now = 1_000
  const log = new StorageLog(world, { segmentBytes, now: () => now })
  const puts: Put[][] = names.map(() => [])
  for (const [topic, declare] of names.entries()) log.append([{ declare, topic }])
  const put = (topic: number, given: Put): TestFrame => {
    const value = given.isTombstone ? new Uint8Array(0) : payloadOf(topic, puts[topic].length, random.below(bytes))
    puts[topic].push(given)
    const { key, isTombstone, hasId } = given
    const headers = isTombstone ? tombstone : hasId ? utf8('{"bookend-id":"7"}') : undefined
    if (key === undefined) return { topic, value }
    if (headers === undefined && lasts > 0 && random.chance(lasts))
      return { topic, value, extras: { key: utf8(key), headers: utf8(`{${lasting}}`) }, flags: frameFlag.expires }
    return { topic, value, extras: { key: utf8(key), headers } }
  }
  const twin = (number: number) => `${number >>> 1} ${number % 2 === 0 ? 'plumless' : 'buckeroo'}`
  const keyOf = (number: number) => (isTwinned ? twin(number) : `key ${number}`)
  const any = (): TestFrame => {
    const topic = random.below(names.length)
    if (random.chance(0.1)) return put(topic, { key: undefined, isTombstone: false, hasId: false })
    const key = random.chance(0.2) ? random.pick(someKeys) : random.chance(0.02) ? '' : keyOf(random.below(keys))
    const isTombstone = random.chance(deletes)
    return put(topic, { key, isTombstone, hasId: !isTombstone && random.chance(0.05) })
  }
  const grow = (by: number) => {
    for (let count = 0; count < by; ) {
      const some = Array.from({ length: 1 + random.below(8) }, any)
      if (random.chance(0.3)) now += random.below(5)
      log.append(some)
      count += some.length
    }
  }
  grow(messages)
  /** Offsets of the topic's sealed messages behind which a sealed one has their key: by segment. */
  const superseded = (topic: number, isRight: (segment: number) => boolean = () => true): Map<number, number[]> => {
    const found = new Map<number, number[]>()
    const seen = new Set<string>()
    const stretches = log.catalog.stretches(topic, 0, 1e9).filter(({ segment }) => segment < log.tail.segment)
    for (const { segment, first, end } of stretches.reverse()) {
      const offsets: number[] = []
      if (isRight(segment))
        for (let offset = end - 1; offset >= first; offset--) {
          const { key } = puts[topic][offset]
          if (key === undefined) continue
          if (seen.has(key)) offsets.unshift(offset)
          seen.add(key)
        }
      found.set(segment, offsets)
    }
    return found
  }
  const tools = { disk: world.disk, files: log.files, plainMemory: world.plainMemory }
  /** @param below offsets of tombstones that may go, as far as time and groups are concerned */
  const supersession = (below: number | (() => number) = 0) =>
    new Supersession(tools, log.files.segmentOf(log.trim), {
      includes: (name) => compactedNames.includes(name),
      tombstonesBelow: () => (typeof below === 'number' ? below : below()),
    })
  return { world, log, puts, put, grow, superseded, supersession }
}

/**
 * Offsets of the messages of a topic that are there, places that alone are left passed over.
 * @throws where one is not what was put
 */
export function alive(log: StorageLog, topic: number, puts: readonly Put[]): number[] {
  const found: number[] = []
  const to = puts.length
  for (let offset = 0; offset < to; ) {
    const chunk = log.reader.read({ topic, offset, to })
    const cursor = new ChunkCursor(chunk.bytes, topic, offset, chunk.next)
    while (cursor.next()) {
      const { keyStart, keyEnd, valueStart, valueEnd } = partsOf(cursor.words, cursor.frame)
      const { bytes, offset } = cursor
      const { key, isTombstone } = puts[offset]
      const value = payloadOf(topic, offset, valueEnd - valueStart)
      const isSame =
        keyStart < 0 === (key === undefined) &&
        (key === undefined || Buffer.compare(bytes.subarray(keyStart, keyEnd), utf8(key)) === 0) &&
        Buffer.compare(bytes.subarray(valueStart, valueEnd), value) === 0 &&
        (!isTombstone || valueStart === valueEnd)
      if (!isSame) throw new Error(`${topic}/${offset} is not what was put`)
      found.push(offset)
    }
    offset = chunk.next
  }
  return found
}

/** Of each key the offset of its latest message among these, keys that were deleted left out. */
export function latestOf(puts: readonly Put[], offsets: Iterable<number>): Map<string, number> {
  const latest = new Map<string, number>()
  for (const offset of offsets) {
    const { key, isTombstone } = puts[offset]
    if (key === undefined) continue
    if (isTombstone) latest.delete(key)
    else latest.set(key, offset)
  }
  return latest
}

/** Looks as far as there is anything to see. */
export function lookThrough(supersession: Supersession, end: number, first = 0): void {
  while (supersession.catchUp(end));
  for (let segment = first; segment < end; segment++) while (supersession.step(segment));
}

/** What it has found of a topic in a segment. */
export function goneOf(supersession: Supersession, log: StorageLog, topic: number, segment: number): number[] {
  const row = readSealedFile(log.world.disk, log.files, segment)?.rows.find((each) => each.topic === topic)
  const gone = supersession.goneIn(segment).get(topic)
  if (row === undefined || gone === undefined) return []
  const offsets = Array.from({ length: row.count }, (_, ordinal) => row.firstOffset + ordinal)
  return offsets.filter((offset) => gone.has(offset))
}
