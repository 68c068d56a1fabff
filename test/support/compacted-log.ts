/** Random puts and deletes under keys, in topics that are compacted and in one that is not, and a plain model of what counts of them. */

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

/** @param keys of which there are so many, beside some that have one tag */
export function compactedLog(
  random: Seeded,
  { messages = 2_000, keys = 50, segmentBytes = 1 << 16, bytes = 300 } = {},
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
    return { topic, value, extras: { key: utf8(key), headers } }
  }
  const any = (): TestFrame => {
    const topic = random.below(names.length)
    if (random.chance(0.1)) return put(topic, { key: undefined, isTombstone: false, hasId: false })
    const key = random.chance(0.2) ? random.pick(someKeys) : random.chance(0.02) ? '' : `key ${random.below(keys)}`
    const isTombstone = random.chance(0.1)
    return put(topic, { key, isTombstone, hasId: !isTombstone && random.chance(0.05) })
  }
  for (let count = 0; count < messages; ) {
    const some = Array.from({ length: 1 + random.below(8) }, any)
    if (random.chance(0.3)) now += random.below(5)
    log.append(some)
    count += some.length
  }
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
  const supersession = (below = 0) =>
    new Supersession(tools, log.files.segmentOf(log.trim), {
      includes: (name) => compactedNames.includes(name),
      tombstonesBelow: () => below,
    })
  return { world, log, puts, put, superseded, supersession }
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
