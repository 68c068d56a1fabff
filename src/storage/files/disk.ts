/**
 * The files that the storage code may touch, as an interface: the crash tests run the same code on a simulated disk.
 * Synchronous, for worker threads only, except for {@link DiskFile.syncLater}.
 */
import fs from 'node:fs'
import path from 'node:path'
import { BookendError } from '../../errors.js'
import type { SystemCalls } from '../../memory/memory.js'
import { readAhead } from '../../memory/read-ahead.js'
import { writtenEnd } from '../../memory/written-end.js'
import { identityAt } from './file-identity.js'
import { makeDirectoriesSync } from './make-directories.js'

export interface DiskFile {
  readonly descriptor: number
  read(at: number, length: number): Uint8Array<ArrayBuffer>
  /** Begins to read, and does not wait: for who comes for it soon. Absent: nothing is begun. */
  readAhead?(at: number, byteLength: number): void
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
  /**
   * Names in a directory; empty if it does not exist.
   * @param isOwn it is the log's own: a link in its place is not followed
   */
  list(directory: string, isOwn?: boolean): string[]
  makeDirectory(directory: string): void
  /** undefined: no such file. Links are never followed; what is no regular file is `BOOKEND_FORMAT`. */
  open(file: string, access: 'read' | 'write'): DiskFile | undefined
  /** A new, empty file that only its owner may read. Throws `EEXIST` if the name is taken. */
  create(file: string): DiskFile
  /** Of the file that has this name now: no other has it while somebody has that one open. undefined: there is none, or it is not to be told. */
  identityAt(file: string): string | undefined
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
  const message = `${file} is not a ${what} but a link or something else, which Bookend does not follow: remove it`
  return new BookendError('BOOKEND_FORMAT', message, { file })
}

/**
 * The directories that have got a new name in them, where `directory` was made with all that was missing above it: each has to be
 * flushed, lest a power cut takes the name, and with it everything below.
 * @param made the topmost of the new ones, as `mkdir` answers
 */
export function changedByMaking(directory: string, made: string | undefined): string[] {
  const changed: string[] = []
  if (made === undefined) return changed
  const top = path.dirname(path.resolve(made))
  for (let each = path.resolve(directory); each !== top; ) {
    each = path.dirname(each)
    changed.push(each)
  }
  return changed
}

function checkDirectory(directory: string): void {
  const status = fs.lstatSync(directory, { throwIfNoEntry: false })
  if (status !== undefined && !status.isDirectory()) throw notRegularError(directory, 'directory')
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

  readAhead(at: number, byteLength: number): void {
    readAhead(this.descriptor, at, byteLength)
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
  list(directory, isOwn = false) {
    if (isOwn) checkDirectory(directory)
    try {
      return fs.readdirSync(directory)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  },
  makeDirectory(directory) {
    const made = makeDirectoriesSync(directory)
    checkDirectory(directory)
    for (const changed of changedByMaking(directory, made)) nodeDisk.syncDirectory(changed)
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
  identityAt(file) {
    try {
      return identityAt(file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
      return undefined
    }
  },
  rename: fs.renameSync,
  remove(file) {
    try {
      fs.unlinkSync(file)
    } catch (error) {
      if (fs.lstatSync(file, { throwIfNoEntry: false })?.isDirectory()) throw notRegularError(file, 'file')
      throw error
    }
  },
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
