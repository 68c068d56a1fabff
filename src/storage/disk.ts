/**
 * The files that the storage code may touch, as an interface: the crash tests run the same code on a simulated disk.
 * Synchronous, for worker threads only, except for {@link DiskFile.syncLater}.
 */
import fs from 'node:fs'
import path from 'node:path'
import { BookendError } from '../errors.js'
import type { SystemCalls } from '../memory/memory.js'
import { writtenEnd } from '../memory/written-end.js'

export interface DiskFile {
  readonly descriptor: number
  read(at: number, length: number): Uint8Array<ArrayBuffer>
  write(at: number, bytes: Uint8Array): void
  size(): number
  /** What it gets beyond its bytes reads as zeros and is a hole: see {@link SystemCalls.allocate}. */
  resize(byteLength: number): void
  /** From here on the file reads as zeros, as the file system knows without reading it; its size where it does not. */
  writtenEnd(): number
  /** Flushes data and what is needed to read it back. When it returns, a power cut does not lose it. */
  sync(): void
  /** The same off this thread. */
  syncLater(): Promise<void>
  close(): void
}

export interface Disk {
  /** Names in a directory; empty if it does not exist. */
  list(directory: string): string[]
  makeDirectory(directory: string): void
  /** undefined: no such file. Links are never followed; what is no regular file is `BOOKEND_FORMAT`. */
  open(file: string, access: 'read' | 'write'): DiskFile | undefined
  /** A new, empty file that only its owner may read. Throws `EEXIST` if the name is taken. */
  create(file: string): DiskFile
  rename(from: string, to: string): void
  remove(file: string): void
  /** It has to be empty. */
  removeDirectory(directory: string): void
  /** Makes creations, renames and removals in the directory durable. */
  syncDirectory(directory: string): void
}

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = fs.constants

/** Who may write into the directory of a log may not make its owner write elsewhere, or wait for ever at a pipe. */
export function notRegularError(file: string, what: string): BookendError {
  const message = `${file} is not a ${what} but a link or a special file, which Bookend does not follow: remove it`
  return new BookendError('BOOKEND_FORMAT', message, { file })
}

class NodeFile implements DiskFile {
  readonly descriptor: number
  readonly #path: string

  constructor(path: string, descriptor: number) {
    this.#path = path
    this.descriptor = descriptor
  }

  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length)
    let done = 0
    while (done < length) {
      const count = fs.readSync(this.descriptor, bytes, done, length - done, at + done)
      if (count === 0) break
      done += count
    }
    return done === length ? bytes : bytes.slice(0, done)
  }

  write(at: number, bytes: Uint8Array): void {
    let done = 0
    while (done < bytes.length) done += fs.writeSync(this.descriptor, bytes, done, bytes.length - done, at + done)
  }

  size(): number {
    return fs.fstatSync(this.descriptor).size
  }

  resize(byteLength: number): void {
    fs.ftruncateSync(this.descriptor, byteLength)
  }

  writtenEnd(): number {
    return writtenEnd(this.#path, this.descriptor, this.size())
  }

  sync(): void {
    fs.fdatasyncSync(this.descriptor)
  }

  syncLater(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.descriptor, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  close(): void {
    fs.closeSync(this.descriptor)
  }
}

export const nodeDisk: Disk = {
  list(directory) {
    try {
      return fs.readdirSync(directory)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  },
  makeDirectory(directory) {
    const made = fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
    if (!fs.lstatSync(directory).isDirectory()) throw notRegularError(directory, 'directory')
    // The new name must survive a power cut as well as what will be in it.
    if (made !== undefined) nodeDisk.syncDirectory(path.dirname(made))
  },
  open(file, access) {
    let descriptor: number
    try {
      // Not blocking: a pipe would be waited at until somebody writes into it.
      descriptor = fs.openSync(file, (access === 'read' ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return undefined
      throw code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO' ? notRegularError(file, 'file') : error
    }
    if (fs.fstatSync(descriptor).isFile()) return new NodeFile(file, descriptor)
    fs.closeSync(descriptor)
    throw notRegularError(file, 'file')
  },
  create(file) {
    return new NodeFile(file, fs.openSync(file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600))
  },
  rename: fs.renameSync,
  remove: fs.unlinkSync,
  removeDirectory: fs.rmdirSync,
  syncDirectory(directory) {
    const descriptor = fs.openSync(directory, O_RDONLY)
    try {
      fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
  },
}
