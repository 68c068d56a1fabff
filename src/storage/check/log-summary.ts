/** What a log holds, from its indexes: footers and directories of sealed segments, the batches of the few behind them. */
import { batchHeaderBytes, readBatchHeader } from '../../format/batch-layout.js'
import { frameBytes } from '../../format/frame-layout.js'
import { entryBytes, entryWord } from '../../format/segment-layout.js'
import type { Memory } from '../../memory/memory.js'
import type { Disk } from '../files/disk.js'
import { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFiles } from '../files/segment-files.js'
import { LiveIndex } from '../index/live-index.js'
import { readSealedSegment } from '../index/sealed-index.js'
import { isSealedIn, type LogExtent } from './log-extent.js'
import { nonZeroSpan } from './non-zero-span.js'
import { DiskMemory, SalvageDisk } from './salvage-disk.js'

export interface TopicSummary {
  id: number
  name: string
  /** Oldest readable offset, and the offset of the next append. */
  first: number
  next: number
  /** Readable ones. */
  messages: number
  /** Offsets between that damage has taken. */
  lost: number
  /** Of the frames: values, keys, headers and what frames add; undefined: not asked for. */
  bytes: number | undefined
  segments: number
  /** Times of the oldest and the newest message, in ms; undefined: there is none. */
  firstTime: number | undefined
  lastTime: number | undefined
}

export interface LogSummary {
  topics: TopicSummary[]
  segments: { total: number; sealed: number; indexed: number; missing: number; prepared: number }
  /** Packed segments: what they hold, as it was, and what it takes now. */
  packed: { count: number; bytes: number; packedBytes: number }
  /** Files beside the segments: how many, and of how many bytes together. */
  sides: { count: number; bytes: number }
  /** Bytes of the files. */
  bytes: number
  /** Absolute ranges found damaged without reading everything. */
  damages: { from: number; to: number }[]
  tornBytes: number
}

/** The records of a topic in one segment. */
interface Part {
  id: number
  name: string
  firstOffset: number
  count: number
  /** Where the topic goes on behind it. */
  next: number
  /** First readable offset that the segment states. */
  readable: number
  /** Index entries `[from, to)` of it. */
  entries(window: SalvageWindow, from: number, to: number): Uint32Array
}

/** Whether they are of use is for `verify` to say. */
function sidesOf(disk: Disk, files: SegmentFiles, segments: readonly number[]): LogSummary['sides'] {
  const sides = { count: 0, bytes: 0 }
  for (const segment of segments) {
    try {
      const file = disk.open(files.sidePath(segment), 'read')
      if (file === undefined) continue
      sides.count += 1
      sides.bytes += file.size()
      file.close()
    } catch {
      // Something else stands there: it is none.
    }
  }
  return sides
}

function packedIn(files: SegmentFiles, segments: readonly number[]): LogSummary['packed'] {
  const packed = { count: 0, bytes: 0, packedBytes: 0 }
  for (const segment of segments) {
    const as = files.packedAs(segment)
    if (as === undefined) continue
    packed.count += 1
    packed.bytes += as.bytes
    packed.packedBytes += as.packedBytes
  }
  return packed
}

/** @param withBytes reads the index of every record, to add up the bytes of each topic */
export function summarize(disk: Disk, extent: LogExtent, withBytes: boolean): LogSummary {
  const memory = new DiskMemory(new SalvageDisk(disk))
  const { files, first, last, end, recovered, strangers } = extent
  const listed = files.list().filter((segment) => !strangers.includes(segment))
  const segments = listed.filter((segment) => segment >= first && segment <= last)
  const sealed = segments.filter((segment) => isSealedIn(extent, segment)).length
  const sides = sidesOf(disk, files, listed)
  const summary: LogSummary = {
    topics: [],
    packed: packedIn(files, segments),
    sides,
    segments: {
      total: listed.length,
      sealed,
      indexed: 0,
      missing: last - first + 1 - segments.length,
      prepared: listed.filter((segment) => segment > last).length,
    },
    bytes: listed.length * files.segmentBytes + sides.bytes,
    damages: recovered?.damages ?? [],
    tornBytes: 0,
  }
  const read = (segment: number, use: (window: SalvageWindow) => void) => {
    const file = files.open(segment)
    if (file === undefined) return
    use(new SalvageWindow(file))
    file.close()
  }

  // All parts first: what is readable of a topic in the first segment may be stated in the last.
  const parts = new Map<number, Part[]>()
  const readable = new Map<number, number>()
  for (const segment of segments) {
    read(segment, (window) => {
      const isSealed = isSealedIn(extent, segment)
      const indexed = isSealed ? indexedParts(window, files.base(segment), files.segmentBytes) : undefined
      if (indexed !== undefined) summary.segments.indexed += 1
      const found = indexed ?? derivedParts(memory, extent, segment, isSealed ? files.segmentBytes : end)
      parts.set(segment, found)
      for (const part of found) readable.set(part.id, Math.max(readable.get(part.id) ?? 0, part.readable))
      if (segment !== last || isSealed || extent.isLive) return
      const torn = nonZeroSpan(window, end, files.segmentBytes)
      summary.tornBytes = torn === undefined ? 0 : torn.to - torn.from
    })
  }

  leaveOutMoved([...parts.values()].reverse().flat())
  const topics = new Map<number, TopicSummary>()
  for (const [segment, found] of parts) {
    read(segment, (window) => {
      for (const part of found) {
        const topic = topics.get(part.id) ?? newTopic(part)
        topics.set(part.id, topic)
        addPart(topic, part, readable.get(part.id) ?? 0, window, files.base(segment), withBytes)
      }
    })
  }
  for (const topic of topics.values()) {
    topic.first = Math.min(Math.max(topic.first, readable.get(topic.id) ?? 0), topic.next)
    topic.lost = topic.next - topic.first - topic.messages
  }
  summary.topics = [...topics.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  return summary
}

/**
 * A topic that was moved stands in a later segment anew: from there on earlier ones do not count.
 * @param parts from the last to the first
 */
function leaveOutMoved(parts: Part[]): void {
  const starts = new Map<number, number>()
  for (const part of parts) {
    const start = starts.get(part.id) ?? Number.POSITIVE_INFINITY
    part.count = Math.max(0, Math.min(part.count, start - part.firstOffset))
    if (part.count > 0) starts.set(part.id, part.firstOffset)
  }
}

function indexedParts(window: SalvageWindow, base: number, segmentBytes: number): Part[] | undefined {
  const rows = readSealedSegment((at, length) => window.read(at, length), base, segmentBytes)?.rows
  return rows?.map((row) => ({
    ...row,
    id: row.topic,
    next: row.firstOffset + row.count,
    entries: (source, from, to) =>
      new Uint32Array(source.read(row.entriesAt + from * entryBytes, (to - from) * entryBytes).buffer),
  }))
}

/** Of a segment without an index: from its batches. */
function derivedParts(memory: Memory, { files }: LogExtent, segment: number, to: number): Part[] {
  if (!files.isWhole(segment)) return []
  const index = new LiveIndex(files.base(segment), files.segmentBytes)
  const window = files.openWindow(memory, segment)
  index.catchUp(new SalvageWindow(window), to, true)
  window.close()
  return [...index.topics.values()].map(({ topic, name, firstOffset, count, readable, words }) => ({
    id: topic,
    name,
    firstOffset,
    count,
    next: firstOffset + count,
    readable,
    entries: (_, from, until) => words.subarray(from * entryWord.perEntry, until * entryWord.perEntry),
  }))
}

function newTopic({ id, name, firstOffset }: Part): TopicSummary {
  const none = { bytes: undefined, firstTime: undefined, lastTime: undefined }
  return { id, name, first: firstOffset, next: 0, messages: 0, lost: 0, segments: 0, ...none }
}

function addPart(
  topic: TopicSummary,
  part: Part,
  readable: number,
  window: SalvageWindow,
  base: number,
  withBytes: boolean,
): void {
  const from = Math.max(0, readable - part.firstOffset)
  if (part.name !== '') topic.name = part.name
  topic.first = Math.min(topic.first, part.firstOffset)
  topic.next = Math.max(topic.next, part.next)
  if (withBytes) topic.bytes ??= 0
  if (from >= part.count) return
  topic.segments += 1
  topic.messages += part.count - from
  topic.firstTime ??= timeOf(part, from, window, base)
  topic.lastTime = timeOf(part, part.count - 1, window, base) ?? topic.lastTime
  if (!withBytes) return
  const words = part.entries(window, from, part.count)
  for (let word = 0; word < words.length; word += entryWord.perEntry) {
    if (words[word + entryWord.batch] === 0) topic.messages -= 1
    else topic.bytes = (topic.bytes ?? 0) + frameBytes(words[word + entryWord.length])
  }
}

/** Time of the batch that holds the record, if that is legible. */
function timeOf(part: Part, entry: number, window: SalvageWindow, base: number): number | undefined {
  const batch = part.entries(window, entry, entry + 1)[entryWord.batch]
  if (batch === 0) return undefined
  return readBatchHeader(window.read(batch, batchHeaderBytes), 0, base + batch, Number.POSITIVE_INFINITY)?.time
}
