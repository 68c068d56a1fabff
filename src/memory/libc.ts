import { createRequire } from 'node:module'
import type * as Koffi from 'koffi'
import { type AddressRange, koffiBlocks } from './koffi-blocks.js'

export const protRead = 1
export const protWrite = 2
export const mapShared = 1
export const mapPrivate = 2
export const mapFixed = 0x10
export const mapAnonymous = 0x20
export const mapNoReserve = 0x4000
export const adviceNormal = 0
export const adviceRandom = 1
export const adviceWillNeed = 3
export const advicePopulateRead = 22
export const advicePopulateWrite = 23

export const seekData = 3
export const seekHole = 4

const syncWait = 4
const lockExclusiveNonBlocking = 2 | 4
const duplicateCloseOnExec = 1030

/**
 * The C library's functions, one to one. All but `map` answer 0 or the error number; nothing here throws.
 * One per thread, since koffi keeps `errno` per thread.
 */
export interface Libc {
  /** The kernel's page size: alignment goes by it, and it is 16 or 64 KiB on some arm64 kernels. */
  readonly kernelPageBytes: number
  /** The address of the mapping, or the negative error number. Offset 0 always: one file per mapping. */
  map(address: number, byteLength: number, protection: number, flags: number, descriptor: number): number
  unmap(address: number, byteLength: number): number
  advise(address: number, byteLength: number, advice: number): number
  /** Runs on libuv's pool: the thread's event loop has to turn for the answer to arrive. */
  sync(address: number, byteLength: number): Promise<number>
  resident(address: number, byteLength: number, pages: Uint8Array): number
  /**
   * Copies between ranges of this process's own memory: bytes copied, or the negative error number. Undefined where the C library has
   * no such call.
   * @param targets address of `count` vectors (`struct iovec`), whose lengths are those of `sources`
   */
  readRanges: ((targets: number, sources: number, count: number) => number) | undefined
  /**
   * Reads what the page cache holds of `[at, at + length)` of a file, and nothing that would have to be waited for: bytes read, fewer than
   * asked for where only the beginning is in memory, or the negative error number (`EAGAIN`: nothing is). Undefined where the C library has
   * no such call; the kernel or the file system may still lack it (`EOPNOTSUPP`, `ENOSYS`, `EINVAL`).
   * @param vectors address of `count` vectors (`struct iovec`)
   */
  readNow: ((descriptor: number, vectors: number, count: number, at: number) => number) | undefined
  /** `memcpy`: to the front of the target, which has room for it. */
  copy(target: Uint8Array, from: number, byteLength: number): void
  /** `POSIX_FADV_WILLNEED`. Nobody waits, and whether it is done nobody says. */
  readAhead(descriptor: number, at: number, byteLength: number): void
  lockPages(address: number, byteLength: number): number
  yieldProcessor(): void
  lockExclusive(descriptor: number): number
  /** Another descriptor of the same, which programs that are started do not get; or the negative error number. */
  duplicate(descriptor: number): number
  allocate(descriptor: number, from: number, byteLength: number): number
  /** The new place in the file, or the negative error number. */
  seek(descriptor: number, at: number, whence: number): number
  /**
   * Copies inside the kernel, at the same place in both files, on libuv's pool: bytes copied, or the negative error number.
   * Undefined where the C library has no such call.
   */
  copyFileRange: ((from: number, to: number, at: number, byteLength: number) => Promise<number>) | undefined
  /** Undefined where the C library has no such call (musl). */
  trimHeap: (() => void) | undefined
  /** Foreign memory as an ArrayBuffer. It has no finalizer: whoever mapped the range unmaps it. */
  viewOf(address: number, byteLength: number): ArrayBuffer
  addressOf(bytes: Uint8Array): number
  /** What this thread leaves mapped when it ends. */
  blocks(): AddressRange[]
}

let loaded: Libc | Error | undefined

/** The C library through koffi, or the error that says why there is none and what helps. Remembered per thread. */
export function loadLibc(): Libc | Error {
  loaded ??= tryLoad()
  return loaded
}

function tryLoad(): Libc | Error {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    return new Error(`no native calls on ${process.platform}-${process.arch} (linux-x64 and linux-arm64 have them)`)
  }
  try {
    return bind(createRequire(import.meta.url)('koffi') as typeof Koffi)
  } catch (cause) {
    return new Error('koffi did not load: run "npm rebuild koffi", or "npm install koffi" if it is missing', { cause })
  }
}

function bind(koffi: typeof Koffi): Libc {
  // What calls on libuv's pool need is mapped for each and unmapped behind it: kept for the next one, it would stay when the thread ends.
  // Not where somebody has loaded a library before us.
  try {
    koffi.config({ resident_async_pools: 0 })
  } catch {}
  // Not 'libc.so.6': musl has none, and the process-wide scope lets LD_PRELOAD injectors see our calls.
  const library = koffi.load(null)
  const define = <T>(prototype: string): T => library.func(prototype) as unknown as T
  const mmap = define<(...args: number[]) => number>('intptr_t mmap(uintptr_t, size_t, int, int, int, int64_t)')
  const munmap = define<(...args: number[]) => number>('int munmap(uintptr_t, size_t)')
  const madvise = define<(...args: number[]) => number>('int madvise(uintptr_t, size_t, int)')
  const msync = define<Koffi.KoffiFunc<(...args: [number, number, number]) => number>>(
    'int msync(uintptr_t, size_t, int)',
  )
  const mincore = define<(at: number, length: number, pages: Uint8Array) => number>(
    'int mincore(uintptr_t, size_t, uint8_t *)',
  )
  const schedYield = define<() => number>('int sched_yield()')
  const memcpy = define<(target: Uint8Array, from: number, length: number) => void>(
    'void memcpy(void *, uintptr_t, size_t)',
  )
  const mlock = define<(...args: number[]) => number>('int mlock(uintptr_t, size_t)')
  const flock = define<(...args: number[]) => number>('int flock(int, int)')
  const fcntl = define<(...args: (number | string)[]) => number>('int fcntl(int, int, ...)')
  const posixFallocate = define<(...args: number[]) => number>('int posix_fallocate(int, int64_t, int64_t)')
  const posixFadvise = define<(...args: number[]) => number>('int posix_fadvise(int, int64_t, int64_t, int)')
  const lseek = define<(...args: number[]) => number>('int64_t lseek(int, int64_t, int)')
  const pageSize = define<() => number>('int getpagesize(void)')
  const outcome = (result: number): number => (result === 0 ? 0 : koffi.errno())

  return {
    kernelPageBytes: pageSize(),
    map(address, byteLength, protection, flags, descriptor) {
      const mapped = mmap(address, byteLength, protection, flags, descriptor, 0)
      return mapped === -1 ? -koffi.errno() : mapped
    },
    unmap: (address, byteLength) => outcome(munmap(address, byteLength)),
    advise: (address, byteLength, advice) => outcome(madvise(address, byteLength, advice)),
    sync: (address, byteLength) =>
      new Promise((resolve, reject) => {
        msync.async(address, byteLength, syncWait, (error: unknown, result) => {
          // errno belongs to this very callback: read before anything else calls through koffi.
          if (error) reject(error)
          else resolve(outcome(result))
        })
      }),
    resident: (address, byteLength, pages) => outcome(mincore(address, byteLength, pages)),
    readRanges: bindReadRanges(koffi, define),
    readNow: bindReadNow(koffi, define),
    copy: memcpy,
    readAhead: (descriptor, at, byteLength) => {
      posixFadvise(descriptor, at, byteLength, adviceWillNeed)
    },
    lockPages: (address, byteLength) => outcome(mlock(address, byteLength)),
    yieldProcessor: () => {
      schedYield()
    },
    lockExclusive: (descriptor) => outcome(flock(descriptor, lockExclusiveNonBlocking)),
    duplicate(descriptor) {
      const own = fcntl(descriptor, duplicateCloseOnExec, 'int', 0)
      return own >= 0 ? own : -koffi.errno()
    },
    // Returns the error number and leaves errno alone, unlike all the others (POSIX).
    allocate: (descriptor, from, byteLength) => posixFallocate(descriptor, from, byteLength),
    seek(descriptor, at, whence) {
      const place = lseek(descriptor, at, whence)
      return place >= 0 ? place : -koffi.errno()
    },
    copyFileRange: bindCopyFileRange(koffi, define),
    trimHeap: bindTrim(define),
    viewOf: (address, byteLength) => koffi.view(BigInt(address), byteLength),
    addressOf: (bytes) => Number(koffi.address(bytes)),
    blocks: () => koffiBlocks(koffi, library, pageSize()),
  }
}

type CopyFileRange = (...args: [number, BigInt64Array, number, BigInt64Array, number, number]) => number

function bindCopyFileRange(koffi: typeof Koffi, define: <T>(prototype: string) => T): Libc['copyFileRange'] {
  let call: Koffi.KoffiFunc<CopyFileRange>
  try {
    call = define('intptr_t copy_file_range(int, int64_t *, int, int64_t *, size_t, unsigned int)')
  } catch {
    return undefined
  }
  return (from, to, at, byteLength) =>
    new Promise((resolve, reject) => {
      // The call moves both places on, so each file has its own. The kernel writes there from another thread: the callback uses
      // them, and koffi holds the callback, so that the garbage collector does not free them before the call has returned.
      const places = BigInt64Array.of(BigInt(at), BigInt(at))
      call.async(
        from,
        places.subarray(0, 1),
        to,
        places.subarray(1),
        byteLength,
        0,
        (error: unknown, result: number) => {
          if (error) reject(error)
          else resolve(result >= 0 ? Number(places[1]) - at : -koffi.errno())
        },
      )
    })
}

function bindReadRanges(koffi: typeof Koffi, define: <T>(prototype: string) => T): Libc['readRanges'] {
  let call: (...args: number[]) => number
  try {
    call = define('intptr_t process_vm_readv(int, uintptr_t, unsigned long, uintptr_t, unsigned long, unsigned long)')
  } catch {
    return undefined
  }
  const { pid } = process
  return (targets, sources, count) => {
    const copied = call(pid, targets, count, sources, count, 0)
    return copied >= 0 ? copied : -koffi.errno()
  }
}

/** `RWF_NOWAIT`: as in linux/fs.h. */
const readNowFlag = 8

function bindReadNow(koffi: typeof Koffi, define: <T>(prototype: string) => T): Libc['readNow'] {
  let call: (...args: number[]) => number
  try {
    // musl has it from 1.2.5 on.
    call = define('int64_t preadv2(int, uintptr_t, int, int64_t, int)')
  } catch {
    return undefined
  }
  return (descriptor, vectors, count, at) => {
    const read = call(descriptor, vectors, count, at, readNowFlag)
    return read >= 0 ? read : -koffi.errno()
  }
}

function bindTrim(define: <T>(prototype: string) => T): (() => void) | undefined {
  try {
    const trim = define<(keep: number) => number>('int malloc_trim(size_t)')
    return () => {
      trim(0)
    }
  } catch {
    return undefined
  }
}
