/** The control file on disk: created once, then two records written in turn; its feature words change. Layout: format/control-layout.ts. */
import fs from 'node:fs'
import path from 'node:path'
import { BookendError } from '../../errors.js'
import {
  type ControlIdentity,
  type ControlRecord,
  controlBytes,
  controlIdentityAt,
  controlRecordAt,
  decodeControlIdentity,
  decodeControlRecord,
  decodeIdentityAt,
  encodeControlFile,
  encodeControlIdentity,
  encodeControlRecord,
} from '../../format/control-layout.js'
import { type Features, featuresFault, joinFeatures, noFeatures, sameFeatures } from '../../format/features.js'
import { newLogId } from '../../format/log-id.js'
import { formatVersion } from '../../format/segment-layout.js'
import { randomBytes } from '../../memory/random-bytes.js'
import type { Disk, DiskFile } from './disk.js'

export function readBootId(): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim().replaceAll('-', '')
  } catch {
    return ''.padEnd(32, '0')
  }
}

/** Why this release cannot use a log so, as the rest of a sentence about its control file; undefined: it can. */
export function identityFault(identity: ControlIdentity, access: 'read' | 'write'): string | undefined {
  if (identity.version !== formatVersion)
    return `has version ${identity.version}; this release reads version ${formatVersion}`
  return featuresFault(identity.features, access)
}

export class ControlFile {
  /** The newest valid record found when the file was opened. */
  readonly found: ControlRecord | undefined
  readonly #file: DiskFile
  #identity: ControlIdentity
  #sequence: number

  private constructor(file: DiskFile, identity: ControlIdentity, found: ControlRecord | undefined) {
    this.#file = file
    this.#identity = identity
    this.found = found
    this.#sequence = found?.sequence ?? 0
  }

  get identity(): ControlIdentity {
    return this.#identity
  }

  static path(directory: string): string {
    return path.join(directory, 'control')
  }

  /** @returns undefined where there is none. @throws `BOOKEND_FORMAT` for what is not ours, of another version, or with features not known here */
  static open(disk: Disk, directory: string, access: 'read' | 'write'): ControlFile | undefined {
    const where = ControlFile.path(directory)
    const file = disk.open(where, access)
    if (file === undefined) return undefined
    const bytes = file.read(0, controlBytes)
    const identity = decodeControlIdentity(bytes)
    const fault =
      identity === undefined ? 'is not a Bookend control file or is damaged' : identityFault(identity, access)
    if (identity === undefined || fault !== undefined) {
      file.close()
      throw new BookendError('BOOKEND_FORMAT', `${where} ${fault}`, { file: where })
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
    copied?: { id: string; features: Features; record: Omit<ControlRecord, 'sequence'> },
  ): ControlFile {
    const where = ControlFile.path(directory)
    const temporary = `${where}.new`
    if (disk.list(directory).includes('control.new')) disk.remove(temporary)
    const { id, features } = copied ?? { id: newLogId(randomBytes), features: noFeatures }
    const identity = { version: formatVersion, segmentBytes, created, features, id }
    const file = disk.create(temporary)
    file.write(0, encodeControlFile(identity))
    const control = new ControlFile(file, identity, undefined)
    if (copied !== undefined) control.write(copied.record)
    file.sync()
    disk.rename(temporary, where)
    disk.syncDirectory(directory)
    return control
  }

  /**
   * States what the log is about to hold. Durable when it returns: only then may the first byte be written that needs to be known.
   * The file stays the one that its owner has locked, so one of two places is whole at any moment, with the old words or the new.
   */
  require(features: Features): void {
    const joined = joinFeatures(this.#identity.features, features)
    if (sameFeatures(joined, this.#identity.features)) return
    const identity = { ...this.#identity, features: joined }
    const isFirstWhole = decodeIdentityAt(this.#file.read(0, controlBytes), 0) !== undefined
    // Never first the one that counts: torn, it would be the only one.
    for (const place of isFirstWhole ? [1, 0] : [0, 1]) {
      this.#file.write(controlIdentityAt[place], encodeControlIdentity(identity))
      this.#file.sync()
    }
    this.#identity = identity
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
