/**
 * Chunks of what is wanted alone: under a filter, or of offsets that are named. Where a side index, or the names themselves, tell which records
 * may be wanted, these are looked up; otherwise what there is is looked through.
 */
import type { Filter } from '../../engine/terms.js'
import { chunkBytes } from '../../limits.js'
import { OffsetSet } from '../../messages/offset-set.js'
import type { RecordSelection } from '../../messages/selection.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import { joinPieces } from '../../storage/read/chunk-thinning.js'
import type { RecordLookup } from '../../storage/read/record-lookup.js'
import type { TopicReader } from '../../storage/read/topic-reader.js'
import type { Candidates } from '../../storage/side/side-indexes.js'
import type { ChunkAnswer, ChunkTask, TopicRef } from './reader.js'
import { readSelected, type SelectionSource, type ToldRecords } from './selective-reading.js'

export interface SelectiveChunksParts {
  readonly reader: Pick<TopicReader, 'readBorrowed' | 'candidates' | 'named' | 'placeOf'>
  readonly lookup: Pick<RecordLookup, 'findFirst'>
  readonly cells: Pick<TopicCells, 'firstOf'>
  /** As all reading is done: errors name the topic, and a trim is told from damage. */
  guarded<R>(topic: TopicRef, offset: number, read: () => R): R
  /** One record by itself; undefined: it was trimmed. @throws what reading it fails with */
  one(topic: TopicRef, offset: number): Uint8Array | undefined
}

export class SelectiveChunks {
  readonly #parts: SelectiveChunksParts

  constructor(parts: SelectiveChunksParts) {
    this.#parts = parts
  }

  /** @throws `BOOKEND_CORRUPT` if the record at the task's offset cannot be read */
  chunk(task: ChunkTask, selection: RecordSelection): ChunkAnswer {
    const { topic, offset, to, resume, count = 1, filter } = task
    const { reader, guarded } = this.#parts
    const source: SelectionSource = {
      read: (from, place) =>
        guarded(topic, from, () => reader.readBorrowed({ topic: topic.id, offset: from, to, resume: place })),
      told: (from) =>
        selection instanceof OffsetSet
          ? this.#named(topic, from, to, selection)
          : filter && this.told(topic, from, to, filter),
    }
    return readSelected(source, topic.id, { offset, to, resume, count }, selection)
  }

  /** What may match, by a side index. @throws `BOOKEND_CORRUPT` if it is the record at `offset`, and cannot be read */
  told(topic: TopicRef, offset: number, to: number, filter: Filter): ToldRecords | undefined {
    return this.#candidates(topic, offset, () => this.#parts.reader.candidates(topic.id, offset, to, filter))
  }

  /** The same of what is named. */
  #named(topic: TopicRef, offset: number, to: number, named: OffsetSet): ToldRecords | undefined {
    return this.#candidates(topic, offset, () => this.#parts.reader.named(topic.id, offset, to, named))
  }

  #candidates(topic: TopicRef, offset: number, find: () => Candidates | undefined): ToldRecords | undefined {
    const { reader, lookup, cells, guarded } = this.#parts
    // What was trimmed is none of what may be skipped: whoever reads there is told.
    if (offset < cells.firstOf(topic.id)) return undefined
    const candidates = guarded(topic, offset, find)
    if (candidates === undefined) return undefined
    const { offsets } = candidates
    let { bytes, starts, looked: count } = lookup.findFirst(topic.id, offsets, chunkBytes)
    if (starts.subarray(0, count).some((start) => start < 0)) {
      const pieces = this.#oneByOne(topic, offsets.slice(0, count), offset)
      bytes = joinPieces(pieces)
      count = pieces.length
      // The one at `offset` was trimmed meanwhile.
      if (count === 0 && offsets[0] === offset) return undefined
    }
    const next = count < offsets.length ? offsets[count] : candidates.to
    const behind = count === 0 ? offset : offsets[count - 1] + 1
    return { bytes, to: behind, next, resume: reader.placeOf(topic.id, next) }
  }

  /** Up to one that cannot be read. @throws what reading the one at `first` fails with */
  #oneByOne(topic: TopicRef, offsets: readonly number[], first: number): Uint8Array[] {
    const pieces: Uint8Array[] = []
    for (const offset of offsets) {
      try {
        const piece = this.#parts.one(topic, offset)
        if (piece === undefined) break
        pieces.push(piece)
      } catch (error) {
        if (offset === first) throw error
        break
      }
    }
    return pieces
  }
}
