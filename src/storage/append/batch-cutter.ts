/**
 * Batches are cut from runs of frames: as many frames as a batch and the segment take, walked once, with the offset of each record
 * stamped in place. A topic that the active segment does not declare yet is declared in front of them.
 */
import { batchFlag, batchHeaderBytes, mixedTopics } from '../../format/batch-layout.js'
import {
  conditionFlags,
  declaredName,
  frameBytes,
  frameExtensionBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
  tailWord,
} from '../../format/frame-layout.js'
import { highWord, joinWords, lowWord } from '../../format/numbers.js'
import { directoryRowBytes, entryBytes } from '../../format/segment-layout.js'
import { alignmentBytes, maxBatchBytes } from '../../limits.js'
import { type BatchRow, maxRowLength, repeatFull, repeatOnce, topicMark } from '../rows/rows.js'
import type { Declaration, TopicTable } from './topic-table.js'

// Copies of this module's own: the compiler folds them in the loops below, imported objects it would look up each time.
const { length: lengthWord, topic: topicWord, offsetLow: offsetLowWord, tail: tailWordAt } = frameWord
const { data: dataKind, declare: declareKind } = frameKind
const { continues: continuesFlag } = frameFlag

const noTopic = -1
/** What is judged first, or goes as a whole. */
const apartBits = (continuesFlag | conditionFlags) << 24
const extendedBit = frameFlag.extended << 24
const expiresBit = frameFlag.expires << 24

/** A topic and a length for each frame, the shortest there are. */
const maxRowWords = (2 * maxBatchBytes) / frameHeaderBytes

/** A run of frames in memory that the tail may stamp. */
export interface FrameRun {
  bytes: Uint8Array
  words: Uint32Array
}

/** One batch, cut from a run: its frames are `[from, to)`, and stand behind the declarations. */
export interface Batch {
  from: number
  to: number
  /** With header and declarations. */
  bytes: number
  records: number
  recordBytes: number
  topic: number
  flags: number
  /** Good until the next batch is cut. */
  declares: readonly Declaration[]
  /** The same. None: whoever indexes the batch has to read it. */
  row?: BatchRow | undefined
  /** Of records that were moved forward; others get the time of this moment. */
  time?: number
}

export class BatchCutter {
  readonly #topics: TopicTable
  readonly #declares: Declaration[] = []
  readonly #row: BatchRow = { words: new Uint32Array(maxRowWords), count: 0 }

  constructor(topics: TopicTable) {
    this.#topics = topics
  }

  /** Stamps the frames of one batch, as many from `from` on as it and `room` take. */
  cut(run: FrameRun, from: number, to: number, isGroup: boolean, room: number): Batch | undefined {
    const { words } = run
    const topics = this.#topics
    let at = from
    let spent = batchHeaderBytes
    let records = 0
    let recordBytes = 0
    let topic = noTopic
    let last = noTopic
    let declaredBytes = 0
    let tailFlags = 0
    const { words: row } = this.#row
    let rowWords = 0
    let allTails = 0
    let runLength = -1
    let hasDeclaration = false
    // The offset of the next record of `last`, in two words, and how many it has had since that was looked up.
    let offsetLow = 0
    let offsetHigh = 0
    let taken = 0
    const declares = this.#declares
    declares.length = 0

    while (at < to) {
      const word = at >>> 2
      const length = words[word + lengthWord]
      const size = frameBytes(length)
      const tail = words[word + tailWordAt]
      const kind = kindOf(tail)
      if (kind !== dataKind && kind !== declareKind) break
      if (!isGroup && (tail & apartBits) !== 0) break
      if (spent > batchHeaderBytes && spent + size > maxBatchBytes) break
      const id = words[word + topicWord]
      let cost = size
      if (kind === dataKind) {
        cost += entryBytes
        if (id !== last && !topics.isHere(id)) {
          const declaration = topics.declarationBytes(id)
          const directoryRow = topics.rowBytes(id)
          if (spent + cost + declaration + directoryRow > room) break
          // The declaration states where the topic stands before this batch, so it is noted before the first stamp.
          declares.push({ id, next: topics.next(id) })
          topics.noteReplaced(id)
          topics.declare(id)
          declaredBytes += declaration
          spent += declaration + directoryRow
        }
      } else {
        topics.makeRoom(id)
        cost += topics.isHere(id) ? 0 : directoryRowBytes + length + alignmentBytes
      }
      if (spent + cost > room) break
      spent += cost

      if (kind === dataKind) {
        if (id !== last) {
          if (last !== noTopic) topics.takeOffsets(last, taken)
          const next = topics.next(id)
          offsetLow = lowWord(next) | 0
          offsetHigh = highWord(next)
          taken = 0
          row[rowWords++] = id | topicMark
          runLength = -1
          topic = topic === noTopic || topic === id ? id : mixedTopics
          last = id
          topics.touch(id)
        }
        words[word + offsetLowWord] = offsetLow
        words[word + tailWordAt] = (offsetHigh & 0xffff) | (tail & 0xffff0000)
        taken += 1
        offsetLow = (offsetLow + 1) | 0
        if (offsetLow === 0) offsetHigh += 1
        records += 1
        recordBytes += (tail & extendedBit) === 0 ? length : length - frameExtensionBytes
        allTails |= tail
        if (length === runLength && row[rowWords - 1] < repeatFull) row[rowWords - 1] += repeatOnce
        else {
          row[rowWords++] = length
          runLength = length
        }
      } else {
        hasDeclaration = true
        // It states where its topic stands.
        if (last !== noTopic) topics.takeOffsets(last, taken)
        last = noTopic
        this.#takeDeclaration(run, at, id)
      }
      tailFlags = tail >>> 24
      at += size
    }
    if (last !== noTopic) topics.takeOffsets(last, taken)
    if (at === from) return undefined
    const bytes = batchHeaderBytes + declaredBytes + (at - from)
    const expiring = (allTails & expiresBit) === 0 ? 0 : batchFlag.expiring
    const flags = (tailFlags & continuesFlag) === 0 ? expiring : expiring | batchFlag.continues
    if (topic === noTopic) topic = mixedTopics
    this.#row.count = rowWords
    // What names a topic is read where it stands; of keys the index has sums, and these are not made on the way of an append.
    const needsReading =
      hasDeclaration || runLength > maxRowLength || declares.length > 0 || (allTails & extendedBit) !== 0
    return {
      from,
      to: at,
      bytes,
      records,
      recordBytes,
      topic,
      flags,
      declares,
      row: needsReading ? undefined : this.#row,
    }
  }

  /** Takes the offsets of frames that could not be written back. */
  unstamp(run: FrameRun, from: number, to: number): void {
    for (let at = from; at < to; at += frameBytes(run.words[(at >>> 2) + lengthWord])) {
      const word = at >>> 2
      if (kindOf(run.words[word + tailWordAt]) === dataKind) this.#topics.giveOffsetBack(run.words[word + topicWord])
    }
  }

  /** Takes a topic's name from its declaration, and writes nothing: whatever is written of the topic first declares it. */
  learn(run: FrameRun, at: number): void {
    const id = run.words[(at >>> 2) + topicWord]
    if (this.#topics.knows(id)) return
    this.#topics.learn(id, declaredName(run.bytes, at + frameHeaderBytes, run.words[(at >>> 2) + lengthWord]))
  }

  /** A declaration that came through the ring, in front of a new topic's first message, or for the sake of a register's number. */
  #takeDeclaration(run: FrameRun, at: number, id: number): void {
    const topics = this.#topics
    const word = at >>> 2
    const payload = (at + frameHeaderBytes) >>> 2
    this.learn(run, at)
    const stated = joinWords(run.words[payload], run.words[payload + 1])
    const first = topics.isRegister(id) ? stated : topics.raisedFirst(id, stated)
    topics.noteReplaced(id)
    topics.setFirst(id, first)
    run.words[payload] = lowWord(first)
    run.words[payload + 1] = highWord(first)
    const next = topics.next(id)
    const tail = run.words[word + tailWordAt]
    run.words[word + offsetLowWord] = lowWord(next)
    run.words[word + tailWordAt] = tailWord(highWord(next), declareKind, tail >>> 24)
    topics.declare(id)
    topics.touch(id)
  }
}
