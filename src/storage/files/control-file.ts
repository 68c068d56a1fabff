/** The control file on disk: created once, then two records written in turn. Layout: format/control-layout.ts. */
import fs from 'node:fs'
import path from 'node:path'
import { BookendError } from '../../errors.js'
import {
  type ControlIdentity,
  type ControlRecord,
  controlBytes,
  controlRecordAt,
  decodeControlIdentity,
  decodeControlRecord,
  encodeControlIdentity,
  encodeControlRecord,
} from '../../format/control-layout.js'
import { newLogId } from '../../format/log-id.js'
import { formatVersion } from '../../format/segment-layout.js'
import type { Disk, DiskFile } from './disk.js'

export function readBootId(): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim().replaceAll('-', '')
  } catch {
    return ''.padEnd(32, '0')
  }
}

export class ControlFile {
  readonly identity: ControlIdentity
  /** The newest valid record found when the file was opened. */
  readonly found: ControlRecord | undefined
  readonly #file: DiskFile
  #sequence: number

  private constructor(file: DiskFile, identity: ControlIdentity, found: ControlRecord | undefined) {
    this.#file = file
    this.identity = identity
    this.found = found
    this.#sequence = found?.sequence ?? 0
  }

  static path(directory: string): string {
    return path.join(directory, 'control')
  }

  /** @returns undefined where there is none. @throws `BOOKEND_FORMAT` for what is not ours or of another version. */
  static open(disk: Disk, directory: string, access: 'read' | 'write'): ControlFile | undefined {
    const where = ControlFile.path(directory)
    const file = disk.open(where, access)
    if (file === undefined) return undefined
    const bytes = file.read(0, controlBytes)
    const identity = decodeControlIdentity(bytes)
    if (identity === undefined || identity.version !== formatVersion) {
      file.close()
      const what =
        identity === undefined ? 'is not a Bookend control file or is damaged' : `has version ${identity.version}`
      throw new BookendError('BOOKEND_FORMAT', `${where} ${what}; this release reads version ${formatVersion}`, {
        file: where,
      })
    }
    return new ControlFile(file, identity, decodeControlRecord(bytes))
  }

  /**
   * The file gets its name after its content is flushed: a log either has an identity or is not one yet.
   * @param copied of a copy: whose it is, and how far it goes; without it a log begins, empty and with an id of its own
   */
  static create(
    disk: Disk,
    directory: string,
    segmentBytes: number,
    created: number,
    copied?: { id: string; record: Omit<ControlRecord, 'sequence'> },
  ): ControlFile {
    const where = ControlFile.path(directory)
    const temporary = `${where}.new`
    if (disk.list(directory).includes('control.new')) disk.remove(temporary)
    const identity = { version: formatVersion, segmentBytes, created, id: copied?.id ?? newLogId() }
    const file = disk.create(temporary)
    file.write(0, encodeControlIdentity(identity))
    const control = new ControlFile(file, identity, undefined)
    if (copied !== undefined) control.write(copied.record)
    file.sync()
    disk.rename(temporary, where)
    disk.syncDirectory(directory)
    return control
  }

  /** Not flushed: survives the process. Call {@link sync} where something is about to depend on it. */
  write(record: Omit<ControlRecord, 'sequence'>): void {
    // 0 stands for "never written".
    this.#sequence = (this.#sequence + 1) >>> 0 || 1
    const at = controlRecordAt[this.#sequence % controlRecordAt.length]
    this.#file.write(at, encodeControlRecord({ ...record, sequence: this.#sequence }))
  }

  sync(): void {
    this.#file.sync()
  }

  close(): void {
    this.#file.close()
  }
}
