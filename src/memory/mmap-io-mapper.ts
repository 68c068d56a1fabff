import { detachBuffer } from './detach-buffer.js'
import { failedCall } from './errno.js'
import { type Libc, mapShared, protRead, protWrite } from './libc.js'
import { MappedWindow, type Mapping } from './mapped-window.js'
import type { Memory, SystemCalls, Window } from './memory.js'
import type { MmapIo } from './mmap-io-package.js'
import { createPageCalls, type PageCalls } from './page-calls.js'
import { withWindowFile } from './window-file.js'

/**
 * Maps through mmap-io. The addresses belong to the finalizer of its Buffer, which unmaps them at a time of the
 * collector's choosing: unmapping here would free a range that may be a stranger's when the finalizer runs. So
 * `close` retires the range, which gives the file back at once, and leaves the empty addresses to the finalizer.
 */
export class MmapIoMapper implements Memory {
  readonly kind = 'mmap-io'
  readonly #mmapIo: MmapIo
  readonly #libc: Libc
  readonly #calls: SystemCalls
  readonly #pages: PageCalls

  constructor(mmapIo: MmapIo, libc: Libc, calls: SystemCalls) {
    this.#mmapIo = mmapIo
    this.#libc = libc
    this.#calls = calls
    this.#pages = createPageCalls(libc)
  }

  open(path: string, byteLength: number, access: 'read' | 'write'): Window {
    const mapping = withWindowFile(path, byteLength, access, (descriptor) =>
      this.#map(path, descriptor, byteLength, access),
    )
    return new MappedWindow(path, byteLength, mapping, access, this.#pages)
  }

  #map(path: string, descriptor: number, byteLength: number, access: 'read' | 'write'): Mapping {
    const calls = this.#calls
    const protection = access === 'write' ? protRead | protWrite : protRead
    const buffer = this.#mapBuffer(path, byteLength, protection, descriptor)
    const address = this.#libc.addressOf(buffer)
    return {
      // Not the Buffer itself: its `slice` would hand out views where a Uint8Array's hands out copies.
      bytes: new Uint8Array(buffer.buffer, buffer.byteOffset, byteLength),
      address,
      release() {
        calls.retire(address, byteLength)
        // After retiring: detaching lets the finalizer run, and then the addresses are no longer ours.
        detachBuffer(buffer.buffer)
      },
    }
  }

  #mapBuffer(path: string, byteLength: number, protection: number, descriptor: number): Buffer<ArrayBuffer> {
    try {
      return this.#mmapIo.map(byteLength, protection, mapShared, descriptor)
    } catch (error) {
      // A plain Error("mmap failed, 12"): the number in the text is all there is.
      const number = error instanceof Error ? /^mmap failed, (\d+)$/.exec(error.message)?.[1] : undefined
      throw number === undefined ? error : failedCall('mmap', Number(number), path)
    }
  }
}
