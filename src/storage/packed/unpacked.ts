/** Segments as they are read, packed or not: at every position stands what stood there when it was written. */
import { errno, failedCall } from '../../memory/errno.js'
import type { ReadPattern, Window } from '../../memory/memory.js'
import { checkBounds, readEachRange } from '../../memory/window-bounds.js'
import { LostBlocks, PackedBlocks, type RawBytes } from './packed-blocks.js'
import { tableOf } from './packed-table.js'
import { UnpackedCache } from './unpacked-cache.js'

/** Whoever reads a segment from its one end to the other needs no more. */
const blocksInOrder = 2

/** What was written into a segment, to be read; or its file as it is, as `Disk` opens it. */
export interface SegmentFile extends RawBytes {
  read(at: number, length: number): Uint8Array<ArrayBuffer>
  size(): number
  writtenEnd(): number
  close(): void
}

/** @param file of a segment, which is closed with what is returned */
export function unpackedFile(file: SegmentFile, base: number, segmentBytes: number): SegmentFile {
  const blocks = blocksOf(file, base, segmentBytes, new UnpackedCache(blocksInOrder))
  if (blocks === undefined) return file
  return {
    read(at, length) {
      const bytes = new Uint8Array(length)
      const read = blocks.readInto(bytes, 0, at, length)
      return read === length ? bytes : bytes.slice(0, read)
    },
    size: () => file.size(),
    writtenEnd: () => file.writtenEnd(),
    close: () => file.close(),
  }
}

/**
 * @param window on a segment; closed with what is returned
 * @param cache of this thread
 */
export function unpackedWindow(window: Window, base: number, cache = new UnpackedCache(blocksInOrder)): Window {
  const blocks = blocksOf(borrowed(window), base, window.byteLength, cache)
  return blocks === undefined ? window : new UnpackedWindow(window, blocks)
}

/** What was read last of any window of this thread: new memory for each packed block would be a tenth of what it takes to unpack it. */
let lastRead = new Uint8Array(0)

function borrowed(window: Window): RawBytes {
  return {
    read(at, length) {
      if (lastRead.length < length) lastRead = new Uint8Array(length)
      const bytes = lastRead.subarray(0, length)
      window.readInto(bytes, 0, at, length)
      return bytes
    },
  }
}

/** A packed segment that was mapped: nobody would retire the mapping, as the window has no address. */
export function isOverMapping(window: Window): boolean {
  return window instanceof UnpackedWindow && window.isOverMapping
}

/** Nothing of it is where it seems to be, so nothing of it is lent, and nothing is written. */
class UnpackedWindow implements Window {
  readonly byteLength: number
  readonly address = 0
  readonly bytes = new Uint8Array(0)
  readonly #window: Window
  readonly #blocks: PackedBlocks | LostBlocks
  #isClosed = false

  constructor(window: Window, blocks: PackedBlocks | LostBlocks) {
    this.byteLength = window.byteLength
    this.#window = window
    this.#blocks = blocks
  }

  get isOverMapping(): boolean {
    return this.#window.address !== 0
  }

  expect(pattern: ReadPattern): void {
    this.#window.expect(pattern)
  }

  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length)
    this.readInto(bytes, 0, at, length)
    return bytes
  }

  readInto(target: Uint8Array, targetAt: number, at: number, length: number): void {
    checkBounds(at, length, this.#isClosed ? 0 : this.byteLength)
    if (targetAt + length > target.length)
      throw new RangeError(`${length} bytes do not fit at ${targetAt} of the target`)
    const read = this.#blocks.readInto(target, targetAt, at, length)
    if (read < length) throw failedCall('read', errno.EFAULT, `the file ends at ${at + read}`)
  }

  readRanges(target: Uint8Array, ranges: Uint32Array, count: number): void {
    readEachRange(this, target, ranges, count)
  }

  lend(at: number, length: number): undefined {
    checkBounds(at, length, this.#isClosed ? 0 : this.byteLength)
  }

  place(): never {
    throw new TypeError('the window was opened for reading')
  }

  commit(): never {
    throw new TypeError('the window was opened for reading')
  }

  write(): never {
    throw new TypeError('the window was opened for reading')
  }

  close(): void {
    this.#isClosed = true
    this.#blocks.close()
    this.#window.close()
  }
}

/** Undefined: the segment is not packed. */
function blocksOf(
  raw: RawBytes,
  base: number,
  segmentBytes: number,
  cache: UnpackedCache,
): PackedBlocks | LostBlocks | undefined {
  const found = tableOf(raw, base, segmentBytes)
  if (found === undefined) return undefined
  const { table, directoryAt } = found
  return table === undefined ? new LostBlocks(raw, base, directoryAt) : new PackedBlocks(raw, table, cache)
}
