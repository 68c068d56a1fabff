import { errno, failedCall } from './errno.js'
import { advicePopulateWrite, type Libc, mapAnonymous, mapFixed, mapNoReserve, mapPrivate, protRead } from './libc.js'
import { pageBytes, type SystemCallError, type SystemCalls } from './memory.js'
import { pageRange } from './page-range.js'
import { zeroFill } from './zero-fill.js'

/** The real calls, through the C library. */
export class NativeSystemCalls implements SystemCalls {
  readonly isNative = true
  readonly #libc: Libc

  constructor(libc: Libc) {
    this.#libc = libc
  }

  allocate(descriptor: number, to: number, from = 0): void {
    let failure: number
    do failure = this.#libc.allocate(descriptor, from, to - from)
    while (failure === errno.EINTR)
    // glibc emulates what the file system lacks, musl says so.
    if (failure === errno.EOPNOTSUPP || failure === errno.EINVAL) zeroFill(descriptor, to, from)
    else if (failure !== 0) throw failedCall('posix_fallocate', failure, `${to - from} bytes`)
  }

  populateWrite(address: number, byteLength: number): boolean {
    const { from, bytes } = pageRange(address, byteLength, this.#libc.kernelPageBytes)
    return this.#libc.advise(from, bytes, advicePopulateWrite) === 0
  }

  lockPages(address: number, byteLength: number): SystemCallError | undefined {
    const { from, bytes } = pageRange(address, byteLength, this.#libc.kernelPageBytes)
    const failure = this.#libc.lockPages(from, bytes)
    return failure === 0 ? undefined : failedCall('mlock', failure)
  }

  async syncRange(address: number, byteLength: number): Promise<void> {
    // One call however long the range: each msync ends in a journal commit and a device flush of its own.
    const { from, bytes } = pageRange(address, byteLength, this.#libc.kernelPageBytes)
    const failure = await this.#libc.sync(from, bytes)
    if (failure !== 0) throw failedCall('msync', failure)
  }

  retire(address: number, byteLength: number): void {
    this.#checkAddress('retire', address)
    const flags = mapFixed | mapPrivate | mapAnonymous | mapNoReserve
    const result = this.#libc.map(address, byteLength, protRead, flags, -1)
    if (result < 0) throw failedCall('mmap', -result, 'retire')
  }

  unmap(address: number, byteLength: number): void {
    this.#checkAddress('unmap', address)
    const failure = this.#libc.unmap(address, byteLength)
    if (failure !== 0) throw failedCall('munmap', failure)
  }

  /** Both take away whatever they are pointed at: a wrong address would be somebody else's memory. */
  #checkAddress(call: string, address: number): void {
    if (Number.isSafeInteger(address) && address > 0 && address % this.#libc.kernelPageBytes === 0) return
    throw new RangeError(`${call}: ${address} is not the address of a mapping`)
  }

  releaseFreeMemory(): void {
    this.#libc.trimHeap?.()
  }

  residentPages(address: number, byteLength: number): number {
    const { from, bytes } = pageRange(address, byteLength, this.#libc.kernelPageBytes)
    const pages = new Uint8Array(bytes / this.#libc.kernelPageBytes)
    if (this.#libc.resident(from, bytes, pages) !== 0) return -1
    let count = 0
    // Only the lowest bit has a meaning, the others are reserved.
    for (const page of pages) count += page & 1
    return count * (this.#libc.kernelPageBytes / pageBytes)
  }

  yieldProcessor(): void {
    this.#libc.yieldProcessor()
  }

  lock(descriptor: number): boolean {
    let failure: number
    do failure = this.#libc.lockExclusive(descriptor)
    while (failure === errno.EINTR)
    if (failure === errno.EAGAIN) return false
    if (failure !== 0) throw failedCall('flock', failure)
    return true
  }
}
