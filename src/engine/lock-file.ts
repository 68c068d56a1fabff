/**
 * The lock file: opened by the application's thread, so that the lock lives as long as the process and not as a worker. A
 * worker takes the lock itself (`flock`); the kernel gives it back when the descriptor closes, however the process ends.
 */
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { BookendError } from '../errors.js'
import { notRegularError } from '../storage/disk.js'
import { foreignError } from '../storage/open-log.js'

const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants

/** The name of a new directory must survive a power cut as well as what will be in it. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory)
  await handle.sync().finally(() => handle.close())
}

export class LockFile {
  readonly path: string
  readonly #handle: FileHandle

  private constructor(file: string, handle: FileHandle) {
    this.path = file
    this.#handle = handle
  }

  static async open(directory: string): Promise<LockFile> {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 }).catch((error) => {
      if (error.code !== 'EEXIST') throw error
      const message = `${directory} is a file: a log needs a directory, which it makes if there is none`
      throw new BookendError('BOOKEND_FORMAT', message, { file: directory })
    })
    if (made !== undefined) await syncDirectory(path.dirname(made))
    // Before the first file of ours: a mistaken path must not leave anything behind.
    const names = await readdir(directory)
    const segmentNames = names.includes('log') ? await readdir(path.join(directory, 'log')).catch(() => []) : []
    const foreign = foreignError(directory, names, segmentNames)
    if (foreign !== undefined) throw foreign
    const file = path.join(directory, 'lock')
    const handle = await open(file, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600).catch((error) => {
      throw error.code === 'ELOOP' || error.code === 'EISDIR' ? notRegularError(file, 'file') : error
    })
    if ((await handle.stat()).isFile()) return new LockFile(file, handle)
    await handle.close()
    throw notRegularError(file, 'file')
  }

  get descriptor(): number {
    return this.#handle.fd
  }

  /** Says who we are, for the message that a second owner gets. Not proof of anything: the lock is. */
  async sign(): Promise<void> {
    const text = `pid ${process.pid} on ${os.hostname()} since ${new Date().toISOString()}\n`
    await this.#handle.truncate(0)
    await this.#handle.write(text, 0)
  }

  async lockedError(directory: string): Promise<BookendError> {
    const bytes = new Uint8Array(256)
    const { bytesRead } = await this.#handle.read(bytes, 0, bytes.length, 0)
    const owner = Buffer.from(bytes.subarray(0, bytesRead)).toString('utf8').trim()
    return new BookendError(
      'BOOKEND_LOCKED',
      `the log in ${directory} is open in another owner${owner === '' ? '' : ` (${owner})`}: close it there first, or open it here with readOnly`,
    )
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}
