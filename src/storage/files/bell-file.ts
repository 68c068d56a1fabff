/** The bell file on disk: rung by the owner's writer, looked at by followers. Layout: format/bell-layout.ts. */
import path from 'node:path'
import {
  type BellRecord,
  bellBytes,
  decodeBell,
  newBell,
  nextBellSequence,
  noEpoch,
  putBell,
} from '../../format/bell-layout.js'
import { logMarkOf } from '../../format/log-id.js'
import type { Disk, DiskFile } from './disk.js'
import { fileIdentity } from './file-identity.js'

/** One that is met in the middle of a write is whole a moment later. */
const attempts = 4

export class BellFile {
  readonly #file: DiskFile
  readonly #logMark: string
  readonly #bytes: Uint8Array<ArrayBuffer>
  readonly #view: DataView

  private constructor(file: DiskFile, logMark: string) {
    this.#file = file
    this.#logMark = logMark
    this.#bytes = newBell(logMark)
    this.#view = new DataView(this.#bytes.buffer)
  }

  static path(directory: string): string {
    return path.join(directory, 'bell')
  }

  /** For the owner: made where there is none. Never flushed: after a power cut nobody believes it. */
  static forRinging(disk: Disk, directory: string, logId: string): BellFile {
    const where = BellFile.path(directory)
    return new BellFile(disk.open(where, 'write') ?? disk.create(where), logMarkOf(logId))
  }

  /** For a follower. @returns undefined where there is none */
  static forHearing(disk: Disk, directory: string, logId: string): BellFile | undefined {
    const file = disk.open(BellFile.path(directory), 'read')
    return file === undefined ? undefined : new BellFile(file, logMarkOf(logId))
  }

  /** For an owner that opens a log: what was rung before means nothing from here on. Nothing where there is none. */
  static silence(disk: Disk, directory: string, logId: string): void {
    const file = disk.open(BellFile.path(directory), 'write')
    if (file === undefined) return
    const bell = new BellFile(file, logMarkOf(logId))
    try {
      const sequence = nextBellSequence(bell.read()?.sequence ?? 0)
      bell.ring({ sequence, epoch: noEpoch, published: 0, trim: 0 })
    } finally {
      bell.close()
    }
  }

  ring(bell: BellRecord): void {
    putBell(this.#bytes, this.#view, bell)
    this.#file.write(0, this.#bytes)
  }

  /** @returns undefined where it was never rung, or is no bell of this log */
  read(): BellRecord | undefined {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const bell = decodeBell(this.#file.read(0, bellBytes), this.#logMark)
      if (bell !== undefined) return bell
    }
    return undefined
  }

  /** Another file under the same name has another one. */
  get identity(): string {
    return fileIdentity(this.#file.descriptor)
  }

  close(): void {
    this.#file.close()
  }
}
