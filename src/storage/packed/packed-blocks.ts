/** The bytes of a packed segment as they were before it was packed. */
import { crc32 } from 'node:zlib'
import { BookendError } from '../../errors.js'
import { blockEnd, blockStart, type PackedTable, tableRow } from '../../format/packed-layout.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { badBlockCode, errno, isUnreadable } from '../../memory/errno.js'
import { codecFault, codecOf } from './codecs.js'
import type { UnpackedCache } from './unpacked-cache.js'

/** The file as it is. What the file does not have any more may be left off, and the next call may overwrite what is returned. */
export interface RawBytes {
  read(at: number, length: number): Uint8Array
}

/** A block of a segment that fails its checksum, or both tables that say where blocks are: see {@link badBlockCode}. */
export class BadBlock extends Error {
  readonly code = badBlockCode
  /** To those who ask what a device has answered. */
  readonly errno = errno.EIO
}

let opened = 0

export class PackedBlocks {
  /** For the cache: no other object has it. */
  readonly id: number
  readonly #raw: RawBytes
  readonly #table: PackedTable
  readonly #cache: UnpackedCache

  /**
   * @throws `BOOKEND_FORMAT` where the segment is packed in a way that is not known here
   */
  constructor(raw: RawBytes, table: PackedTable, cache: UnpackedCache) {
    const fault = codecFault(table.codec)
    if (fault !== undefined) throw new BookendError('BOOKEND_FORMAT', `segment ${table.base} ${fault}`)
    this.id = opened++
    this.#raw = raw
    this.#table = table
    this.#cache = cache
  }

  /**
   * Fills as much of `[at, at + length)` as the file has.
   * @returns how much that is
   * @throws BadBlock
   */
  readInto(target: Uint8Array, targetAt: number, at: number, length: number): number {
    const { end, blockLog2 } = this.#table
    let done = 0
    while (done < length) {
      const from = at + done
      if (from < segmentHeaderBytes || from >= end) {
        const want = from < segmentHeaderBytes ? Math.min(length - done, segmentHeaderBytes - from) : length - done
        const bytes = this.#raw.read(from, want)
        target.set(bytes, targetAt + done)
        done += bytes.length
        if (bytes.length < want) return done
        continue
      }
      const block = Math.floor(from / 2 ** blockLog2)
      const skip = from - blockStart(block, this.#table)
      const blockBytes = this.#bytesOf(block)
      const count = Math.min(length - done, blockBytes - skip)
      const place = target.subarray(targetAt + done, targetAt + done + count)
      // Whoever takes all of it does not come for the rest.
      if (count === blockBytes && !this.#cache.has(this, block)) this.#unpack(block, place)
      else place.set(this.#block(block).subarray(skip, skip + count))
      done += count
    }
    return done
  }

  #bytesOf(block: number): number {
    return blockEnd(block, this.#table) - blockStart(block, this.#table)
  }

  /** Until the next one is asked for. */
  #block(block: number): Uint8Array {
    const kept = this.#cache.get(this, block)
    if (kept !== undefined) return kept
    const bytes = this.#cache.room(this.#bytesOf(block))
    this.#unpack(block, bytes)
    this.#cache.keep(this, block, bytes)
    return bytes
  }

  /** Gives back what is kept of it. */
  close(): void {
    this.#cache.drop(this)
  }

  /**
   * @param target as long as the block; anything stands in it behind an error
   * @throws BadBlock
   */
  #unpack(block: number, target: Uint8Array): void {
    const { rows, codec } = this.#table
    const row = block * tableRow.words
    const stored = rows[row + tableRow.bytes]
    if (stored === 0) {
      target.fill(0)
      return
    }
    const at = rows[row + tableRow.at]
    const packed = this.#raw.read(at, stored)
    // Before anybody unpacks it: a block that was not packed here is nothing that may be looked at.
    if (packed.length < stored || crc32(packed) !== rows[row + tableRow.crc]) throw this.#bad(block, at, stored)
    if (stored === target.length) target.set(packed)
    else if (!codecOf(codec).unpack(packed, target)) throw this.#bad(block, at, stored)
  }

  #bad(block: number, at: number, stored: number): BadBlock {
    const what = `packed block ${block} of segment ${this.#table.base} fails its checksum`
    return new BadBlock(`${what} (${stored} bytes at ${at} of the file)`)
  }
}

/** Nothing of a segment's blocks: where both tables are damaged. */
export class LostBlocks {
  readonly #raw: RawBytes
  readonly #base: number
  readonly #end: number

  /** @param end where its directory begins, as far as that is known */
  constructor(raw: RawBytes, base: number, end: number) {
    this.#raw = raw
    this.#base = base
    this.#end = end
  }

  readInto(target: Uint8Array, targetAt: number, at: number, length: number): number {
    if (at + length > segmentHeaderBytes && at < this.#end)
      throw new BadBlock(`both tables of the blocks of segment ${this.#base} fail their checksums`)
    const bytes = this.#raw.read(at, length)
    target.set(bytes, targetAt)
    return bytes.length
  }

  close(): void {}
}

/** What {@link RawBytes.read} gives of it, or nothing where the device does not give it. */
export function readable(raw: RawBytes, at: number, length: number): Uint8Array {
  try {
    return raw.read(at, length)
  } catch (error) {
    if (isUnreadable(error)) return new Uint8Array(0)
    throw error
  }
}
