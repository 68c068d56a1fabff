/** Files of the simulated disk of which a test says what is in memory. */
import type { NowFile, NowFiles, Target } from '../../src/memory/read-now.js'
import type { SimulatedDisk } from './simulated-disk.js'

export class SimulatedNowFiles implements NowFiles {
  isSupported = true
  /** Whether a read is refused, as if a page of it were not in memory. */
  isCold: () => boolean = () => false
  /** Files that are open. */
  openCount = 0
  readonly #disk: SimulatedDisk

  constructor(disk: SimulatedDisk) {
    this.#disk = disk
  }

  target(byteLength: number): Target {
    const buffer = new ArrayBuffer(byteLength)
    return { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer), address: 0 }
  }

  async open(path: string, byteLength: number): Promise<NowFile | undefined> {
    if (!this.#disk.has(path)) return undefined
    // As an open descriptor: the file, whatever becomes of its name.
    const inode = this.#disk.inode(path)
    if (inode.content.length < byteLength) return undefined
    this.openCount += 1
    let isOpen = true
    return {
      read: (target, targetAt, at, length) => {
        if (!isOpen || this.isCold() || at + length > inode.content.length) return false
        if (targetAt + length > target.bytes.length) throw new RangeError('beyond the target')
        target.bytes.set(inode.content.subarray(at, at + length), targetAt)
        return true
      },
      fetch: async (at, length) => {
        if (at + length > inode.content.length) return undefined
        return inode.content.slice(at, at + length)
      },
      hasName: async () => this.#disk.has(path) && this.#disk.inode(path) === inode,
      close: async () => {
        if (isOpen) this.openCount -= 1
        isOpen = false
      },
    }
  }
}
