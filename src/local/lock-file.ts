/**
 * What an owner locks: the files `lock` and `control`. They are opened by the application's thread, so that the locks live as long as
 * the process and not as a worker. A worker takes them (`flock`); the kernel gives them back when the descriptors close, however
 * the process ends.
 */
import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { BookendError } from '../errors.js'
import { changedByMaking, notRegularError } from '../storage/files/disk.js'
import { makeDirectories } from '../storage/files/make-directories.js'
import type { LockedFile } from '../storage/files/ownership.js'
import { foreignError } from '../storage/life/open-log.js'
import { lockedError } from './locked-error.js'

const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory)
  await handle.sync().finally(() => handle.close())
}

export class LockFile {
  readonly #directory: string
  readonly #lock: FileHandle
  #control: FileHandle | undefined

  private constructor(directory: string, lock: FileHandle) {
    this.#directory = directory
    this.#lock = lock
  }

  static async open(directory: string): Promise<LockFile> {
    const made = await makeDirectories(directory).catch((error) => {
      if (error.code !== 'EEXIST') throw error
      const message = `${directory} is a file: a log needs a directory, which it makes if there is none`
      throw new BookendError('BOOKEND_FORMAT', message, { file: directory })
    })
    for (const changed of changedByMaking(directory, made)) await syncDirectory(changed)
    // Before the first file of ours: a mistaken path must not leave anything behind.
    const names = await readdir(directory)
    const segmentNames = names.includes('log') ? await readdir(path.join(directory, 'log')).catch(() => []) : []
    const foreign = foreignError(directory, names, segmentNames)
    if (foreign !== undefined) throw foreign
    const groups = path.join(directory, 'groups')
    if (names.includes('groups')) checkOneName(groups, await lstat(groups))
    const file = path.join(directory, 'lock')
    const lock = await openOwn(file, O_RDWR | O_CREAT)
    return new LockFile(directory, lock)
  }

  /** False: there is no control file yet. */
  async openControl(): Promise<boolean> {
    const file = path.join(this.#directory, 'control')
    this.#control ??= await openOwn(file, O_RDWR).catch((error) => {
      if (error.code !== 'ENOENT') throw error
      return undefined
    })
    return this.#control !== undefined
  }

  /** What there is to lock. */
  get files(): LockedFile[] {
    const file = (name: string, { fd: descriptor }: FileHandle) => ({
      path: path.join(this.#directory, name),
      descriptor,
    })
    const lock = file('lock', this.#lock)
    return this.#control === undefined ? [lock] : [lock, file('control', this.#control)]
  }

  /** Says who we are, for the message that a second owner gets. Not proof of anything: the lock is. */
  async sign(): Promise<void> {
    const text = `pid ${process.pid} on ${os.hostname()} since ${new Date().toISOString()}\n`
    await this.#lock.truncate(0)
    await this.#lock.write(text, 0)
  }

  lockedError(directory: string): BookendError {
    return lockedError(directory)
  }

  async close(): Promise<void> {
    await Promise.all([this.#lock.close(), this.#control?.close()])
  }
}

/** A file of the log's own, which is about to be written to. */
async function openOwn(file: string, flags: number): Promise<FileHandle> {
  // Not blocking: a pipe would be waited at until somebody writes into it.
  const handle = await open(file, flags | O_NOFOLLOW | O_NONBLOCK, 0o600).catch((error) => {
    throw ['ELOOP', 'EISDIR', 'ENXIO'].includes(error.code) ? notRegularError(file, 'file') : error
  })
  try {
    const status = await handle.stat()
    if (!status.isFile()) throw notRegularError(file, 'file')
    checkOneName(file, status)
    return handle
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Who may write into the directory could make its owner overwrite another file by giving it a second name here. */
function checkOneName(file: string, { nlink }: Stats): void {
  if (nlink <= 1) return
  const message = `${file} has a second name somewhere (it is hard-linked), and what is written to it would change that as well: put a copy in its place, or remove it if it is "lock"`
  throw new BookendError('BOOKEND_FORMAT', message, { file })
}
