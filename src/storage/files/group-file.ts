/** The groups file on disk. Layout: format/group-layout.ts. Made with the first group, since most logs have none. */
import path from 'node:path'
import { BookendError } from '../../errors.js'
import {
  decodeGroupHeader,
  decodeGroupIdentity,
  decodeGroupRecord,
  encodeGroupHeader,
  encodeGroupIdentity,
  encodeGroupRecord,
  type GroupHeader,
  type GroupIdentity,
  type GroupRecord,
  type GroupState,
  groupCellAt,
  groupCellBytes,
  groupFileVersion,
  groupRecordAt,
  groupSectorBytes,
  sealGroupRecord,
} from '../../format/group-layout.js'
import { logMarkOf } from '../../format/log-id.js'
import { maxGroups } from '../../limits.js'
import { errno, failedCall } from '../../memory/errno.js'
import type { Disk, DiskFile } from './disk.js'

/** A group as it was found: the newest sound record, or sequence 0 and the beginning where there is none. */
export interface FoundGroup extends GroupIdentity, GroupRecord {
  id: number
}

/** Bytes of the file that are not what they should be. */
export interface GroupDamage {
  at: number
  bytes: number
  what: string
}

export class GroupFile {
  readonly #file: DiskFile
  readonly #path: string
  /** Of the log that it should belong to. */
  readonly #logMark: string

  private constructor(file: DiskFile, where: string, logMark: string) {
    this.#file = file
    this.#path = where
    this.#logMark = logMark
  }

  static path(directory: string): string {
    return path.join(directory, 'groups')
  }

  /**
   * @param logId of the log in the directory; whether the file belongs to it says {@link foreignMark}
   * @returns undefined where there is none
   * @throws `BOOKEND_FORMAT` for another version; a damaged header is for {@link read}
   */
  static open(disk: Disk, directory: string, logId: string, access: 'read' | 'write'): GroupFile | undefined {
    const where = GroupFile.path(directory)
    const file = disk.open(where, access)
    if (file === undefined) return undefined
    const found = new GroupFile(file, where, logMarkOf(logId))
    const header = found.#header()
    if (header !== undefined && header.version !== groupFileVersion) {
      file.close()
      const message = `${where} has version ${header.version}; this release reads version ${groupFileVersion}`
      throw new BookendError('BOOKEND_FORMAT', message, { file: where })
    }
    return found
  }

  /** A file that is open already, whatever it holds; {@link close} closes it. */
  static on(file: DiskFile, where: string, logId: string): GroupFile {
    return new GroupFile(file, where, logMarkOf(logId))
  }

  /** The file gets its name after its header is flushed. */
  static create(disk: Disk, directory: string, logId: string): GroupFile {
    const where = GroupFile.path(directory)
    const temporary = `${where}.new`
    if (disk.list(directory).includes(path.basename(temporary))) disk.remove(temporary)
    const file = disk.create(temporary)
    file.write(0, encodeGroupHeader(logMarkOf(logId)))
    file.sync()
    disk.rename(temporary, where)
    disk.syncDirectory(directory)
    return new GroupFile(file, where, logMarkOf(logId))
  }

  /** Whose the file is, if that is another log. */
  get foreignMark(): string | undefined {
    const mark = this.#header()?.logMark
    return mark === this.#logMark ? undefined : mark
  }

  /**
   * All groups, and in words what is damaged. A group whose records are both damaged begins anew: messages may come
   * again, but none is passed over. One whose identity is damaged is lost.
   */
  read(): { groups: FoundGroup[]; damages: GroupDamage[]; isHeaderSound: boolean } {
    const groups: FoundGroup[] = []
    const damages: GroupDamage[] = []
    const isHeaderSound = this.#header() !== undefined
    if (!isHeaderSound) damages.push({ at: 0, bytes: groupCellBytes, what: `the header of ${this.#path} is damaged` })
    for (let id = 0; id < this.cells; id++) {
      const bytes = this.#readSafely(groupCellAt(id))
      const identity = decodeGroupIdentity(id, bytes)
      if (identity === undefined) {
        if (!isBlank(bytes.subarray(0, groupSectorBytes)))
          damages.push({
            at: groupCellAt(id),
            bytes: groupSectorBytes,
            what: `cell ${id} of ${this.#path} is damaged: its group is lost`,
          })
        continue
      }
      const { record, isDamaged } = newestRecord(id, bytes)
      const { state } = record
      groups.push({ id, ...identity, ...record })
      if (isDamaged) {
        damages.push({
          at: groupRecordAt(id, 0),
          bytes: 2 * groupSectorBytes,
          what: `a record of group ${identity.name} of topic ${identity.topic} in ${this.#path} is damaged: the group goes on at offset ${state.committed}`,
        })
      }
    }
    return { groups, damages, isHeaderSound }
  }

  /** How many cells there are, somebody's or not. */
  get cells(): number {
    return Math.min(maxGroups, Math.ceil(this.#file.size() / groupCellBytes) - 1)
  }

  /**
   * Writes both records of a group again as they are: the next flush speaks of them, whatever became of the last.
   * @throws `EIO` where the newest record is older than that sequence
   */
  rewriteRecords(id: number, sequence: number): void {
    const cell = this.#file.read(groupCellAt(id), groupCellBytes)
    const { record } = newestRecord(id, cell)
    if (((record.sequence - sequence) | 0) < 0)
      throw failedCall('read', errno.EIO, `what was written of group ${id} in ${this.#path} is lost`)
    for (const parity of [0, 1]) {
      const at = groupRecordAt(id, parity)
      this.#file.write(at, cell.subarray(at - groupCellAt(id), at - groupCellAt(id) + groupSectorBytes))
    }
  }

  writeHeader(): void {
    this.#file.write(0, encodeGroupHeader(this.#logMark))
  }

  /** Makes a state of the cell to be; the cell belongs to nobody until its identity is there. */
  writeFirstRecord(id: number, record: GroupRecord): void {
    const cell = new Uint8Array(groupCellBytes)
    cell.set(encodeGroupRecord(id, record), groupRecordAt(id, record.sequence) - groupCellAt(id))
    this.#file.write(groupCellAt(id), cell)
  }

  /** Gives the cell to a group, or takes it away. */
  writeIdentity(id: number, identity: GroupIdentity | undefined): void {
    const sector = identity === undefined ? new Uint8Array(groupSectorBytes) : encodeGroupIdentity(id, identity)
    this.#file.write(groupCellAt(id), sector)
  }

  writeRecord(id: number, record: GroupRecord): void {
    this.#file.write(groupRecordAt(id, record.sequence), encodeGroupRecord(id, record))
  }

  /** Completes a sector with a state in it, in place, and writes it. */
  writeSector(id: number, sequence: number, sector: Uint8Array): void {
    sealGroupRecord(sector, id, sequence)
    this.#file.write(groupRecordAt(id, sequence), sector)
  }

  sync(): void {
    this.#file.sync()
  }

  syncLater(): Promise<void> {
    return this.#file.syncLater()
  }

  close(): void {
    this.#file.close()
  }

  #header(): GroupHeader | undefined {
    return decodeGroupHeader(this.#readSafely(0))
  }

  /** What the device cannot read counts as damage of that cell alone. */
  #readSafely(at: number): Uint8Array {
    const cell = new Uint8Array(groupCellBytes)
    try {
      cell.set(this.#file.read(at, groupCellBytes))
    } catch {
      cell.fill(0xff)
    }
    return cell
  }
}

/** The state, put back to where its topic ends: unchanged if it is not beyond. */
export function clampedTo(state: GroupState, next: number): GroupState {
  const { committed, ranges, applied } = state
  if (committed <= next && (ranges.at(-1)?.end ?? 0) <= next) return state
  return {
    committed: Math.min(committed, next),
    ranges: ranges.filter(({ first }) => first < next).map(({ first, end }) => ({ first, end: Math.min(end, next) })),
    ...(applied === undefined ? {} : { applied }),
  }
}

/** A whole file with these groups in their cells. */
export function encodeGroupFile(groups: readonly FoundGroup[], logId: string): Uint8Array {
  const cells = Math.max(0, ...groups.map(({ id }) => id + 1))
  const bytes = new Uint8Array(groupCellAt(cells))
  bytes.set(encodeGroupHeader(logMarkOf(logId)))
  for (const group of groups) {
    const { id, state, sequence } = group
    const record = { state, sequence: sequence === 0 ? 1 : sequence }
    bytes.set(encodeGroupIdentity(id, group), groupCellAt(id))
    bytes.set(encodeGroupRecord(id, record), groupRecordAt(id, record.sequence))
  }
  return bytes
}

function newestRecord(id: number, cell: Uint8Array): { record: GroupRecord; isDamaged: boolean } {
  let newest: GroupRecord | undefined
  let isDamaged = false
  for (const parity of [0, 1]) {
    const at = groupRecordAt(id, parity) - groupCellAt(id)
    const sector = cell.subarray(at, at + groupSectorBytes)
    const record = decodeGroupRecord(id, sector)
    if (record === undefined) isDamaged ||= !isBlank(sector)
    // The sequence wraps; only its direction counts.
    else if (newest === undefined || ((record.sequence - newest.sequence) | 0) > 0) newest = record
  }
  if (newest !== undefined) return { record: newest, isDamaged }
  return { record: { sequence: 0, state: { committed: 0, ranges: [] } }, isDamaged: true }
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}
