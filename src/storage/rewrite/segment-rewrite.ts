/**
 * Writing a sealed segment anew without what nobody needs of it. In steps, with turns of the event loop between them; nothing of it is
 * seen until the new file takes the name.
 *
 * Only what is whole is written anew: a segment with a footer, all of whose batches are valid. Before the new file may take the name it
 * is walked like any other, and has to hold what was kept, no more and no less.
 */
import { assert } from '../../errors.js'
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  type SegmentHeader,
  segmentHeaderBytes,
} from '../../format/segment-layout.js'
import type { Memory, Window } from '../../memory/memory.js'
import type { Disk } from '../files/disk.js'
import type { SegmentFiles } from '../files/segment-files.js'
import { Successor } from '../files/successor.js'
import { LiveIndex } from '../index/live-index.js'
import { sealedBatches } from '../index/sealed-batches.js'
import { readSealedSegment, type SealedSegment } from '../index/sealed-index.js'
import { writeSegmentIndex } from '../index/segment-sealer.js'
import { BlockWriter, NoRoom } from '../packed/block-writer.js'
import { codecName } from '../packed/codecs.js'
import { type Kept, KeptBatches } from './kept-batches.js'

/** Bytes of the new file that are walked in one step. */
const stepBytes = 2 << 20

export interface RewriteTools {
  disk: Disk
  files: SegmentFiles
  /** Opens windows without mapping. */
  plainMemory: Memory
}

/** The segment is not as a segment should be: it stays as it is. */
export class UnfitSegment extends Error {}

export class SegmentRewrite {
  readonly segment: number
  readonly #tools: RewriteTools
  readonly #kept: Kept
  readonly #successor: Successor
  #sealed: SealedSegment | undefined
  /** Of a segment that is packed: what takes its place is packed as well. */
  #blocks: BlockWriter | undefined

  /**
   * @throws the error of the call that failed: nothing is left behind then
   */
  constructor(tools: RewriteTools, segment: number, kept: Kept) {
    this.segment = segment
    this.#tools = tools
    this.#kept = kept
    this.#successor = new Successor(tools.disk, tools.files, segment)
  }

  /**
   * Writes the new file, and flushes it.
   * @param turn between two steps: rejects where it is not to go on
   * @throws UnfitSegment where it cannot be done; whatever is thrown, {@link discard} is due
   */
  async write(turn: () => Promise<unknown>): Promise<void> {
    const { files, plainMemory } = this.#tools
    const window = files.openWindow(plainMemory, this.segment)
    try {
      const records = await this.#copy(window, turn)
      await this.#index(records, turn)
      const { generation, ...header } = decodeHeader(window)
      // Of a packed one it says where the blocks are.
      const packing = this.#blocks?.packing
      this.#successor.file.write(0, encodeSegmentHeader({ ...header, generation: generation + 1, packing }))
    } catch (error) {
      throw error instanceof NoRoom ? new UnfitSegment(error.message) : error
    } finally {
      window.close()
    }
    await this.#successor.flushLater()
  }

  /** From here on the new file is the segment; behind {@link write}. */
  takeName(): void {
    this.#successor.takeName()
  }

  discard(): void {
    this.#successor.discard()
  }

  /** @returns how many records were kept */
  async #copy(window: Window, turn: () => Promise<unknown>): Promise<number> {
    const { files } = this.#tools
    const { segmentBytes } = files
    const base = files.base(this.segment)
    const { packing } = decodeHeader(window)
    this.#sealed = readSealedSegment((at, length) => window.read(at, length), base, segmentBytes)
    if (this.#sealed === undefined) throw new UnfitSegment('it has no footer')
    const { file } = this.#successor
    file.resize(segmentBytes)
    const codec = packing && codecName(packing.codec)
    this.#blocks = codec && new BlockWriter(file, base, segmentBytes, codec)
    const target = this.#blocks ?? file
    const { dataEnd } = this.#sealed.footer
    const batches = new KeptBatches(base, this.#kept, (at, bytes) => target.write(at, bytes))
    const walk = sealedBatches(window, base, dataEnd, batches.add.bind(batches))
    let step = walk.next()
    for (; step.done !== true; step = walk.next()) await turn()
    const { end, at } = step.value
    if (end !== 'seal') throw new UnfitSegment(end === 'unsealed' ? 'it has no seal' : `its batch at ${at} is damaged`)
    if (batches.met !== this.#sealed.footer.records) throw new UnfitSegment('some of its records are lost')
    return batches.kept
  }

  async #index(records: number, turn: () => Promise<unknown>): Promise<void> {
    const { files, plainMemory } = this.#tools
    const { segmentBytes } = files
    const base = files.base(this.segment)
    const index = new LiveIndex(base, segmentBytes)
    const window = this.#blocks?.written() ?? plainMemory.open(this.#successor.path, segmentBytes, 'read')
    try {
      while (!index.isSealed && index.damages.length === 0 && index.end < segmentBytes) {
        index.catchUp(window, segmentBytes, true, { stepBytes })
        await turn()
      }
    } finally {
      window.close()
    }
    if (!index.addsUp) throw new UnfitSegment('its records do not add up')
    assert(index.isSealed && index.damages.length === 0, 'a segment that is written anew is whole')
    assert(index.entryCount === records, 'a segment that is written anew holds the records that were kept')
    this.#checkTopics(index)
    writeSegmentIndex(this.#successor.file, base, segmentBytes, index, this.#blocks)
  }

  /** Every topic goes as far as it went, and begins where it is said to. */
  #checkTopics({ topics }: LiveIndex): void {
    for (const { topic, firstOffset, count } of this.#sealed?.rows ?? []) {
      const entries = topics.get(topic)
      const first = Math.max(firstOffset, this.#kept.from.get(topic)?.offset ?? 0)
      const end = Math.max(firstOffset + count, first)
      const isSame = entries !== undefined && entries.firstOffset === first && first + entries.count === end
      assert(isSame, 'a topic keeps its place in a segment that is written anew')
    }
  }
}

function decodeHeader(window: Window): SegmentHeader {
  const header = decodeSegmentHeader(window.read(0, segmentHeaderBytes))
  if (header === undefined) throw new UnfitSegment('it has no header')
  return header
}
