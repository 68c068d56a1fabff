import { detachBuffer } from './detach-buffer.js'
import { failedCall } from './errno.js'
import { LentRange } from './lent-range.js'
import { type Libc, mapShared, protRead, protWrite } from './libc.js'
import { MappedWindow, type Mapping } from './mapped-window.js'
import type { Memory, SystemCalls, Window } from './memory.js'
import { createPageCalls, type PageCalls } from './page-calls.js'
import { withWindowFile } from './window-file.js'

const noBytes = new Uint8Array(0)

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
    return new MappedWindow(path, byteLength, mapping, access, this.#pages)
  }

  #map(path: string, descriptor: number, byteLength: number, access: 'read' | 'write'): Mapping {
    const libc = this.#libc
    const protection = access === 'write' ? protRead | protWrite : protRead
    const address = libc.map(0, byteLength, protection, mapShared, descriptor)
    if (address < 0) throw failedCall('mmap', -address, path)
    // Only who stores has an array over it all.
    let bytes = noBytes
    try {
      if (access === 'write') bytes = new Uint8Array(libc.viewOf(address, byteLength))
    } catch (error) {
      libc.unmap(address, byteLength)
      throw error
    }
    const lending = new LentRange(address, byteLength, libc, this.#calls, () => {
      const failure = libc.unmap(address, byteLength)
      if (failure !== 0) throw failedCall('munmap', failure, path)
    })
    return {
      address,
      bytes,
      lend: (at, length) => lending.lend(at, length),
      release() {
        if (bytes !== noBytes) detachBuffer(bytes.buffer)
        lending.close()
      },
    }
  }
}
