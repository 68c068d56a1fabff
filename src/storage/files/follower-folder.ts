/**
 * The folder `followers/` of a log: who follows it from other processes, and how far their groups have come.
 *
 * ```
 *   followers/<16 hex digits>.lock      one for each follower, locked as long as it lives
 *   followers/groups/<topic>/<group>    see follower-groups.ts
 * ```
 *
 * The owner watches the folder, and forgets whose lock nobody holds. It tries those locks, which are for nothing else.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { SystemCalls } from '../../memory/memory.js'
import { randomBytes } from '../../memory/random-bytes.js'
import type { Disk, DiskFile } from './disk.js'
import { takeLocks } from './ownership.js'
import { type PathWatch, watchPath } from './watched-path.js'

const lockName = /^[0-9a-f]{16}\.lock$/
const folderMode = 0o700
/** An owner that looks at the folder in the same moment may hold the lock, or take the file for a dead one's. */
const attempts = 10

export class FollowerFolder {
  readonly path: string
  readonly #disk: Disk
  readonly #calls: Pick<SystemCalls, 'lock'>

  constructor(disk: Disk, directory: string, calls: Pick<SystemCalls, 'lock'>) {
    this.path = path.join(directory, 'followers')
    this.#disk = disk
    this.#calls = calls
  }

  /** Not flushed: after a power cut nobody follows. */
  make(): void {
    try {
      fs.mkdirSync(this.path, { mode: folderMode })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }

  watch(onChange: () => void): PathWatch | string {
    return watchPath(this.path, onChange)
  }

  /** For a follower. @returns what ends it. @throws system errors where the folder may not be written to */
  register(): { close(): void } {
    this.make()
    for (let attempt = 1; ; attempt++) {
      const where = path.join(this.path, `${randomBytes(8).toString('hex')}.lock`)
      const file = this.#disk.create(where)
      if (takeLocks(this.#calls, [{ path: where, descriptor: file.descriptor }])) return this.#registered(where, file)
      this.#forget(where, file)
      if (attempt === attempts) throw new Error(`${where} is locked by somebody else as soon as it is made`)
    }
  }

  /** For the owner. @returns the names of those who are at work */
  alive(): string[] {
    return this.#disk.list(this.path, true).filter((name) => lockName.test(name) && this.#isAlive(name))
  }

  #registered(where: string, file: DiskFile): { close(): void } {
    return { close: () => this.#forget(where, file) }
  }

  /** Removed before it is closed: nobody meets it without its lock. */
  #forget(where: string, file: DiskFile): void {
    fs.rmSync(where, { force: true })
    file.close()
  }

  #isAlive(name: string): boolean {
    const where = path.join(this.path, name)
    const file = this.#disk.open(where, 'write')
    if (file === undefined) return false
    try {
      if (!this.#calls.lock(file.descriptor)) return true
      fs.rmSync(where, { force: true })
      return false
    } finally {
      file.close()
    }
  }
}
