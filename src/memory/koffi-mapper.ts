import { detachBuffer } from './detach-buffer.js'
import { failedCall } from './errno.js'
import { LentRange } from './lent-range.js'
import { type Libc, mapShared, protRead, protWrite } from './libc.js'
import { MappedWindow, type Mapping } from './mapped-window.js'
import type { Memory, SystemCalls, Window } from './memory.js'
import { createPageCalls, type PageCalls } from './page-calls.js'
import { withWindowFile } from './window-file.js'

/** Maps through koffi. Its views have no finalizer, so `close` unmaps, at once and for good; what was lent, see {@link LentRange}. */
export class KoffiMapper implements Memory {
  readonly kind = 'koffi'
  readonly #libc: Libc
  readonly #calls: SystemCalls
  readonly #pages: PageCalls

  constructor(libc: Libc, calls: SystemCalls) {
    this.#libc = libc
    this.#calls = calls
    this.#pages = createPageCalls(libc)
  }

  open(path: string, byteLength: number, access: 'read' | 'write'): Window {
    const mapping = withWindowFile(path, byteLength, access, (descriptor) =>
      this.#map(path, descriptor, byteLength, access),
    )
    return new MappedWindow(path, mapping, access, this.#pages)
  }

  #map(path: string, descriptor: number, byteLength: number, access: 'read' | 'write'): Mapping {
    const libc = this.#libc
    const protection = access === 'write' ? protRead | protWrite : protRead
    const address = libc.map(0, byteLength, protection, mapShared, descriptor)
    if (address < 0) throw failedCall('mmap', -address, path)
    let buffer: ArrayBuffer
    try {
      buffer = libc.viewOf(address, byteLength)
    } catch (error) {
      libc.unmap(address, byteLength)
      throw error
    }
    const lending = new LentRange(address, byteLength, libc, this.#calls, () => {
      const failure = libc.unmap(address, byteLength)
      if (failure !== 0) throw failedCall('munmap', failure, path)
    })
    return {
      bytes: new Uint8Array(buffer),
      address,
      lend: (at, length) => lending.lend(at, length),
      release() {
        detachBuffer(buffer)
        lending.close()
      },
    }
  }
}
