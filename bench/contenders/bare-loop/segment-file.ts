import { closeSync, openSync } from 'node:fs'
import koffi from 'koffi'

const readOnly = 0x1
const readWrite = 0x3
const mapShared = 0x1

const libc = koffi.load(null)
const mmap = libc.func(
  'intptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)',
)
const munmap = libc.func('int munmap(uintptr_t address, size_t length)')
const posixFallocate = libc.func('int posix_fallocate(int fd, int64_t offset, int64_t length)')

/** A new file of real blocks, mapped shared and writable. */
export interface MappedFile {
  readonly address: number
  readonly byteLength: number
}

/** Creates, allocates and maps a file. Throws with the errno where the system refuses. */
export function createMappedFile(path: string, byteLength: number): MappedFile {
  const descriptor = openSync(path, 'w+')
  try {
    const refused: number = posixFallocate(descriptor, 0, byteLength)
    if (refused !== 0) throw new Error(`posix_fallocate of ${path} failed, errno ${refused}`)
    const address = Number(mmap(0, byteLength, readWrite, mapShared, descriptor, 0))
    if (address === -1) throw new Error(`mmap of ${path} failed, errno ${koffi.errno()}`)
    return { address, byteLength }
  } finally {
    closeSync(descriptor)
  }
}

/** Maps the beginning of an open file, not writable. */
export function mapForReading(descriptor: number, byteLength: number): MappedFile {
  const address = Number(mmap(0, byteLength, readOnly, mapShared, descriptor, 0))
  if (address === -1) throw new Error(`mmap failed, errno ${koffi.errno()}`)
  return { address, byteLength }
}

/** The mapping as memory. Valid until {@link unmapFile}, and not a moment longer. */
export function viewOf(file: MappedFile): Buffer {
  return Buffer.from(koffi.view(BigInt(file.address), file.byteLength))
}

/** Gives the mapping back; its pages stay in the page cache. */
export function unmapFile(file: MappedFile): void {
  munmap(file.address, file.byteLength)
}
