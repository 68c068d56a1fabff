import fs from 'node:fs'
import { readUpTo, writeAll, writeParts } from './descriptor-bytes.js'
import { asSystemCall, errno, failedCall } from './errno.js'
import type { Memory, Window } from './memory.js'
import { checkBounds, readEachRange } from './window-bounds.js'
import { openWindowFile } from './window-file.js'

/** The portable baseline: nothing is mapped, every access is a `pread` or a `pwrite`. */
export class FileMemory implements Memory {
  readonly kind = 'file'

  open(path: string, byteLength: number, access: 'read' | 'write'): Window {
    return new FileWindow(openWindowFile(path, byteLength, access), byteLength, access)
  }
}

/**
 * A window that owns a descriptor. `place` hands out a staging buffer that holds what was last put there, not what the
 * file has: the caller overwrites every byte of the range it placed before it commits.
 */
class FileWindow implements Window {
  readonly byteLength: number
  readonly address = 0
  bytes = new Uint8Array(0)
  readonly #isWritable: boolean
  #descriptor: number | undefined
  #placedAt = 0
  #placedLength = 0

  constructor(descriptor: number, byteLength: number, access: 'read' | 'write') {
    this.#descriptor = descriptor
    this.byteLength = byteLength
    this.#isWritable = access === 'write'
  }

  /** The kernel sees by itself what a descriptor is read like. */
  expect(): void {}

  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    checkBounds(at, length, this.byteLength)
    const copy = new Uint8Array(length)
    this.readInto(copy, 0, at, length)
    return copy
  }

  readInto(target: Uint8Array, targetAt: number, at: number, length: number): void {
    const descriptor = this.#open(at, length)
    const place = target.subarray(targetAt, targetAt + length)
    // `subarray` cuts off what does not fit, where `set` on the mapped side throws.
    if (place.byteLength < length) throw new RangeError(`${length} bytes do not fit at ${targetAt} of the target`)
    const count = readUpTo(descriptor, place, at)
    // The same answer a mapping gives when its file was truncated.
    if (count < length) throw failedCall('read', errno.EFAULT, `the file ends at ${at + count}`)
  }

  readRanges(target: Uint8Array, ranges: Uint32Array, count: number): void {
    readEachRange(this, target, ranges, count)
  }

  lend(at: number, length: number): undefined {
    this.#open(at, length)
  }

  place(at: number, length: number): number {
    this.#open(at, length)
    if (!this.#isWritable) throw new TypeError('the window was opened for reading')
    // Doubling, so that batches of slowly growing size do not allocate each time.
    if (length > this.bytes.byteLength) this.bytes = new Uint8Array(Math.max(length, this.bytes.byteLength * 2))
    this.#placedAt = at
    this.#placedLength = length
    return 0
  }

  commit(at: number, length: number): void {
    const descriptor = this.#open(at, length)
    const from = at - this.#placedAt
    if (from < 0 || from + length > this.#placedLength) {
      throw new RangeError(`[${at}, ${at + length}) is not in the range that was placed last`)
    }
    writeAll(descriptor, this.bytes.subarray(from, from + length), at)
  }

  write(at: number, parts: readonly Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.byteLength, 0)
    const descriptor = this.#open(at, length)
    if (!this.#isWritable) throw new TypeError('the window was opened for reading')
    writeParts(descriptor, parts, at)
  }

  close(): void {
    const descriptor = this.#descriptor
    if (descriptor === undefined) return
    // Forgotten first: after a failed close the number may already be somebody else's.
    this.#descriptor = undefined
    this.bytes = new Uint8Array(0)
    asSystemCall('', () => fs.closeSync(descriptor))
  }

  #open(at: number, length: number): number {
    checkBounds(at, length, this.#descriptor === undefined ? 0 : this.byteLength)
    return this.#descriptor as number
  }
}
