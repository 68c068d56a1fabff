/** A log in several segments whose messages have keys and headers, with side indexes of some of its segments, and a plain model of it. */

import { unpackKeys } from '../../src/collections/packed-keys.js'
import { cursorOver } from '../../src/dispatcher/reads/chunk-reader.js'
import type { Filter, TopicIndex } from '../../src/engine/terms.js'
import {
  decodeSideHead,
  encodeSideIndex,
  type SideRows,
  sideHeadLength,
  sidePageBytes,
  sideRowsPerPage,
  sideRowWord,
} from '../../src/format/side-index-layout.js'
import { newestOffsets } from '../../src/local/newest-offsets.js'
import { HandlerWords } from '../../src/ring/handler-words.js'
import { TopicCells } from '../../src/ring/topic-cells.js'
import type { Disk } from '../../src/storage/files/disk.js'
import { LiveIndex } from '../../src/storage/index/live-index.js'
import { readSealedFile } from '../../src/storage/index/sealed-index.js'
import { TopicReader } from '../../src/storage/read/topic-reader.js'
import { SideCollector } from '../../src/storage/side/side-collector.js'
import { makeSideIndex, ownerOf, writeSideIndex } from '../../src/storage/side/side-index-file.js'
import { SideIndexes } from '../../src/storage/side/side-indexes.js'
import type { HandlerAnswer } from '../../src/threads/reader/handler-task.js'
import { type ChunkAnswer, type KeyedAnswers, Reader } from '../../src/threads/reader/reader.js'
import { payloadOf } from './frames.js'
import { appendsNothing, handlerModule, setHandler } from './processing.js'
import type { Seeded } from './seeded.js'
import { StorageLog } from './storage-log.js'
import { simulatedWorld } from './worlds.js'

const utf8 = (text: string) => new TextEncoder().encode(text)
const topic = { id: 0, name: 't' }
/** The last two have one checksum. */
export const someKeys = ['a', 'ab', 'plumless', 'buckeroo']
export const someTypes = ['paid', 'open', 'Größe "1"']

/** So many that a segment may have more of them than a page of its side index has rows. */
const manyKeys = (random: Seeded) => `many-${random.below(3_000)}`

/** What a message was given. */
interface Given {
  readonly key: string | undefined
  readonly type: string | undefined
  readonly shop: string
  readonly time: number
}

/** @param rare how seldom messages have the first type */
export function keyedLog(random: Seeded, messages = 3_000, rare = 0.05) {
  const world = simulatedWorld()
  let now = 1_000
  const log = new StorageLog(world, { now: () => now })
  const given: Given[] = []
  log.append([
    { declare: 't', topic: 0 },
    { declare: 'other', topic: 1 },
  ])
  while (given.length < messages) {
    // Some in one millisecond, some after a pause.
    if (random.chance(0.7)) now += random.chance(0.02) ? 5_000 : 1 + random.below(3)
    const some = Array.from({ length: 1 + random.below(9) }, () => ({
      key: random.chance(0.3) ? random.pick(someKeys) : random.chance(0.8) ? manyKeys(random) : undefined,
      type: random.chance(rare) ? 'paid' : random.chance(0.5) ? random.pick(someTypes.slice(1)) : undefined,
      shop: random.pick(['north', 'south']),
      time: now,
    }))
    log.append(
      some.map(({ key, type, shop }, index) => {
        const value = payloadOf(0, given.length + index, 1 + random.below(1_500))
        const headers = utf8(JSON.stringify(type === undefined ? { shop } : { shop, type }))
        return { topic: 0, value, extras: { key: key === undefined ? undefined : utf8(key), headers } }
      }),
    )
    if (random.chance(0.2)) log.append([{ topic: 1, value: payloadOf(1, given.length, 900) }])
    given.push(...some)
  }
  log.flush()
  return { world, log, given }
}

export type KeyedLog = ReturnType<typeof keyedLog>

export async function putSideIndex(
  { world, log }: Pick<KeyedLog, 'world' | 'log'>,
  segment: number,
  wanted: TopicIndex,
  names: readonly string[] = ['t'],
): Promise<void> {
  const { files } = log
  const sealed = readSealedFile(world.disk, files, segment)
  if (sealed === undefined) throw new Error('the segment is sealed')
  const index = new LiveIndex(files.base(segment), files.segmentBytes)
  const collector = new SideCollector((name) => (names.includes(name) ? wanted : undefined))
  const window = world.plainMemory.open(files.path(segment), files.segmentBytes, 'read')
  index.catchUp(window, files.segmentBytes, true, { onValid: collector.batch, onExtended: collector.record })
  window.close()
  const bytes = await makeSideIndex(ownerOf(files, segment, sealed.footer), index, collector, async () => {})
  writeSideIndex(world.disk, files, segment, bytes)
}

/** What of a log is needed to look for something in its topic 0. */
export interface SearchedLog {
  readonly world: { readonly disk: Disk }
  readonly log: Pick<StorageLog, 'files' | 'readWindows' | 'catalog' | 'lookup' | 'published' | 'indexed' | 'trim'>
}

/** Who reads it with side indexes. */
export function readingOf({ world, log }: SearchedLog) {
  const bounds = { published: () => log.published, indexed: () => log.indexed, trim: () => log.trim }
  const sides = new SideIndexes(world.disk, log.files, () => 0)
  const topics = new TopicReader(log.files, log.readWindows, log.catalog, bounds, sides)
  const cells = new TopicCells(new SharedArrayBuffer(1024))
  const means = { data: undefined, beginAppends: () => appendsNothing }
  const reader = new Reader(topics, log.lookup, log.catalog, cells, () => log.trim, undefined, means)
  return {
    topics,
    /** Those that a handler is given by one task over a range. */
    async handled(filter: Filter, from: number, to: number): Promise<number[]> {
      const found: number[] = []
      cells.next(0).store(to)
      setHandler((messages) => {
        found.push(...messages.map(({ offset }) => offset))
      })
      for (let at = from; at < to; ) {
        const task = { op: 'process', topic, module: handlerModule, codec: undefined, group: 'g', filter } as const
        const lot = { from: at, lane: 0, lanes: 1, batchSize: 7, views: 'copied', resume: undefined } as const
        const words = HandlerWords.allocate(at, to, 0, false).shared
        const answer = await reader.run({ ...task, ...lot, words, attempt: 1, generation: 0, firstAttempt: 0 })
        const { done, end } = answer as HandlerAnswer
        if (end.kind !== 'paused') throw new Error(`the task has ended ${end.kind} at ${done}: ${end.error.message}`)
        at = done
      }
      return found
    },
    async withKey(key: string, from: number, to: number, max: number, isReverse: boolean): Promise<number[]> {
      const found: number[] = []
      while (from < to && found.length < max) {
        const range = { from, to, max: max - found.length, isReverse }
        const part = topics.keyed({ topic: 0, key: utf8(key), ...range })
        found.push(...part.offsets)
        ;({ from, to } = part)
      }
      return found
    },
    /** By one look for all, of each below its offset. */
    async newest(keys: readonly { key: string; to: number }[]): Promise<number[]> {
      const asked = keys.map(({ key, to }) => ({ key: utf8(key), to }))
      const end = asked.reduce((most, each) => Math.max(most, each.to), 0)
      const found = await newestOffsets(asked, async (packed) =>
        topics.newest({ topic: 0, from: 0, to: end, asked: unpackKeys(packed) }),
      )
      return found.map((offset) => offset ?? -1)
    },
    /** The last message of each, asked for with one task as long as there is something to ask. */
    async lasts(keys: readonly { key: string; from: number; to: number }[]): Promise<number[]> {
      const found = keys.map(() => -1)
      const isOpen = ({ from, to }: { from: number; to: number }) => from < to
      let open = keys.map(({ key, from, to }, index) => ({ index, key: utf8(key), from, to })).filter(isOpen)
      while (open.length > 0) {
        const asked = open.map(({ key, from, to }) => ({ key, range: { from, to, max: 1, isReverse: true } }))
        const { parts } = (await reader.run({ op: 'keyed', topic, asked })) as KeyedAnswers
        open = open.flatMap((ask, at) => {
          const { offsets, from, to } = parts[at]
          if (offsets.length === 0) return [{ ...ask, from, to }].filter(isOpen)
          ;[found[ask.index]] = offsets
          return []
        })
      }
      return found
    },
    async matching(filter: Filter, from: number, to: number): Promise<number[]> {
      const found: number[] = []
      cells.next(0).store(to)
      let resume: ChunkAnswer['resume']
      for (let offset = from; offset < to; ) {
        const answer = (await reader.run({ op: 'chunk', topic, offset, to, resume, filter })) as ChunkAnswer
        const cursor = cursorOver(answer, 0, offset)
        while (cursor.next()) found.push(cursor.offset)
        ;({ next: offset, resume } = answer)
      }
      return found
    },
  }
}

/** Offset of the last message with the key in `[from, to)`. */
export function newestOf(given: KeyedLog['given'], key: string, from: number, to: number): number | undefined {
  for (let offset = Math.min(to, given.length) - 1; offset >= from; offset--)
    if (given[offset].key === key) return offset
  return undefined
}

const isSame = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((each, at) => each === b[at])

/** Looks for keys, headers and times in ranges; what is found otherwise than by a plain look at everything, in words. */
export async function disagreements(random: Seeded, made: KeyedLog, looks: number): Promise<string[]> {
  const { given } = made
  const { topics, withKey, newest, lasts, matching, handled } = readingOf(made)
  const end = given.length
  const wrong: string[] = []
  const compare = async (what: string, found: Promise<number[]>, truth: readonly number[]) => {
    const offsets = await found.catch((error: Error) => error)
    if (offsets instanceof Error) wrong.push(`${what}: ${offsets.message}`)
    else if (!isSame(offsets, truth)) wrong.push(`${what}: ${offsets.length} found, ${truth.length} are there`)
  }
  for (let look = 0; look < looks; look++) {
    const from = random.chance(0.5) ? 0 : random.below(end)
    const to = random.chance(0.5) ? end : from + random.below(end - from)
    const inRange = given.map((each, offset) => ({ ...each, offset })).slice(from, to)
    const key = random.chance(0.5) ? random.pick([...someKeys, 'nobody']) : (given[random.below(end)].key ?? 'nobody')
    const isReverse = random.chance(0.5)
    const max = random.pick([1, 3, 5_000])
    const withIt = inRange.filter((each) => each.key === key).map(({ offset }) => offset)
    const keyed = (isReverse ? withIt.reverse() : withIt).slice(0, max)
    await compare(`key ${key} in ${from} to ${to}`, withKey(key, from, to, max, isReverse), keyed)
    const names = [...someKeys, 'nobody', ...Array.from({ length: 20 }, () => manyKeys(random))]
    const several = names.map((key) => ({ key, to: random.chance(0.5) ? to : random.below(to + 1) }))
    const latest = several.map(({ key, to }) => newestOf(given, key, 0, to) ?? -1)
    await compare(`the newest of ${JSON.stringify(several)}`, newest(several), latest)
    const ranges = several.map((each) => ({ ...each, from: random.chance(0.5) ? 0 : random.below(each.to + 1) }))
    const last = ranges.map(({ key, from, to }) => newestOf(given, key, from, to) ?? -1)
    await compare(`the last of ${JSON.stringify(ranges)}`, lasts(ranges), last)
    const filter: Filter = [
      ...(random.chance(0.3) ? [{ name: 'shop', values: ['north'] }] : []),
      {
        name: random.chance(0.1) ? 'nothing' : 'type',
        values: random.chance(0.5) ? ['paid'] : [random.pick(someTypes), 'none'],
      },
    ]
    const matches = inRange.filter(({ type, shop }) =>
      filter.every(({ name, values }) => values.includes(({ type, shop } as Record<string, string>)[name] ?? '')),
    )
    const what = `${JSON.stringify(filter)} in ${from} to ${to}`
    const offsets = matches.map(({ offset }) => offset)
    await compare(what, matching(filter, from, to), offsets)
    await compare(`${what}, handled`, handled(filter, from, to), offsets)
    const time = given[random.below(end)].time + random.below(3) - 1
    const at = topics.offsetAt(0, time, from, to)
    const first = inRange.find((each) => each.time >= time)?.offset
    if (at !== first) wrong.push(`time ${time} in ${from} to ${to}: ${at} found, ${first} is the first`)
  }
  return wrong
}

/** One of the ways in which a side index is not what it should be. @returns what was done */
export function spoil(
  random: Seeded,
  { world, log }: KeyedLog,
  segment: number,
  others: readonly Uint8Array[],
): string {
  const file = log.files.sidePath(segment)
  const bytes = world.disk.bytes(file)
  const put = (what: string, changed: Uint8Array) => {
    world.disk.remove(file)
    const made = world.disk.create(file)
    made.write(0, changed)
    made.close()
    return what
  }
  switch (random.below(4)) {
    case 0:
      return put('is cut off', bytes.slice(0, random.below(bytes.length)))
    case 1:
      return put('is of another segment or log', random.pick(others))
    case 2:
      return put('speaks of the first half of its segment only', halfOf(bytes))
    default: {
      const changed = bytes.slice()
      // A few anywhere, or many behind the head: in rows that somebody asks for.
      const from = random.chance(0.5) ? 0 : Math.ceil((sideHeadLength(bytes) ?? 0) / sidePageBytes) * sidePageBytes
      for (let flips = from === 0 ? 1 + random.below(4) : 400; flips > 0; flips--)
        changed[from + random.below(changed.length - from)] ^= 1 << random.below(8)
      return put('has other bits', changed)
    }
  }
}

/** With checksums that hold: made by somebody who knew less of the segment. */
const halfOf = (bytes: Uint8Array) => remade(bytes, (records) => records >>> 1, true)
/** As releases before made it. */
export const withoutFilters = (bytes: Uint8Array) => remade(bytes, (records) => records, false)

function remade(bytes: Uint8Array, known: (records: number) => number, hasFilters: boolean): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const owner = {
    base: view.getUint32(16, true) + view.getUint32(20, true) * 2 ** 32,
    logMark: Buffer.from(bytes.subarray(24, 32)).toString('hex'),
    footerCrc: view.getUint32(32, true),
  }
  const head = decodeSideHead(bytes.slice(0, sideHeadLength(bytes)), bytes.length, owner)
  const words = new Uint32Array(bytes.slice().buffer)
  const knownOf = <S extends SideRows>({ rows, page, ...each }: S) => {
    const records = known(each.records)
    const kept = Array.from({ length: rows }, (_, row) => {
      const pageAt = ((head?.pagesAt ?? 0) + (page + Math.floor(row / sideRowsPerPage)) * sidePageBytes) / 4
      const at = pageAt + sideRowWord.first + (row % sideRowsPerPage) * sideRowWord.perRow
      return { hash: words[at], ordinal: words[at + 1] }
    }).filter(({ ordinal }) => ordinal < records)
    return { ...each, records, rowWords: Uint32Array.from(kept.flatMap(({ hash, ordinal }) => [hash, ordinal])) }
  }
  const times = (head?.times ?? []).map((section) => ({ ...knownOf(section), firstTime: section.firstTime }))
  return encodeSideIndex(
    owner,
    (head?.sections ?? []).map((section) => ({ ...knownOf(section), name: section.name })),
    times,
    hasFilters,
  )
}
