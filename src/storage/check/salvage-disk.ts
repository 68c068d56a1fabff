/**
 * A disk to look at a log with: what cannot be read comes as zeros, so that a bad block is damage like any other and
 * no reason to give up. Nothing can be changed through it.
 */
import { errno, failedCall } from '../../memory/errno.js'
import type { Memory, Window } from '../../memory/memory.js'
import { readEachRange } from '../../memory/window-bounds.js'
import type { Disk, DiskFile } from '../files/disk.js'
import { SalvageWindow } from '../files/salvage-window.js'

export class SalvageDisk implements Disk {
  readonly #disk: Disk

  constructor(disk: Disk) {
    this.#disk = disk
  }

  list(directory: string, isOwn?: boolean): string[] {
    return this.#disk.list(directory, isOwn)
  }

  open(path: string): DiskFile | undefined {
    const file = this.#disk.open(path, 'read')
    if (file === undefined) return undefined
    const window = new SalvageWindow(file)
    return {
      descriptor: file.descriptor,
      read: (at, length) => window.read(at, length),
      size: () => file.size(),
      writtenEnd: () => file.writtenEnd(),
      close: () => file.close(),
      write: refuse,
      resize: refuse,
      sync: refuse,
      syncLater: refuse,
    }
  }

  identityAt(path: string): string | undefined {
    return this.#disk.identityAt(path)
  }

  makeDirectory = refuse
  create = refuse
  rename = refuse
  removeDirectory = refuse
  remove = refuse
  syncDirectory = refuse
}

/** Windows on the files of a disk, for code that walks segments through windows. */
export class DiskMemory implements Memory {
  readonly kind = 'file'
  readonly #disk: Disk

  constructor(disk: Disk) {
    this.#disk = disk
  }

  open(path: string, byteLength: number): Window {
    const file = this.#disk.open(path, 'read')
    if (file === undefined) throw failedCall('open', errno.ENOENT, path)
    const read = (at: number, length: number) => {
      const bytes = file.read(at, length)
      if (bytes.length < length) throw failedCall('read', errno.EFAULT, `${path} ends at ${at + bytes.length}`)
      return bytes
    }
    const readInto = (target: Uint8Array, targetAt: number, at: number, length: number) => {
      target.set(read(at, length), targetAt)
    }
    return {
      byteLength,
      address: 0,
      bytes: new Uint8Array(0),
      expect() {},
      read,
      readInto,
      lend: () => undefined,
      readRanges: (target, ranges, count) => readEachRange({ readInto }, target, ranges, count),
      close: () => file.close(),
      place: refuse,
      commit: refuse,
      write: refuse,
    }
  }
}

function refuse(): never {
  throw new TypeError('a log that is only looked at is not changed')
}
