/** The walk through a segment, batch by batch and frame by frame, and on behind what is no batch. */
import { type BatchHeader, batchFlag, batchHeaderBytes, mixedTopics } from '../../format/batch-layout.js'
import {
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
} from '../../format/frame-layout.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import type { SalvageWindow } from '../files/salvage-window.js'
import { findNextBatch, scanBatches } from '../index/batch-scan.js'
import type { SegmentFindings } from './segment-findings.js'
import type { Piece } from './stored-index.js'
import type { SegmentTask } from './verify-report.js'
import type { WalkedTopics } from './walked-topics.js'

const stepBytes = 1 << 20

export class BatchWalk {
  readonly #task: SegmentTask
  readonly #findings: SegmentFindings
  readonly #topics: WalkedTopics
  #isSealed = false

  constructor(task: SegmentTask, findings: SegmentFindings, topics: WalkedTopics) {
    this.#task = task
    this.#findings = findings
    this.#topics = topics
  }

  /** @param sealedEnd where the data ends by the footer of the segment */
  run(window: SalvageWindow, sealedEnd: number | undefined): void {
    const { base, segmentBytes, end } = this.#task
    const limit = end ?? segmentBytes
    let at = segmentHeaderBytes
    let want = stepBytes
    while (at < limit && !this.#isSealed) {
      const bytes = window.read(at, Math.min(want, limit - at))
      const piece = { bytes, words: new Uint32Array(bytes.buffer), start: at }
      const result = scanBatches(bytes, base + at, limit - at, (header, from) => this.#addBatch(piece, header, from))
      at += result.end
      this.#findings.report.end = at
      want = result.stop === 'partial' ? Math.max(result.needed, stepBytes) : stepBytes
      if (result.stop !== 'bad') continue
      const next = findNextBatch((from, length) => window.read(from, length), base, at + 8, limit)
      if (next < 0) break
      this.#findings.noBatch(at, next, 'no valid batch stands here')
      at = next
    }
    if (!this.#isSealed && at < limit) this.#loseTail(at, end ?? sealedEnd ?? segmentBytes)
  }

  #loseTail(at: number, dataEnd: number): void {
    const findings = this.#findings
    const { report } = findings
    const { end } = this.#task
    report.isTailLost = true
    if (end === undefined && dataEnd - at === batchHeaderBytes) {
      report.ranges.push({ from: at, to: dataEnd, time: report.lastTime })
      findings.damage('seal', at, batchHeaderBytes, 'the batch that ends the segment fails its checksum')
      return
    }
    const what =
      end === undefined ? 'no valid batch from here to the end of the segment' : 'no valid batch from here to the end'
    findings.noBatch(at, dataEnd, what)
  }

  #addBatch(piece: Piece, header: BatchHeader, from: number): void {
    const { report } = this.#findings
    const at = piece.start + from
    const isOlder = header.time < report.lastTime
    if (isOlder && !this.#mayBeMoved(header))
      this.#findings.damage('frames', at, header.bytes, 'its time is before that of the batch before')
    if (report.batches === 0) report.firstTime = header.time
    report.lastTime = Math.max(report.lastTime, header.time)
    report.lastEpoch = Math.max(report.lastEpoch, header.epoch)
    report.batches += 1
    if ((header.flags & batchFlag.seal) !== 0) this.#isSealed = true
    if ((header.flags & batchFlag.expiring) !== 0) report.expires = true
    if ((header.flags & batchFlag.gap) !== 0) {
      this.#findings.gap(at, at + header.bytes)
      this.#addDeclarations(piece, header, from)
    } else this.#addFrames(piece, header, from)
    const topic = this.#topics.get(header.topic)
    if (topic !== undefined) topic.movedTime = isOlder ? header.time : undefined
  }

  /** Records that were moved forward keep their time. They are one topic's, and its first in the segment, behind what a gap may declare. */
  #mayBeMoved({ topic: id, time }: BatchHeader): boolean {
    if (id === mixedTopics) return false
    const topic = this.#topics.get(id)
    return topic === undefined || topic.frameBytes === 0 || (topic.movedTime !== undefined && time >= topic.movedTime)
  }

  #addFrames(piece: Piece, header: BatchHeader, from: number): void {
    const { words } = piece
    const at = piece.start + from
    const end = from + header.bytes
    const note = (what: string) => this.#findings.damage('frames', at, header.bytes, what)
    let records = 0
    let frame = from + batchHeaderBytes
    while (frame < end) {
      const word = frame >>> 2
      const length = words[word + frameWord.length]
      const size = frameBytes(Math.min(length, header.bytes))
      if (frame + frameHeaderBytes > end || length > header.bytes || frame + size > end) {
        note('a frame leaves its batch')
        return
      }
      const tail = words[word + frameWord.tail]
      if (kindOf(tail) === frameKind.declare && length >= declareFixedBytes) {
        this.#topics.addDeclaration(piece, frame, at)
      } else if (kindOf(tail) === frameKind.data) {
        if (header.topic !== words[word + frameWord.topic] && header.topic !== mixedTopics) {
          note('a frame belongs to another topic than its batch says')
        }
        if (!isWholeRecord(words, frame, length, tail)) note('the key or the headers of a message leave its frame')
        records += 1
        this.#topics.addRecord(piece, frame, at)
      } else this.#findings.unknownFrame(at, header.bytes, kindOf(tail))
      frame += size
    }
    if (records !== header.count) note(`the batch has ${records} messages, its header says ${header.count}`)
    this.#findings.report.records += records
  }

  /** What a repair states at the start of a gap: topics whose declaration was lost there, and where they stood. */
  #addDeclarations(piece: Piece, header: BatchHeader, from: number): void {
    const { words } = piece
    const end = from + header.bytes
    // Long gaps are several batches and one hole, which took whatever is missing around the declaration.
    const hole = this.#findings.holes.at(-1)
    for (let frame = from + batchHeaderBytes; frame + frameHeaderBytes <= end; ) {
      const word = frame >>> 2
      const length = words[word + frameWord.length]
      const isDeclaration = kindOf(words[word + frameWord.tail]) === frameKind.declare && length >= declareFixedBytes
      if (!isDeclaration || length > end - frame - frameHeaderBytes) return
      this.#topics.addDeclaration(piece, frame, hole?.from ?? from, hole?.to)
      frame += frameBytes(length)
    }
  }
}

/** True if key and headers stay inside the frame. */
function isWholeRecord(words: Uint32Array, frame: number, length: number, tail: number): boolean {
  if ((flagsOf(tail) & frameFlag.extended) === 0) return true
  if (length < frameExtensionBytes) return false
  const extension = (frame + frameHeaderBytes) >>> 2
  const keyBytes = words[extension] === noKey ? 0 : words[extension]
  return frameExtensionBytes + keyBytes + words[extension + 1] <= length
}
