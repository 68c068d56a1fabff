/** How much more can be appended: what the active segment has room for, beyond its seal and its index, and what has blocks under it. */
import { groupCost, indexBytes, segmentHeaderBytes, segmentRoom } from '../../format/segment-layout.js'
import { gatherBytes } from '../../limits.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { BatchWriter } from './batch-writer.js'
import type { TailFile } from './tail-file.js'
import type { TopicTable } from './topic-table.js'

/** More than one append takes, so that a tail with enough in front of it does not look. */
const bytesToLook = 2 * gatherBytes

export class TailRoom {
  readonly #files: SegmentFiles
  readonly #file: TailFile
  readonly #topics: TopicTable
  readonly #writer: BatchWriter

  constructor(files: SegmentFiles, file: TailFile, topics: TopicTable, writer: BatchWriter) {
    this.#files = files
    this.#file = file
    this.#topics = topics
    this.#writer = writer
  }

  /** Bytes that can be appended now. How far blocks go is looked at when there seem to be too few for `wanted`. */
  bytes(wanted = bytesToLook): number {
    const { relative } = this.#writer
    const isNearEnd = segmentRoom(this.#file.blocks, relative, 0) < wanted
    if (isNearEnd && this.#file.blocks < this.#files.segmentBytes) this.#file.lookForBlocks()
    return Math.min(this.#inSegment(), segmentRoom(this.#file.blocks, relative, 0))
  }

  takes(bytes: number): boolean {
    return bytes <= this.bytes(bytes)
  }

  /**
   * How far blocks have to go before so much can be appended, and a trim behind it: into the next segment (then it is rolled)
   * where the active one has no room, whatever is allocated.
   */
  blocksFor(bytes: number, records: number, topics = 1): number {
    const { position, segment } = this.#writer
    const cost = groupCost(bytes, records, topics)
    const from = cost <= this.#inSegment() ? position : this.#files.base(segment + 1) + segmentHeaderBytes
    // All that segmentRoom keeps free.
    return from + cost - segmentRoom(0, 0, 0)
  }

  #inSegment(): number {
    const { relative, records } = this.#writer
    const index = indexBytes(records, this.#topics.here, this.#topics.nameBytes)
    return segmentRoom(this.#files.segmentBytes, relative, index)
  }
}
