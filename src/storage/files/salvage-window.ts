/**
 * A segment file as far as it can be read: what cannot be read comes as zeros, and is remembered.
 *
 * Zeros are never a valid batch, so a bad block or the missing end of a file turns into bytes that fail their checksum,
 * and those who walk the segment go on behind it.
 */
import { isUnreadable } from '../../memory/errno.js'
import type { Window } from '../../memory/memory.js'
import type { DiskFile } from './disk.js'

/** What a device loses at a time. */
const blockBytes = 4096

/** A file, or a window on one. */
type Source = Pick<DiskFile, 'read'> | Pick<Window, 'read' | 'readInto'>

export class SalvageWindow {
  /** Ranges that the device did not give, in the order they were met; `code` says why, `EOF`: the file ends before. */
  readonly unreadable: { from: number; to: number; code: string }[] = []
  readonly #source: Source

  constructor(source: Source) {
    this.#source = source
  }

  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length)
    this.readInto(bytes, 0, at, length)
    return bytes
  }

  readInto(target: Uint8Array, targetAt: number, at: number, length: number): void {
    try {
      this.#take(target, targetAt, at, length)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      for (let from = at; from < at + length; ) {
        const to = Math.min(at + length, from - (from % blockBytes) + blockBytes)
        this.#takeBlock(target, targetAt + from - at, from, to)
        from = to
      }
    }
  }

  #takeBlock(target: Uint8Array, targetAt: number, from: number, to: number): void {
    try {
      this.#take(target, targetAt, from, to - from)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      target.fill(0, targetAt, targetAt + to - from)
      this.#note(from, to, (error as NodeJS.ErrnoException).code ?? 'EIO')
    }
  }

  #take(target: Uint8Array, targetAt: number, at: number, length: number): void {
    if ('readInto' in this.#source) {
      this.#source.readInto(target, targetAt, at, length)
      return
    }
    const bytes = this.#source.read(at, length)
    target.set(bytes, targetAt)
    if (bytes.length === length) return
    target.fill(0, targetAt + bytes.length, targetAt + length)
    this.#note(at + bytes.length, at + length, 'EOF')
  }

  #note(from: number, to: number, code: string): void {
    const known = this.unreadable.find((range) => range.code === code && range.from <= to && from <= range.to)
    if (known === undefined) this.unreadable.push({ from, to, code })
    else {
      known.from = Math.min(known.from, from)
      known.to = Math.max(known.to, to)
    }
  }
}
