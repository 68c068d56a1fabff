/** Segment files: their names, how one comes to be and how it goes. */
import path from 'node:path'
import { assert } from '../../errors.js'
import { segmentFault } from '../../format/features.js'
import { logMarkOf } from '../../format/log-id.js'
import {
  decodeFooter,
  decodeSegmentHeader,
  encodeSegmentHeader,
  footerBytes,
  formatVersion,
  type SegmentHeader,
  segmentHeaderBytes,
} from '../../format/segment-layout.js'
import { errno, failedCall } from '../../memory/errno.js'
import type { Memory, SystemCalls, Window } from '../../memory/memory.js'
import { codecFault } from '../packed/codecs.js'
import { type PackedAs, packedAs } from '../packed/packed-size.js'
import { type SegmentFile, unpackedFile, unpackedWindow } from '../packed/unpacked.js'
import type { UnpackedCache } from '../packed/unpacked-cache.js'
import type { Disk, DiskFile } from './disk.js'
import { SalvageWindow } from './salvage-window.js'

export type { SegmentFile } from '../packed/unpacked.js'

const folder = 'log'
const nameDigits = 20
/**
 * What stands under the name of a segment: nothing; a segment of this log; one of this log, but not of its full size; one of another
 * log; what does not say whose it is, since its header is damaged; what speaks of another place, or version; or one of this log that
 * only a later release can read.
 */
export type SegmentLook = 'missing' | 'whole' | 'cut' | 'foreign' | 'illegible' | 'misplaced' | 'unknown'

/** True if it is, or what is left of it may be: without a legible header every batch still says where it belongs, and its index too. */
export function mayBeOwn(look: SegmentLook): boolean {
  return look === 'whole' || look === 'cut' || look === 'illegible'
}

/** True if there is something that does not say, in a legible header, that it is this log's: it is not deleted. */
function isUnproven(look: SegmentLook): boolean {
  return look === 'foreign' || look === 'illegible' || look === 'misplaced' || look === 'unknown'
}

const finishedName = /^\d{20}\.seg$/
const unfinishedName = /^\d{20}\.(seg|idx)\.new$/
const sideName = /^\d{20}\.idx$/

/** Where the segment with its first byte at `position` stands, in the directory of its log. */
export function segmentPath(logDirectory: string, position: number): string {
  return path.join(logDirectory, folder, `${String(position).padStart(nameDigits, '0')}.seg`)
}

/** Where the side index of the segment in that file stands. */
export function sidePathOf(segmentFile: string): string {
  return segmentFile.replace(/\.seg$/, '.idx')
}

export class SegmentFiles {
  readonly directory: string
  readonly segmentBytes: number
  /** Of the log. */
  readonly id: string
  readonly logDirectory: string
  readonly #disk: Disk

  constructor(disk: Disk, logDirectory: string, segmentBytes: number, id: string) {
    this.#disk = disk
    this.logDirectory = logDirectory
    this.directory = path.join(logDirectory, folder)
    this.segmentBytes = segmentBytes
    this.id = id
  }

  /** First position of a segment: segments tile the positions without holes. */
  base(segment: number): number {
    return segment * this.segmentBytes
  }

  segmentOf(position: number): number {
    return Math.floor(position / this.segmentBytes)
  }

  path(segment: number): string {
    return segmentPath(this.logDirectory, this.base(segment))
  }

  /** To read what was written into a segment, packed or not. Undefined: there is no such file. */
  open(segment: number): SegmentFile | undefined {
    const file = this.#disk.open(this.path(segment), 'read')
    return file && openedOr(file, () => unpackedFile(file, this.base(segment), this.segmentBytes))
  }

  /**
   * The same through a window.
   * @param memory opens windows without mapping: a mapping would be of the file as it is
   * @param cache of this thread; by default one for reading in order
   */
  openWindow(memory: Memory, segment: number, cache?: UnpackedCache): Window {
    const window = memory.open(this.path(segment), this.segmentBytes, 'read')
    return openedOr(window, () => unpackedWindow(window, this.base(segment), cache))
  }

  /** Which file it is now: another one once it was packed or written anew. undefined: there is none. */
  identityOf(segment: number): string | undefined {
    return this.#disk.identityAt(this.path(segment))
  }

  /** Of its side index: see format/side-index-layout.ts. */
  sidePath(segment: number): string {
    return sidePathOf(this.path(segment))
  }

  /** Indices of the segments on disk, ascending. Files that are not ours are ignored. */
  list(): number[] {
    const found: number[] = []
    for (const name of this.#disk.list(this.directory, true)) {
      if (!finishedName.test(name)) continue
      const base = Number(name.slice(0, nameDigits))
      if (base % this.segmentBytes === 0 && Number.isSafeInteger(base)) found.push(base / this.segmentBytes)
    }
    return found.sort((a, b) => a - b)
  }

  /**
   * Removes what a crash left half made. Such a file has never had its final name, so nothing is lost. A side index without its segment
   * goes as well.
   */
  removeUnfinished(): void {
    const names = this.#disk.list(this.directory)
    const segments = new Set(names)
    const isOrphan = (name: string) => sideName.test(name) && !segments.has(`${name.slice(0, nameDigits)}.seg`)
    for (const name of names)
      if (unfinishedName.test(name) || isOrphan(name)) this.#disk.remove(path.join(this.directory, name))
  }

  /** Nothing is lost with it. What cannot be removed is not believed either. */
  removeSide(segment: number): void {
    try {
      this.#disk.remove(this.sidePath(segment))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
    }
  }

  /**
   * Makes an empty segment. It gets its name only when it is whole: of full size, its first blocks allocated, header written, all
   * of it flushed; then the rename, then the directory.
   * @param blockBytes how much of it gets blocks at once; what is behind them is a hole until {@link allocate}
   * @throws the error of the call that failed; nothing is left behind then
   */
  create(segment: number, epoch: number, created: number, calls: SystemCalls, blockBytes = this.segmentBytes): void {
    const final = this.path(segment)
    const temporary = `${final}.new`
    const file = this.#disk.create(temporary)
    try {
      file.resize(this.segmentBytes)
      if (blockBytes > 0) calls.allocate(file.descriptor, blockBytes)
      const header = {
        version: formatVersion,
        segmentBytes: this.segmentBytes,
        base: this.base(segment),
        epoch,
        features: 0,
        created,
        generation: 0,
        logMark: logMarkOf(this.id),
      }
      file.write(0, encodeSegmentHeader(header))
      file.sync()
      assert(file.size() === this.segmentBytes, 'a new segment has its full size')
      // Nobody has asked whose it is, if something has taken the name meanwhile.
      this.#makeWay(segment)
      this.#disk.rename(temporary, final)
    } catch (error) {
      this.#disk.remove(temporary)
      throw error
    } finally {
      file.close()
    }
    this.#disk.syncDirectory(this.directory)
  }

  /** Why this release cannot read a segment, as the rest of a sentence about its file; undefined: it can, as far as the header tells. */
  faultOf(segment: number): string | undefined {
    const file = this.#disk.open(this.path(segment), 'read')
    try {
      const header = file === undefined ? undefined : readHeader(file)
      return header === undefined ? undefined : headerFault(header)
    } finally {
      file?.close()
    }
  }

  /** When the file was made, by the clock of that moment; undefined: it is not there, or does not say. */
  createdAt(segment: number): number | undefined {
    const file = this.isWhole(segment) ? this.#disk.open(this.path(segment), 'read') : undefined
    if (file === undefined) return undefined
    try {
      return readHeader(file)?.created
    } finally {
      file.close()
    }
  }

  /** What packing has made of it; undefined: it is not packed, or does not say. */
  packedAs(segment: number): PackedAs | undefined {
    const file = this.#disk.open(this.path(segment), 'read')
    if (file === undefined) return undefined
    try {
      const bytes = new SalvageWindow(file).read(this.segmentBytes - footerBytes, footerBytes)
      return packedAs(readHeader(file), decodeFooter(bytes, this.base(segment), this.segmentBytes))
    } finally {
      file.close()
    }
  }

  /** The same as users are told: how, and how many times smaller what it holds is so. */
  packingOf(segment: number): { codec: PackedAs['codec']; ratio: number } | undefined {
    const as = this.packedAs(segment)
    return as && { codec: as.codec, ratio: as.bytes / as.packedBytes }
  }

  /** As its header says; what has no header that could be read, nothing is written into anyway. */
  isPacked(segment: number): boolean {
    const file = this.#disk.open(this.path(segment), 'read')
    try {
      return file !== undefined && readHeader(file)?.packing !== undefined
    } finally {
      file?.close()
    }
  }

  /** How often it was written anew; 0 as well where that cannot be told. */
  generationOf(segment: number): number {
    const file = this.#disk.open(this.path(segment), 'read')
    try {
      return (file && readHeader(file)?.generation) ?? 0
    } finally {
      file?.close()
    }
  }

  exists(segment: number): boolean {
    return this.look(segment) !== 'missing'
  }

  /**
   * Blocks for `[from, to)` of a segment. Nothing may be stored into a mapping where there are none: on a full disk that is a SIGBUS.
   * Not flushed: what a power cut takes of them, it takes with what was written into them.
   */
  allocate(segment: number, from: number, to: number, calls: SystemCalls): void {
    const file = this.#disk.open(this.path(segment), 'write')
    if (file === undefined) throw failedCall('open', errno.ENOENT, this.path(segment))
    try {
      calls.allocate(file.descriptor, to, from)
    } finally {
      file.close()
    }
  }

  /** Whose it is, as far as its header and its size tell. */
  look(segment: number): SegmentLook {
    const file = this.#disk.open(this.path(segment), 'read')
    if (file === undefined) return 'missing'
    try {
      const header = readHeader(file)
      if (header === undefined) return 'illegible'
      if (header.version !== formatVersion) return 'misplaced'
      if (header.logMark !== logMarkOf(this.id) || header.segmentBytes !== this.segmentBytes) return 'foreign'
      if (header.base !== this.base(segment)) return 'misplaced'
      if (headerFault(header) !== undefined) return 'unknown'
      return file.size() === this.segmentBytes ? 'whole' : 'cut'
    } finally {
      file.close()
    }
  }

  /** The same of all that are listed. */
  lookAtAll(): Map<number, SegmentLook> {
    return new Map(this.list().map((segment) => [segment, this.look(segment)]))
  }

  /** True if the file is a segment of this log at this place, of full size. */
  isWhole(segment: number): boolean {
    return this.look(segment) === 'whole'
  }

  /**
   * Only after the trim position behind this segment is durable. A file that is gone already is no failure. One that does not
   * provably belong to this log is never deleted: it is moved out of the way.
   * @returns where it is then
   */
  remove(segment: number): string | undefined {
    this.removeSide(segment)
    const aside = this.#makeWay(segment)
    if (aside !== undefined) return aside
    try {
      this.#disk.remove(this.path(segment))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    return undefined
  }

  /** Gives the file another name, under which nobody takes it for a segment. The directory is the caller's to flush. */
  setAside(segment: number): string {
    const taken = this.#disk.list(this.directory)
    const from = this.path(segment)
    let to = `${from}.aside`
    for (let number = 2; taken.includes(path.basename(to)); number++) to = `${from}.aside-${number}`
    this.#disk.rename(from, to)
    return to
  }

  #makeWay(segment: number): string | undefined {
    return isUnproven(this.look(segment)) ? this.setAside(segment) : undefined
  }

  syncDirectory(): void {
    this.#disk.syncDirectory(this.directory)
  }
}

/** Why this release, on this Node, cannot read a segment with that header, as the rest of a sentence about it. */
export function headerFault({ features, packing }: SegmentHeader): string | undefined {
  return segmentFault(features) ?? (packing === undefined ? undefined : codecFault(packing.codec))
}

/** Closes what was opened where it cannot be used. */
function openedOr<O extends { close(): void }, R>(opened: O, use: () => R): R {
  try {
    return use()
  } catch (error) {
    opened.close()
    throw error
  }
}

/** One that the device does not give is none. */
function readHeader(file: DiskFile): SegmentHeader | undefined {
  return decodeSegmentHeader(new SalvageWindow(file).read(0, segmentHeaderBytes))
}
