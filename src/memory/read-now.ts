/**
 * Reading files without ever waiting for a device: what the page cache holds is copied, what it does not hold is refused.
 *
 * The one part of this folder that the application's thread may use. `preadv2` with `RWF_NOWAIT` neither takes a page fault nor sleeps: it
 * answers from the page cache, or EAGAIN. Files are opened, and what was refused may be fetched, on libuv's pool.
 */
import fs from 'node:fs'
import { promisify } from 'node:util'
import { errno } from './errno.js'
import { type Libc, loadLibc } from './libc.js'
import { maxWindowBytes } from './memory.js'

const openFile = promisify(fs.open)
const statFile = promisify(fs.fstat)
const readFile = promisify(fs.read)
const closeFile = promisify(fs.close)

/** Memory that the kernel can be told to write to. */
export interface Target {
  /** Memory of an ArrayBuffer of its own: V8 moves short arrays that it has made itself. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly words: Uint32Array<ArrayBuffer>
  readonly address: number
}

/** An open file of which is read what is in memory. */
export interface NowFile {
  /**
   * Copies `[at, at + length)` of the file to `targetAt` of the target. False: not all of it is in memory, or it is not there at all, or the
   * file is closed; the target may hold a part of it then.
   * @throws RangeError where the target has no room for it
   */
  read(target: Target, targetAt: number, at: number, length: number): boolean
  /** Fetches a range off this thread, from the device if need be. Undefined: it is not all there, or cannot be read. */
  fetch(at: number, length: number): Promise<Uint8Array<ArrayBuffer> | undefined>
  /** Off this thread. False: it was deleted, or has another in its place. Closed meanwhile, it may answer anything. */
  hasName(): Promise<boolean>
  /** Off this thread: the last one who closes a deleted file frees its blocks. Only when no {@link fetch} is under way. */
  close(): Promise<void>
}

/** Files of one directory, for one thread. */
export interface NowFiles {
  /** False: it was found that the kernel or the file system cannot do it, and every read is refused without asking. */
  readonly isSupported: boolean
  /** Memory that may hold anything. @param byteLength a multiple of 4 */
  target(byteLength: number): Target
  /**
   * Opens an existing file off this thread. Links are not followed.
   * @returns undefined: there is none, it is shorter than that, or it cannot be opened now
   */
  open(path: string, byteLength: number): Promise<NowFile | undefined>
}

/** Old kernel, file system (tmpfs, NFS), sandbox: what is so for one file of a log is so for all. */
const notHere: readonly number[] = [errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM]

/**
 * The real ones.
 * @returns undefined: there is no native part here. To load it takes some milliseconds the first time in a thread
 */
export function loadNowFiles(): NowFiles | undefined {
  const libc = loadLibc()
  if (libc instanceof Error || libc.readNow === undefined) return undefined
  return new CachedFiles(libc, libc.readNow)
}

class CachedFiles implements NowFiles {
  readonly #libc: Libc
  readonly #readNow: NonNullable<Libc['readNow']>
  /** One `struct iovec`: address and length, eight bytes each. */
  readonly #vector = new Uint32Array(new ArrayBuffer(16))
  readonly #vectorAt: number
  isSupported = true

  constructor(libc: Libc, readNow: NonNullable<Libc['readNow']>) {
    this.#libc = libc
    this.#readNow = readNow
    this.#vectorAt = libc.addressOf(new Uint8Array(this.#vector.buffer))
  }

  target(byteLength: number): Target {
    // What is read into it fills it; to have it zeroed first takes half as long again.
    const { buffer } = Buffer.allocUnsafeSlow(byteLength)
    const bytes = new Uint8Array(buffer)
    return { bytes, words: new Uint32Array(buffer), address: this.#libc.addressOf(bytes) }
  }

  async open(path: string, byteLength: number): Promise<NowFile | undefined> {
    const descriptor = await openQuietly(path)
    if (descriptor === undefined) return undefined
    const file = new CachedFile(this, descriptor)
    try {
      const stat = await statFile(descriptor)
      if (stat.isFile() && stat.size >= byteLength && byteLength <= maxWindowBytes) return file
    } catch {
      // As if it were not there.
    }
    await file.close()
    return undefined
  }

  read(descriptor: number, target: Target, targetAt: number, at: number, length: number): boolean {
    // The kernel writes by address.
    if (targetAt < 0 || length < 0 || targetAt + length > target.bytes.byteLength)
      throw new RangeError(`${length} bytes do not fit at ${targetAt} of the target`)
    if (!this.isSupported) return false
    const address = target.address + targetAt
    this.#vector[0] = address >>> 0
    this.#vector[1] = Math.floor(address / 2 ** 32)
    this.#vector[2] = length
    const read = this.#readNow(descriptor, this.#vectorAt, 1, at)
    // A short read ends in front of the first page that is not in memory, or at the end of the file.
    if (read === length) return true
    if (read < 0 && notHere.includes(-read)) this.isSupported = false
    return false
  }
}

/** That it is read is not noted in the file, where that may be asked for: by its owner. A short read takes some hundredths less. */
async function openQuietly(path: string): Promise<number | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOATIME = 0 } = fs.constants
  for (const more of [O_NOATIME, 0]) {
    const descriptor = await openFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | more).catch(() => undefined)
    if (descriptor !== undefined) return descriptor
  }
  return undefined
}

class CachedFile implements NowFile {
  readonly #files: CachedFiles
  #descriptor: number

  constructor(files: CachedFiles, descriptor: number) {
    this.#files = files
    this.#descriptor = descriptor
  }

  read(target: Target, targetAt: number, at: number, length: number): boolean {
    return this.#descriptor >= 0 && this.#files.read(this.#descriptor, target, targetAt, at, length)
  }

  async fetch(at: number, length: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#descriptor < 0) return undefined
    const bytes = new Uint8Array(length)
    try {
      const { bytesRead } = await readFile(this.#descriptor, bytes, 0, length, at)
      return bytesRead === length ? bytes : undefined
    } catch {
      return undefined
    }
  }

  async hasName(): Promise<boolean> {
    try {
      return this.#descriptor >= 0 && (await statFile(this.#descriptor)).nlink > 0
    } catch {
      // The device does not say.
      return true
    }
  }

  async close(): Promise<void> {
    const descriptor = this.#descriptor
    if (descriptor < 0) return
    // First: from here on the number may be somebody else's.
    this.#descriptor = -1
    await closeFile(descriptor).catch(() => {})
  }
}
