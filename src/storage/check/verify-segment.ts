/**
 * Checking one segment, all of it: header, both checksums of every batch, every frame, the offsets of every topic, and
 * the index entry by entry against the frames it points to. Pure over bytes: it changes nothing and never throws for what
 * it reads, since what cannot be read is damage as well.
 */
import { crc32 } from 'node:zlib'
import {
  type BatchHeader,
  batchFlag,
  batchHeaderBytes,
  mixedTopics,
  readBatchHeader,
} from '../../format/batch-layout.js'
import {
  declaredName,
  declareFixedBytes,
  flagsOf,
  frameBytes,
  frameExtensionBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
  noKey,
  offsetOf,
} from '../../format/frame-layout.js'
import { logIdText } from '../../format/log-id.js'
import { joinWords } from '../../format/numbers.js'
import {
  type DirectoryRow,
  decodeFooter,
  decodeSegmentHeader,
  entryBytes,
  entryWord,
  footerBytes,
  formatVersion,
  type SegmentHeader,
  segmentHeaderBytes,
} from '../../format/segment-layout.js'
import type { Disk } from '../files/disk.js'
import { SalvageWindow } from '../files/salvage-window.js'
import { findNextBatch, scanBatches } from '../index/batch-scan.js'
import { legibleFrames } from '../index/legible-frames.js'
import { keyTag } from '../index/live-index.js'
import { readSealedSegment, type SealedSegment } from '../index/sealed-index.js'
import type { Damage, DamageKind, LostOffsets, Remark, SegmentReport, TopicInSegment } from './verify-report.js'

/** One segment to be checked. */
export interface SegmentTask {
  segment: number
  file: string
  base: number
  segmentBytes: number
  /** Of the log. */
  logMark: string
  /** Relative end of the data; absent: the segment has to end in a seal. */
  end?: number
  /** An owner is at work: an index that is not there may come, and what stands behind the end is in flux. */
  isLive: boolean
}

const nothingSeen = { matched: 0, frameBytes: 0, movedTime: undefined }

const stepBytes = 1 << 20
/** Of one kind and segment; more of the same say nothing new, and a hostile file could make millions. */
const maxDamagesOfKind = 100

/** A topic while the segment is walked. */
interface Walked extends Omit<TopicInSegment, 'leastFirst'> {
  /** Place of its last frame: what is missing behind it was taken by damage behind it. */
  lastAt: number
  row: DirectoryRow | undefined
  /** Of its index entries: those that agree with a frame. */
  matched: number
  /** Of its record frames. */
  frameBytes: number
  /** Time of its last batch if that was moved forward: only then may the next one be older than its neighbours. */
  movedTime: number | undefined
}

export function verifySegment(disk: Disk, task: SegmentTask): SegmentReport {
  const file = disk.open(task.file, 'read')
  const verifier = new SegmentVerifier(task)
  if (file === undefined) return verifier.missing()
  try {
    return verifier.run(new SalvageWindow(file), file.size())
  } finally {
    file.close()
  }
}

class SegmentVerifier {
  readonly #task: SegmentTask
  readonly #report: SegmentReport
  readonly #topics = new Map<number, Walked>()
  /** Places from which messages may be missing, ascending: damage, and the gaps that a repair left. */
  readonly #holes: { from: number; to: number; lost: LostOffsets[] }[] = []
  #sealed: SealedSegment | undefined
  /** Rows of its directory, by topic. */
  #rows = new Map<number, DirectoryRow>()
  #entries = new Uint32Array(0)
  #wrongEntry: { topic: string; offset: number; at: number } | undefined
  #isSealed = false
  readonly #counts = new Map<DamageKind, number>()

  constructor(task: SegmentTask) {
    this.#task = task
    this.#report = {
      segment: task.segment,
      records: 0,
      batches: 0,
      bytes: task.segmentBytes,
      firstTime: 0,
      lastTime: 0,
      lastEpoch: 0,
      topics: [],
      damages: [],
      remarks: [],
      ranges: [],
      isTailLost: false,
      end: segmentHeaderBytes,
    }
  }

  missing(): SegmentReport {
    this.#damage('missing', 0, this.#task.segmentBytes, 'the file is not there')
    return this.#nothingOfOurs()
  }

  #nothingOfOurs(): SegmentReport {
    const { segmentBytes, end = segmentBytes } = this.#task
    this.#report.bytes = 0
    this.#report.ranges.push({ from: segmentHeaderBytes, to: end, time: 0 })
    this.#report.isTailLost = true
    return this.#report
  }

  run(window: SalvageWindow, size: number): SegmentReport {
    const { segmentBytes, logMark } = this.#task
    const header = decodeSegmentHeader(window.read(0, segmentHeaderBytes))
    if (header?.version === formatVersion && header.logMark !== logMark) {
      const what = `the file belongs to another log (${logIdText(header.logMark)}), not to this one (${logIdText(logMark)})`
      this.#damage('foreign', 0, segmentBytes, what)
      return this.#nothingOfOurs()
    }
    if (size < segmentBytes) {
      this.#damage(
        'size',
        size,
        segmentBytes - size,
        `the file has ${size} bytes of ${segmentBytes}: its end is missing`,
      )
    } else if (size > segmentBytes) {
      this.#damage('size', segmentBytes, size - segmentBytes, `the file has ${size} bytes instead of ${segmentBytes}`)
    }
    this.#checkHeader(header)
    this.#readIndex(window)
    this.#walk(window)
    this.#guessLost(window)
    this.#checkIndex()
    this.#checkRemains(window)
    this.#noteUnreadable(window)
    this.#report.topics = [...this.#topics.values()]
      .sort((a, b) => a.id - b.id)
      .map(({ id, name, isDeclared, legibleName, legibleFirst, row, first, next, readable, firstAt, goesOnAt }) => ({
        id,
        firstAt,
        name,
        isDeclared,
        legibleName,
        legibleFirst: Math.min(legibleFirst, first),
        leastFirst: isDeclared || row !== undefined ? first : Math.max(0, first - this.#roomBefore(firstAt)),
        first,
        next,
        readable,
        goesOnAt: Math.max(goesOnAt, next),
      }))
    return this.#report
  }

  /** Of how many messages there can have been in damage before a position. */
  #roomBefore(position: number): number {
    const before = this.#report.ranges.filter(({ from }) => this.#task.base + from < position)
    return before.reduce((sum, { from, to }) => sum + Math.floor((to - from) / frameHeaderBytes), 0)
  }

  #checkHeader(header: SegmentHeader | undefined): void {
    const { base, segmentBytes } = this.#task
    const isRight =
      header !== undefined &&
      header.version === formatVersion &&
      header.base === base &&
      header.segmentBytes === segmentBytes
    if (isRight) return
    const what = header === undefined ? 'the header fails its checksum' : 'the header is that of another segment'
    this.#damage('header', 0, segmentHeaderBytes, what)
  }

  #readIndex(window: SalvageWindow): void {
    const { base, segmentBytes, end, isLive } = this.#task
    if (end !== undefined) return
    this.#sealed = readSealedSegment((at, length) => window.read(at, length), base, segmentBytes)
    const footerAt = segmentBytes - footerBytes
    if (this.#sealed === undefined) {
      const bytes = window.read(footerAt, footerBytes)
      const isEmpty = bytes.every((byte) => byte === 0)
      const footer = isEmpty ? undefined : decodeFooter(bytes, base, segmentBytes)
      if (footer !== undefined) {
        this.#damage('index', footer.directoryAt, footerAt - footer.directoryAt, 'the directory fails its checksum')
      } else if (!isEmpty) {
        this.#damage('index', footerAt, footerBytes, 'the footer fails its checksum')
      } else if (!isLive && this.#report.damages.length === 0) {
        this.#remark('not indexed', footerAt, footerBytes, 'has no index yet: the next owner writes it')
      }
      return
    }
    this.#rows = new Map(this.#sealed.rows.map((row) => [row.topic, row]))
    const { entriesAt, records, entriesCrc } = this.#sealed.footer
    const bytes = window.read(entriesAt, records * entryBytes)
    this.#entries = new Uint32Array(bytes.buffer)
    if ((records === 0 ? 0 : crc32(bytes)) !== entriesCrc) {
      this.#damage('index', entriesAt, bytes.length, 'the entries of the index fail their checksum')
    }
  }

  /** Walks batch by batch to the end, and on behind what is no batch. */
  #walk(window: SalvageWindow): void {
    const { base, segmentBytes, end } = this.#task
    const report = this.#report
    const limit = end ?? segmentBytes
    let at = segmentHeaderBytes
    let want = stepBytes
    while (at < limit && !this.#isSealed) {
      const bytes = window.read(at, Math.min(want, limit - at))
      const words = new Uint32Array(bytes.buffer)
      const result = scanBatches(bytes, base + at, limit - at, (header, from) =>
        this.#addBatch(bytes, words, header, from, at),
      )
      at += result.end
      report.end = at
      want = result.stop === 'partial' ? Math.max(result.needed, stepBytes) : stepBytes
      if (result.stop !== 'bad') continue
      const next = findNextBatch((from, length) => window.read(from, length), base, at + 8, limit)
      if (next < 0) break
      this.#hole(at, next)
      at = next
    }
    if (this.#isSealed || at >= limit) return
    report.isTailLost = true
    const dataEnd = end ?? this.#sealed?.footer.dataEnd ?? segmentBytes
    report.ranges.push({ from: at, to: dataEnd, time: report.lastTime })
    if (end === undefined && dataEnd - at === batchHeaderBytes) {
      this.#damage('seal', at, batchHeaderBytes, 'the batch that ends the segment fails its checksum')
      return
    }
    const what =
      end === undefined ? 'no valid batch from here to the end of the segment' : 'no valid batch from here to the end'
    this.#holes.push({ from: at, to: dataEnd, lost: this.#damage('batches', at, dataEnd - at, what)?.lost ?? [] })
  }

  /**
   * Where a topic has nothing behind damage, or in front of it not even its declaration, nothing states which of its offsets the damage
   * took. What is legible does, so that they are not given out a second time, and are known to be lost: a whole batch header, and
   * frames that name the topic with an offset that can come next in it, or can have come before its first.
   */
  #guessLost(window: SalvageWindow): void {
    const guessed = new Map<number, number>()
    for (const { from, to } of this.#report.ranges) {
      const ended = (id: number) => {
        const topic = this.#topics.get(id)
        return topic === undefined || topic.row !== undefined || topic.lastAt > from ? undefined : topic
      }
      const head = window.read(from, Math.min(batchHeaderBytes, to - from))
      const header = readBatchHeader(head, 0, this.#task.base + from, to - from)
      const only = header === undefined ? undefined : ended(header.topic)
      if (only !== undefined) only.goesOnAt = Math.max(only.goesOnAt, only.next + (header?.count ?? 0))
      const hole = this.#holes.find((place) => place.from === from)
      const most = (to - from) / frameHeaderBytes
      for (const { topic: id, offset, name } of legibleFrames((at, length) => window.read(at, length), from, to)) {
        const begun = this.#topics.get(id)
        if (
          begun !== undefined &&
          !begun.isDeclared &&
          begun.row === undefined &&
          begun.firstAt - this.#task.base > from
        ) {
          begun.legibleName ??= name
          const mayBePart = name === undefined && offset < begun.legibleFirst && offset >= begun.first - most
          if (mayBePart) begun.legibleFirst = offset
        }
        const topic = name === undefined ? ended(id) : undefined
        if (topic === undefined || offset < topic.next || offset >= topic.next + most) continue
        topic.goesOnAt = Math.max(topic.goesOnAt, offset + 1)
      }
      for (const topic of this.#topics.values()) {
        const known = Math.max(topic.next, guessed.get(topic.id) ?? 0)
        if (ended(topic.id) === undefined || topic.goesOnAt <= known) continue
        hole?.lost.push({ topic: nameOf(topic), from: known, to: topic.goesOnAt })
        guessed.set(topic.id, topic.goesOnAt)
      }
    }
  }

  #hole(from: number, to: number): void {
    this.#report.ranges.push({ from, to, time: this.#report.lastTime })
    const damage = this.#damage('batches', from, to - from, 'no valid batch stands here')
    this.#holes.push({ from, to, lost: damage?.lost ?? [] })
  }

  #addBatch(bytes: Uint8Array, words: Uint32Array, header: BatchHeader, from: number, start: number): void {
    const report = this.#report
    const at = start + from
    const isOlder = header.time < report.lastTime
    if (isOlder && !this.#mayBeMoved(header))
      this.#damage('frames', at, header.bytes, 'its time is before that of the batch before')
    if (report.batches === 0) report.firstTime = header.time
    report.lastTime = Math.max(report.lastTime, header.time)
    report.lastEpoch = Math.max(report.lastEpoch, header.epoch)
    report.batches += 1
    if ((header.flags & batchFlag.seal) !== 0) this.#isSealed = true
    if ((header.flags & batchFlag.gap) !== 0) {
      this.#gap(at, at + header.bytes)
      this.#addDeclarations(bytes, words, header, from)
    } else this.#addFrames(bytes, words, header, from, start)
    const topic = this.#topics.get(header.topic)
    if (topic !== undefined) topic.movedTime = isOlder ? header.time : undefined
  }

  /** Records that were moved forward keep their time. They are one topic's, and its first in the segment, behind what a gap may declare. */
  #mayBeMoved({ topic: id, time }: BatchHeader): boolean {
    if (id === mixedTopics) return false
    const topic = this.#topics.get(id)
    return topic === undefined || topic.frameBytes === 0 || (topic.movedTime !== undefined && time >= topic.movedTime)
  }

  /** Long gaps stand in several batches. */
  #gap(from: number, to: number): void {
    const last = this.#holes.at(-1)
    const { base } = this.#task
    const before = this.#report.remarks.find(
      ({ kind, position, bytes }) => kind === 'gap' && position + bytes === base + from,
    )
    if (last !== undefined && last.to === from && before !== undefined) {
      last.to = to
      before.bytes += to - from
      return
    }
    this.#holes.push({ from, to, lost: this.#remark('gap', from, to - from, 'was set aside by a repair').lost })
  }

  #addFrames(bytes: Uint8Array, words: Uint32Array, header: BatchHeader, from: number, start: number): void {
    const at = start + from
    const end = from + header.bytes
    let records = 0
    let frame = from + batchHeaderBytes
    while (frame < end) {
      const word = frame >>> 2
      const length = words[word + frameWord.length]
      const size = frameBytes(Math.min(length, header.bytes))
      if (frame + frameHeaderBytes > end || length > header.bytes || frame + size > end) {
        this.#damage('frames', at, header.bytes, 'a frame leaves its batch')
        return
      }
      const tail = words[word + frameWord.tail]
      const topic = words[word + frameWord.topic]
      const offset = offsetOf(words[word + frameWord.offsetLow], tail)
      if (kindOf(tail) === frameKind.declare && length >= declareFixedBytes) {
        this.#addDeclaration(bytes, words, frame, at)
      } else if (kindOf(tail) === frameKind.data) {
        if (header.topic !== topic && header.topic !== mixedTopics) {
          this.#damage('frames', at, header.bytes, 'a frame belongs to another topic than its batch says')
        }
        if (!isWholeRecord(words, frame, length, tail)) {
          this.#damage('frames', at, header.bytes, 'the key or the headers of a message leave its frame')
        }
        records += 1
        this.#addRecord(bytes, words, frame, topic, offset, length, tail, at, start + frame)
      } else {
        this.#damage('frames', at, header.bytes, `a frame has the unknown kind ${kindOf(tail)}`)
      }
      frame += size
    }
    if (records !== header.count) {
      this.#damage('frames', at, header.bytes, `the batch has ${records} messages, its header says ${header.count}`)
    }
    this.#report.records += records
  }

  /** What a repair states at the start of a gap: topics whose declaration was lost there, and where they stood. */
  #addDeclarations(bytes: Uint8Array, words: Uint32Array, header: BatchHeader, from: number): void {
    const end = from + header.bytes
    // Long gaps are several batches and one hole, which took whatever is missing around the declaration.
    const hole = this.#holes.at(-1)
    for (let frame = from + batchHeaderBytes; frame + frameHeaderBytes <= end; ) {
      const word = frame >>> 2
      const length = words[word + frameWord.length]
      const isDeclaration = kindOf(words[word + frameWord.tail]) === frameKind.declare && length >= declareFixedBytes
      if (!isDeclaration || length > end - frame - frameHeaderBytes) return
      this.#addDeclaration(bytes, words, frame, hole?.from ?? from, hole?.to)
      frame += frameBytes(length)
    }
  }

  #addDeclaration(bytes: Uint8Array, words: Uint32Array, frame: number, at: number, firstAt = at): void {
    const word = frame >>> 2
    const payload = frame + frameHeaderBytes
    const name = declaredName(bytes, payload, words[word + frameWord.length])
    const next = offsetOf(words[word + frameWord.offsetLow], words[word + frameWord.tail])
    const readable = joinWords(words[payload >>> 2], words[(payload >>> 2) + 1])
    this.#declare(words[word + frameWord.topic], next, readable, name, at, firstAt)
  }

  #declare(id: number, next: number, readable: number, name: string, at: number, firstAt: number): void {
    const topic = this.#topics.get(id)
    if (topic === undefined) {
      this.#topics.set(id, { ...this.#walked(id, name, next, readable, firstAt), isDeclared: true, lastAt: at })
      return
    }
    topic.isDeclared = true
    if (topic.name !== '' && topic.name !== name) {
      this.#damage('frames', at, 0, `topic ${topic.name} is declared anew as ${name}`)
    }
    topic.name = name
    topic.readable = Math.max(topic.readable, readable)
    this.#goOn(topic, next, at)
    topic.lastAt = at
  }

  #addRecord(
    bytes: Uint8Array,
    words: Uint32Array,
    frame: number,
    id: number,
    offset: number,
    length: number,
    tail: number,
    at: number,
    frameAt: number,
  ): void {
    let topic = this.#topics.get(id)
    if (topic === undefined) {
      topic = this.#undeclared(id, offset, at)
      this.#topics.set(id, topic)
    }
    if (offset !== topic.next) this.#goOn(topic, offset, at)
    topic.next = Math.max(topic.next, offset + 1)
    topic.lastAt = at
    topic.frameBytes += frameBytes(length)
    const { row } = topic
    if (row === undefined) return
    const index = offset - row.firstOffset
    const word = ((row.entriesAt - (this.#sealed?.footer.entriesAt ?? 0)) / entryBytes + index) * entryWord.perEntry
    const entries = this.#entries
    const isRight =
      index >= 0 &&
      index < row.count &&
      entries[word + entryWord.batch] === at &&
      entries[word + entryWord.frame] === frameAt &&
      entries[word + entryWord.length] === length &&
      entries[word + entryWord.tag] === ((flagsOf(tail) & frameFlag.extended) === 0 ? 0 : keyTag(bytes, words, frame))
    if (isRight) topic.matched += 1
    else this.#wrongEntry ??= { topic: topic.name, offset, at: row.entriesAt + index * entryBytes }
  }

  /** The topic goes on at `next`; what lies between is missing, or comes a second time. */
  #goOn(topic: Walked, next: number, at: number): void {
    if (next < topic.next) {
      const what = `topic ${nameOf(topic)} goes back from offset ${topic.next} to ${next}`
      this.#damage('offsets', at, 0, what)
      return
    }
    if (next > topic.next) this.#lose(topic, next, at)
    topic.next = next
  }

  #lose(topic: Walked, to: number, at: number): void {
    const lost = { topic: nameOf(topic), from: topic.next, to }
    const hole = this.#holes.findLast(({ from }) => from >= topic.lastAt && from <= at)
    if (hole !== undefined) hole.lost.push(lost)
    else {
      const what = `offsets ${lost.from} to ${to - 1} of topic ${lost.topic} are missing`
      this.#damage('offsets', at, 0, what)?.lost.push(lost)
    }
  }

  #undeclared(id: number, offset: number, at: number): Walked {
    const topic = this.#walked(id, '', offset, 0, at)
    if (this.#holes.length === 0) this.#damage('frames', at, 0, `topic ${id} is not declared before its first message`)
    const { row } = topic
    if (row === undefined) return topic
    topic.name = row.name
    if (row.firstOffset < offset) topic.first = row.firstOffset
    topic.next = topic.first
    return topic
  }

  #walked(id: number, name: string, next: number, readable: number, at: number): Walked {
    const firstAt = this.#task.base + at
    const row = this.#rows.get(id)
    const begin = { first: next, legibleFirst: next, next, readable, firstAt, goesOnAt: next, lastAt: 0 }
    return { id, name, isDeclared: false, legibleName: undefined, ...begin, row, ...nothingSeen }
  }

  /** What the index says beyond the frames: of damage, what it took; of a whole segment, that the index is wrong. */
  #checkIndex(): void {
    const { rows, footer } = this.#sealed ?? { rows: [], footer: undefined }
    if (footer === undefined) return
    const isWhole = this.#report.ranges.length === 0
    let matched = 0
    for (const row of rows) {
      const rowEnd = row.firstOffset + row.count
      let topic = this.#topics.get(row.topic)
      if (topic === undefined && !isWhole) {
        topic = this.#walked(row.topic, row.name, row.firstOffset, row.readable, footer.dataEnd)
        this.#topics.set(row.topic, topic)
      }
      if (topic !== undefined && !isWhole) {
        topic.readable = Math.max(topic.readable, row.readable)
        topic.goesOnAt = Math.max(topic.next, rowEnd)
        if (rowEnd > topic.next)
          this.#holeOf(row, topic.next)?.push({ topic: nameOf(topic), from: topic.next, to: rowEnd })
      }
      const isRight =
        topic !== undefined &&
        topic.name === row.name &&
        topic.first === row.firstOffset &&
        topic.readable === row.readable &&
        ((topic.next === rowEnd && topic.frameBytes === row.frameBytes) || !isWhole)
      if (!isRight) this.#wrongEntry ??= { topic: row.name, offset: row.firstOffset, at: footer.directoryAt }
      matched += topic?.matched ?? 0
    }
    for (const topic of this.#topics.values()) {
      if (topic.row === undefined)
        this.#wrongEntry ??= { topic: nameOf(topic), offset: topic.first, at: footer.directoryAt }
    }
    let used = 0
    for (let word = 0; word < this.#entries.length; word += entryWord.perEntry) {
      if (this.#entries[word + entryWord.batch] !== 0) used += 1
    }
    const isEndRight = !isWhole || footer.dataEnd === this.#report.end
    const areTimesRight =
      !isWhole || (footer.firstTime === this.#report.firstTime && footer.lastTime === this.#report.lastTime)
    if (this.#report.damages.some(({ kind }) => kind === 'index')) return
    if (this.#wrongEntry !== undefined) {
      const { topic, offset, at } = this.#wrongEntry
      this.#damage(
        'index',
        at,
        entryBytes,
        `the index disagrees with the messages, first at offset ${offset} of topic ${topic}`,
      )
    } else if ((isWhole && used !== matched) || !isEndRight || !areTimesRight) {
      this.#damage('index', footer.entriesAt, used * entryBytes, 'the index disagrees with the messages')
    }
  }

  /** The hole that took the record whose index entry this is. */
  #holeOf(row: DirectoryRow, offset: number): LostOffsets[] | undefined {
    const index = (row.entriesAt - (this.#sealed?.footer.entriesAt ?? 0)) / entryBytes + offset - row.firstOffset
    const batch = this.#entries[index * entryWord.perEntry + entryWord.batch]
    return (this.#holes.find(({ from, to }) => from <= batch && batch < to) ?? this.#holes.at(-1))?.lost
  }

  /** Bytes behind the data that should be zeros. They never pass for data, as every batch carries its own position. */
  #checkRemains(window: SalvageWindow): void {
    const { segmentBytes, end, isLive } = this.#task
    const report = this.#report
    if ((end !== undefined && isLive) || report.isTailLost) return
    if (report.damages.some(({ kind }) => kind === 'index')) return
    // A half-written index stands behind the data of a segment that has no footer yet.
    const to = this.#sealed?.footer.entriesAt ?? segmentBytes - (end === undefined ? footerBytes : 0)
    const found = nonZeroSpan(window, report.end, to)
    if (found === undefined) return
    if (end === undefined) {
      const what =
        this.#sealed === undefined
          ? 'bytes of an index that was not finished: harmless, it is written again'
          : 'bytes where there should be none: harmless, they are never read'
      this.#remark('remains', found.from, found.to - found.from, what)
    } else this.#remark('torn', found.from, found.to - found.from, 'bytes behind the end: the next owner cuts them off')
  }

  /** Unreadable blocks that no other damage accounts for. */
  #noteUnreadable(window: SalvageWindow): void {
    const { base } = this.#task
    for (const { from, to, code } of window.unreadable) {
      if (code === 'EOF') continue
      const inside = this.#report.damages.find(
        ({ kind, position, bytes }) => kind !== 'missing' && position < base + to && base + from < position + bytes,
      )
      if (inside !== undefined)
        inside.what += ` (${code}: the device does not give ${to - from} bytes at ${base + from})`
      else this.#damage('unreadable', from, to - from, `the device does not give these bytes (${code})`)
    }
  }

  #damage(kind: DamageKind, at: number, bytes: number, what: string): Damage | undefined {
    const { damages } = this.#report
    const same = this.#counts.get(kind) ?? 0
    this.#counts.set(kind, same + 1)
    if (same >= maxDamagesOfKind) return undefined
    const { base, file } = this.#task
    const damage = { kind, file, position: base + at, bytes, what, lost: [] }
    damages.push(damage)
    return damage
  }

  #remark(kind: Remark['kind'], at: number, bytes: number, what: string): Remark {
    const { base, file } = this.#task
    const remark = { kind, file, position: base + at, bytes, what, lost: [] }
    this.#report.remarks.push(remark)
    return remark
  }
}

function nameOf({ id, name }: Pick<TopicInSegment, 'id' | 'name'>): string {
  return name === '' ? numbered(id) : name
}

/** What a segment calls a topic that neither its batches nor its index name. */
export function numbered(id: number): string {
  return `number ${id}`
}

/** True if key and headers stay inside the frame. */
function isWholeRecord(words: Uint32Array, frame: number, length: number, tail: number): boolean {
  if ((flagsOf(tail) & frameFlag.extended) === 0) return true
  if (length < frameExtensionBytes) return false
  const extension = (frame + frameHeaderBytes) >>> 2
  const keyBytes = words[extension] === noKey ? 0 : words[extension]
  return frameExtensionBytes + keyBytes + words[extension + 1] <= length
}

/** From the first to behind the last byte of `[from, to)` that is not zero. */
export function nonZeroSpan(window: SalvageWindow, from: number, to: number): { from: number; to: number } | undefined {
  let first = -1
  let last = -1
  for (let at = from; at < to; at += stepBytes) {
    const bytes = Buffer.from(window.read(at, Math.min(stepBytes, to - at)).buffer)
    if (bytes.equals(zeros.subarray(0, bytes.length))) continue
    if (first < 0) first = at + bytes.findIndex((byte) => byte !== 0)
    last = at + bytes.findLastIndex((byte) => byte !== 0)
  }
  return first < 0 ? undefined : { from: first, to: last + 1 }
}

const zeros = Buffer.alloc(stepBytes)
