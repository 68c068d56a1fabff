/**
 * Packing a sealed segment: the same bytes at the same positions, in blocks that are packed (see format/packed-layout.ts), in a file that
 * takes its name. In steps, with turns of the event loop between them.
 *
 * What is packed is compared with what was there before the new file may take the name.
 */
import { segmentFeature } from '../../format/features.js'
import {
  decodeSegmentHeader,
  encodeFooter,
  encodeSegmentHeader,
  footerBytes,
  segmentHeaderBytes,
} from '../../format/segment-layout.js'
import { maxPackedShare } from '../../limits.js'
import type { Window } from '../../memory/memory.js'
import { Successor } from '../files/successor.js'
import { readSealedSegment, type SealedSegment } from '../index/sealed-index.js'
import { BlockWriter, NoRoom } from '../packed/block-writer.js'
import type { BlockCodecName } from '../packed/codecs.js'
import { unpackedWindow } from '../packed/unpacked.js'
import { type RewriteTools, UnfitSegment } from './segment-rewrite.js'

/** Packed, or compared, in one step: some hundred microseconds. */
const stepBytes = 64 << 10
/** After so much one knows what packing is worth. */
const sampleBytes = 1 << 20

export interface PackedSize {
  /** Of batches and index entries, as they were. */
  bytes: number
  /** Of what they take now, with the tables. */
  packedBytes: number
}

export class SegmentPacking {
  readonly segment: number
  readonly #tools: RewriteTools
  readonly #codec: BlockCodecName
  readonly #blockLog2: number | undefined
  readonly #successor: Successor

  /**
   * @param blockLog2 of the bytes of a block; undefined: as usual
   * @throws the error of the call that failed: nothing is left behind then
   */
  constructor(tools: RewriteTools, segment: number, codec: BlockCodecName, blockLog2?: number) {
    this.segment = segment
    this.#tools = tools
    this.#codec = codec
    this.#blockLog2 = blockLog2
    this.#successor = new Successor(tools.disk, tools.files, segment)
  }

  /**
   * Writes the new file, and flushes it.
   * @param turn between two steps: rejects where it is not to go on
   * @throws UnfitSegment where it cannot be done, or is not worth it; whatever is thrown, {@link discard} is due
   */
  async write(turn: () => Promise<unknown>): Promise<PackedSize> {
    const { files, plainMemory } = this.#tools
    const window = plainMemory.open(files.path(this.segment), files.segmentBytes, 'read')
    try {
      const size = await this.#pack(window, turn)
      await this.#successor.flushLater()
      return size
    } catch (error) {
      throw error instanceof NoRoom ? new UnfitSegment(error.message) : error
    } finally {
      window.close()
    }
  }

  /** From here on the new file is the segment; behind {@link write}, and behind the feature word of the log. Its side index stays: it says the same. */
  takeName(): void {
    this.#successor.takeName('sameRecords')
  }

  discard(): void {
    this.#successor.discard()
  }

  async #pack(window: Window, turn: () => Promise<unknown>): Promise<PackedSize> {
    const { files } = this.#tools
    const { segmentBytes } = files
    const base = files.base(this.segment)
    const header = decodeSegmentHeader(window.read(0, segmentHeaderBytes))
    const sealed = readSealedSegment((at, length) => window.read(at, length), base, segmentBytes)
    if (header === undefined || sealed === undefined) throw new UnfitSegment('it has no header or footer')
    if (header.packing !== undefined) throw new UnfitSegment('it is packed')
    const { footer } = sealed
    const { directoryAt } = footer
    const { file } = this.#successor
    file.resize(segmentBytes)
    const writer = new BlockWriter(file, base, segmentBytes, this.#codec, this.#blockLog2)
    let bytes = 0
    for (const { at, length } of pieces(sealed)) {
      writer.write(at, window.read(at, length))
      bytes += length
      if (bytes >= sampleBytes) checkShare(writer.packedBytes, bytes)
      await turn()
    }
    const packing = writer.finish(directoryAt)
    checkShare(writer.packedBytes, bytes)
    const features = header.features | segmentFeature.packed
    file.write(0, encodeSegmentHeader({ ...header, features, generation: header.generation + 1, packing }))
    file.write(directoryAt, window.read(directoryAt, segmentBytes - footerBytes - directoryAt))
    file.write(segmentBytes - footerBytes, encodeFooter({ ...footer, tableAt: packing.tableAt }))
    await this.#compare(window, sealed, turn)
    return { bytes, packedBytes: writer.packedBytes }
  }

  /** As whoever opens the file will read it. */
  async #compare(window: Window, sealed: SealedSegment, turn: () => Promise<unknown>): Promise<void> {
    const { files, plainMemory } = this.#tools
    const { segmentBytes } = files
    const base = files.base(this.segment)
    const packed = unpackedWindow(plainMemory.open(this.#successor.path, segmentBytes, 'read'), base)
    try {
      for (const { at, length } of pieces(sealed)) {
        const isSame = Buffer.compare(packed.read(at, length), window.read(at, length)) === 0
        if (!isSame) throw new UnfitSegment(`it does not come back as it was at ${at}`)
        await turn()
      }
    } finally {
      packed.close()
    }
  }
}

function checkShare(packedBytes: number, bytes: number): void {
  if (packedBytes > bytes * maxPackedShare) throw new UnfitSegment('packed it is no shorter')
}

/** What of a segment is packed: its batches and its index entries; each piece in one block. */
function* pieces({ footer }: SealedSegment): Generator<{ at: number; length: number }> {
  for (const { from, to } of [
    { from: segmentHeaderBytes, to: footer.dataEnd },
    { from: footer.entriesAt, to: footer.directoryAt },
  ]) {
    for (let at = from; at < to; ) {
      const length = Math.min(to, at - (at % stepBytes) + stepBytes) - at
      yield { at, length }
      at += length
    }
  }
}
