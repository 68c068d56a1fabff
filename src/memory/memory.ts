/**
 * What the storage code may ask of the operating system, and nothing else of it.
 *
 * Everything here is synchronous unless it says otherwise and belongs to worker threads; the application's thread
 * never calls it, but for read-now.ts. Addresses are plain numbers: user space ends below 2^47 on the supported platforms.
 */

/** How segments are reached. `file` is the portable baseline: `pread` and `pwrite`, nothing mapped. */
export type MemoryKind = 'mmap-io' | 'koffi' | 'file'

/** A system call that failed. `code` is the errno name (`ENOSPC`), `errno` its positive number. */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError'
  readonly code: string
  readonly errno: number
  readonly syscall: string

  constructor(syscall: string, code: string, errno: number, detail = '') {
    super(`${code}: ${syscall} failed${detail === '' ? '' : ` (${detail})`}`)
    this.code = code
    this.errno = errno
    this.syscall = syscall
  }
}

/** A part of a window where it lies. The bytes are read-only: a store into them is a signal. */
export interface Lent {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Once, when they are no longer needed: views that were kept have length 0 afterwards. */
  giveBack(): void
}

/** How a window is read next. `atRandom`: of what is not in memory, only what is asked for is fetched. */
export type ReadPattern = 'inOrder' | 'atRandom'

/**
 * One segment file, opened by one thread. The window covers the whole file from byte 0.
 *
 * A mapped window can be retired under its owner by another thread (see {@link SystemCalls.retire}); keeping the owner
 * out meanwhile is the business of the pins in `ring/slot-table.ts`, not of this interface.
 */
export interface Window {
  readonly byteLength: number
  /** Start of the mapping, or 0 where nothing is mapped. */
  readonly address: number
  /** For all that is read from now on. A new window expects to be read in order. */
  expect(pattern: ReadPattern): void
  /**
   * Copies `[at, at + length)` into memory of the caller's own (a fresh `ArrayBuffer` of exactly `length` bytes).
   * Mapped: the kernel is asked to fault the range in first, so that a bad block or a truncated file throws
   * a {@link SystemCallError} (`EFAULT`) where a plain load would be a SIGBUS.
   */
  read(at: number, length: number): Uint8Array<ArrayBuffer>
  /** The same into memory that the caller owns already: for loops that would otherwise allocate per chunk. */
  readInto(target: Uint8Array, targetAt: number, at: number, length: number): void
  /**
   * Many short ranges at once: for lookups, which would ask the kernel about each page by itself otherwise. Throws like {@link read}.
   * @param target the memory of an ArrayBuffer of its own
   * @param ranges `count` times three words: start in the window, length, start in `target`
   */
  readRanges(target: Uint8Array, ranges: Uint32Array, count: number): void
  /**
   * The bytes themselves, without a copy; faulted in first, like {@link read}. Stale views are harmless, even after {@link close}: they
   * read nothing, or zeros. Undefined: nothing is mapped here, or not so that it can be lent; read a copy.
   * @param length above 0
   */
  lend(at: number, length: number): Lent | undefined
  /**
   * Where to put the bytes of `[at, at + length)`: `bytes[place(at, length)]` is the place of byte `at`. Mapped:
   * the mapping itself. File: a staging buffer, which holds only the last range asked for.
   */
  place(at: number, length: number): number
  /** See {@link place}. Changes when the staging buffer grows: read it after each `place`. Of a window that was opened for reading perhaps nothing. */
  readonly bytes: Uint8Array
  /** Hands the placed bytes over to the page cache. Throws {@link SystemCallError} (`ENOSPC`, `EIO`, ...). */
  commit(at: number, length: number): void
  /**
   * Writes `parts` one behind the other from byte `at` on, through the file and not through the mapping; readers of either see the
   * same bytes. For long runs: no page is zeroed, faulted in or write-protected for them. Throws like {@link commit}.
   */
  write(at: number, parts: readonly Uint8Array[]): void
  /** Gives the mapping or the descriptor back. Idempotent. No view of `bytes` may be used afterwards; of what {@link lend} gave, any. */
  close(): void
}

/** Opens windows in the calling thread. */
export interface Memory {
  readonly kind: MemoryKind
  /**
   * @param path an existing file of at least `byteLength` bytes; a shorter one throws `SystemCallError` `EINVAL`,
   * since touching a mapping past the end of its file would kill the process.
   * @param byteLength a multiple of 4096 below 2 GiB (mmap-io cuts sizes to 32 bits without a word).
   */
  open(path: string, byteLength: number, access: 'read' | 'write'): Window
}

/** System calls on descriptors and on addresses of this process; any thread may name an address of another. */
export interface SystemCalls {
  /** False without native parts: only `allocate` and `lock` work then, the rest are no-ops that say so by their result. */
  readonly isNative: boolean
  /** Reserves real blocks for `[from, to)`, which reads as it did before. Throws `ENOSPC`, `EDQUOT`, `EFBIG`. */
  allocate(descriptor: number, to: number, from?: number): void
  /** Faults pages in for writing, without changing them. Returns false where the kernel refuses (old kernel, bad range). */
  populateWrite(address: number, byteLength: number): boolean
  /** Keeps pages of a mapped range in memory (`mlock`), until it is unmapped or retired. Returns the failure, if it was refused. */
  lockPages(address: number, byteLength: number): SystemCallError | undefined
  /** Flushes the dirty pages of a mapped range to the device (`msync`, `MS_SYNC`) without blocking this thread. */
  syncRange(address: number, byteLength: number): Promise<void>
  /**
   * Replaces a file mapping by anonymous, read-only, unreserved zero pages at the same address, in one atomic call:
   * the file's pages go back at once, and a stale view reads zeros instead of faulting.
   */
  retire(address: number, byteLength: number): void
  /** Gives addresses back, for who knows that nobody looks there any more (`munmap`). */
  unmap(address: number, byteLength: number): void
  /**
   * Gives memory that the process has freed back to the system (`malloc_trim`; nothing where there is none). The C library keeps
   * the freed chunks of a long read otherwise: hundreds of megabytes, for as long as the process lives.
   */
  releaseFreeMemory(): void
  /** Number of pages (4096 bytes) of a mapped range that are in memory (`mincore`); -1 where it cannot be told. */
  residentPages(address: number, byteLength: number): number
  /** Lets another thread have the processor if one waits for it (`sched_yield`): for who looks for work and has none. */
  yieldProcessor(): void
  /** Takes an exclusive lock (`flock`) that the kernel drops when the descriptor's last copy closes. False: somebody has it. */
  lock(descriptor: number): boolean
}

export const pageBytes = 4096
/** int32 in mmap-io, and one file per mapping at offset 0 everywhere. */
export const maxWindowBytes = 2 ** 31 - pageBytes
