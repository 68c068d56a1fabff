/**
 * Writes the blocks of a packed segment: takes its bytes in order, as they stand where nothing is packed, and puts them into blocks.
 *
 * What is written so is a segment when its header, directory and footer are there as well, which are not this one's to write.
 */
import { crc32 } from 'node:zlib'
import { assert } from '../../errors.js'
import {
  blockCount,
  blockEnd,
  blockStart,
  encodeTable,
  frontTableAt,
  type PackedTable,
  packedCodec,
  tableBytes,
  tableRow,
  usualBlockLog2,
} from '../../format/packed-layout.js'
import { type Packing, segmentHeaderBytes } from '../../format/segment-layout.js'
import { alignUp } from '../../limits.js'
import { type BlockCodecName, codecOf } from './codecs.js'
import { PackedBlocks } from './packed-blocks.js'
import { UnpackedCache } from './unpacked-cache.js'

interface Sink {
  read(at: number, length: number): Uint8Array
  write(at: number, bytes: Uint8Array): void
}

/** What is packed takes more room than there is: it would be longer than before. */
export class NoRoom extends Error {}

export class BlockWriter {
  readonly #file: Sink
  readonly #base: number
  readonly #codec: number
  /** Room for the rows of a whole segment. */
  readonly #rows: Uint32Array<ArrayBuffer>
  readonly #segmentBytes: number
  readonly #blockLog2: number
  readonly #block: Uint8Array<ArrayBuffer>
  /** Of the one that is being filled. */
  #number = 0
  /** Everything before is in blocks, or in the one that is being filled. */
  #end = segmentHeaderBytes
  /** Where the next block goes. */
  #at: number
  #packing: Packing | undefined

  /**
   * @param file an empty one of the full size of a segment
   * @param blockLog2 of the bytes of a block
   */
  constructor(file: Sink, base: number, segmentBytes: number, codec: BlockCodecName, blockLog2 = usualBlockLog2) {
    this.#file = file
    this.#base = base
    this.#segmentBytes = segmentBytes
    this.#codec = packedCodec[codec]
    this.#blockLog2 = blockLog2
    this.#block = new Uint8Array(2 ** blockLog2)
    const blocks = blockCount(segmentBytes, blockLog2)
    this.#rows = new Uint32Array(blocks * tableRow.words)
    this.#at = alignUp(frontTableAt + tableBytes(blocks))
  }

  /** Everything before, of the segment as it was, was written. */
  get end(): number {
    return this.#end
  }

  /** Undefined: it is not finished. */
  get packing(): Packing | undefined {
    return this.#packing
  }

  /** What the blocks and the tables take in the file, as far as they are written. */
  get packedBytes(): number {
    return this.#at
  }

  /**
   * The bytes at `at`, behind everything that was written before; what is between is zeros.
   * @throws NoRoom
   */
  write(at: number, bytes: Uint8Array): void {
    assert(at >= this.#end, 'a packed segment is written in order')
    this.#skipTo(at)
    for (let done = 0; done < bytes.length; ) {
      const room = blockEnd(this.#number, this.#unbounded) - this.#end
      const piece = bytes.subarray(done, done + room)
      this.#block.set(piece, this.#end - blockStart(this.#number, this.#unbounded))
      this.#end += piece.length
      done += piece.length
      if (piece.length === room) this.#put()
    }
  }

  /** What was written, for who looks at it before the file says where it is: zeros behind the end. */
  written() {
    const readInto = (target: Uint8Array, targetAt: number, at: number, length: number) => {
      const read = this.readInto(target, targetAt, at, length)
      target.fill(0, targetAt + read, targetAt + length)
    }
    return {
      readInto,
      read(at: number, length: number) {
        const bytes = new Uint8Array(length)
        readInto(bytes, 0, at, length)
        return bytes
      },
      close() {},
    }
  }

  /** @returns how many of the bytes were written */
  readInto(target: Uint8Array, targetAt: number, at: number, length: number): number {
    const start = blockStart(this.#number, this.#unbounded)
    const inBlocks = Math.max(0, Math.min(length, start - at))
    if (inBlocks > 0) {
      const table = { ...this.#unbounded, end: start, rows: this.#rows }
      new PackedBlocks(this.#file, table, new UnpackedCache(1)).readInto(target, targetAt, at, inBlocks)
    }
    const left = Math.max(0, Math.min(length - inBlocks, this.#end - (at + inBlocks)))
    const from = at + inBlocks - start
    target.set(this.#block.subarray(from, from + left), targetAt + inBlocks)
    return inBlocks + left
  }

  /**
   * Nothing comes any more before `end`, where the directory begins: writes the tables.
   * @throws NoRoom
   */
  finish(end: number): Packing {
    assert(end >= this.#end, 'nothing of a packed segment stands behind its end')
    this.#skipTo(end)
    if (this.#end > blockStart(this.#number, this.#unbounded)) this.#put()
    const rows = this.#rows.subarray(0, blockCount(end, this.#blockLog2) * tableRow.words)
    const table: PackedTable = { ...this.#unbounded, end, rows }
    const bytes = encodeTable(table)
    const tableAt = alignUp(this.#at)
    if (tableAt + bytes.length > end) throw new NoRoom('packed it would be longer')
    this.#file.write(frontTableAt, bytes)
    this.#file.write(tableAt, bytes)
    this.#at = tableAt + bytes.length
    this.#packing = { codec: this.#codec, blockLog2: this.#blockLog2, tableAt }
    return this.#packing
  }

  get #unbounded() {
    return { base: this.#base, codec: this.#codec, blockLog2: this.#blockLog2, end: this.#segmentBytes }
  }

  #skipTo(at: number): void {
    while (this.#end < at) {
      const start = blockStart(this.#number, this.#unbounded)
      const to = Math.min(at, blockEnd(this.#number, this.#unbounded))
      this.#block.fill(0, this.#end - start, to - start)
      this.#end = to
      if (to === blockEnd(this.#number, this.#unbounded)) this.#put()
    }
  }

  #put(): void {
    const block = this.#block.subarray(0, this.#end - blockStart(this.#number, this.#unbounded))
    if (block.some((byte) => byte !== 0)) {
      const packed = codecOf(this.#codec).pack(block)
      const bytes = packed.length < block.length ? packed : block
      if (this.#at + bytes.length > this.#segmentBytes) throw new NoRoom('packed it would be longer')
      this.#file.write(this.#at, bytes)
      const row = this.#number * tableRow.words
      this.#rows[row + tableRow.at] = this.#at
      this.#rows[row + tableRow.bytes] = bytes.length
      this.#rows[row + tableRow.crc] = crc32(bytes)
      this.#at += bytes.length
    }
    this.#number += 1
  }
}
