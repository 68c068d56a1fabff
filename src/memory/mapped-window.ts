import fs from 'node:fs'
import { writeParts } from './descriptor-bytes.js'
import { asSystemCall } from './errno.js'
import type { Lent, ReadPattern, Window } from './memory.js'
import type { PageCalls } from './page-calls.js'
import { checkBounds, checkRanges, readEachRange } from './window-bounds.js'
import { openWindowFile } from './window-file.js'

const noBytes = new Uint8Array(0)

/** What a mapper made: where the bytes of a whole file lie, and how they are given back. */
export interface Mapping {
  readonly address: number
  /** For stores; of a mapping that is only read perhaps nothing. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Where memory can be lent at all. */
  lend?(at: number, length: number): Lent | undefined
  release(): void
}

/** A window on a mapping. Who made the mapping matters only when it is given back. */
export class MappedWindow implements Window {
  readonly byteLength: number
  /** 0 after `close`, so that a late `retire` is refused instead of hitting a stranger's mapping. */
  address: number
  bytes: Uint8Array<ArrayBuffer>
  readonly #isWritable: boolean
  readonly #pages: PageCalls
  #isReadAhead = true
  #mapping: Mapping | undefined
  readonly #path: string
  /** Opened by the first {@link write}: most windows only map. */
  #descriptor: number | undefined

  constructor(path: string, byteLength: number, mapping: Mapping, access: 'read' | 'write', pages: PageCalls) {
    this.#path = path
    this.byteLength = byteLength
    this.address = mapping.address
    this.bytes = mapping.bytes
    this.#isWritable = access === 'write'
    this.#pages = pages
    this.#mapping = mapping
  }

  expect(pattern: ReadPattern): void {
    const isReadAhead = pattern === 'inOrder'
    if (isReadAhead === this.#isReadAhead || this.address === 0) return
    this.#isReadAhead = isReadAhead
    this.#pages.readAhead(this.address, this.byteLength, isReadAhead)
  }

  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    this.#check(at, length)
    const copy = new Uint8Array(length)
    this.readInto(copy, 0, at, length)
    return copy
  }

  readInto(target: Uint8Array, targetAt: number, at: number, length: number): void {
    this.#check(at, length)
    // Before the first load: after it a truncated file or a bad block would be a SIGBUS.
    this.#pages.faultIn(this.address + at, length, !this.#isReadAhead)
    this.#pages.copyOut(target, targetAt, this.address + at, length)
  }

  readRanges(target: Uint8Array, ranges: Uint32Array, count: number): void {
    // Before the kernel is told to write into our memory by address.
    checkRanges(ranges, count, this.#openLength, target.byteLength)
    if (!this.#pages.gather(this.address, target, ranges, count)) readEachRange(this, target, ranges, count)
  }

  lend(at: number, length: number): Lent | undefined {
    this.#check(at, length)
    if (this.#mapping?.lend === undefined) return undefined
    this.#pages.faultIn(this.address + at, length, !this.#isReadAhead)
    return this.#mapping.lend(at, length)
  }

  place(at: number, _length: number): number {
    // A store into a read-only mapping is a signal, not an exception.
    if (!this.#isWritable) throw new TypeError('the window was opened for reading')
    return at
  }

  commit(): void {}

  write(at: number, parts: readonly Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.byteLength, 0)
    this.#check(at, length)
    if (!this.#isWritable) throw new TypeError('the window was opened for reading')
    this.#descriptor ??= openWindowFile(this.#path, this.byteLength, 'write')
    writeParts(this.#descriptor, parts, at)
  }

  close(): void {
    const descriptor = this.#descriptor
    this.#descriptor = undefined
    if (descriptor !== undefined) asSystemCall(this.#path, () => fs.closeSync(descriptor))
    const mapping = this.#mapping
    if (mapping === undefined) return
    // First forget, then release: nothing of this object may lead to addresses that are no longer ours.
    this.#mapping = undefined
    this.bytes = noBytes
    this.address = 0
    mapping.release()
  }

  get #openLength(): number {
    return this.address === 0 ? 0 : this.byteLength
  }

  #check(at: number, length: number): void {
    checkBounds(at, length, this.#openLength)
  }
}
