/** Segment files: their names, how one comes to be and how it goes. */
import path from 'node:path'
import { assert } from '../errors.js'
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  formatVersion,
  type SegmentHeader,
  segmentHeaderBytes,
} from '../format/segment-layout.js'
import type { SystemCalls } from '../memory/memory.js'
import type { Disk } from './disk.js'
import { SalvageWindow } from './salvage-window.js'

const folder = 'log'
const nameDigits = 20
const finishedName = /^\d{20}\.seg$/
const unfinishedName = /^\d{20}\.seg\.new$/

/** Where the segment with its first byte at `position` stands, in the directory of its log. */
export function segmentPath(logDirectory: string, position: number): string {
  return path.join(logDirectory, folder, `${String(position).padStart(nameDigits, '0')}.seg`)
}

export class SegmentFiles {
  readonly directory: string
  readonly segmentBytes: number
  readonly #logDirectory: string
  readonly #disk: Disk

  constructor(disk: Disk, logDirectory: string, segmentBytes: number) {
    this.#disk = disk
    this.#logDirectory = logDirectory
    this.directory = path.join(logDirectory, folder)
    this.segmentBytes = segmentBytes
  }

  /** First position of a segment: segments tile the positions without holes. */
  base(segment: number): number {
    return segment * this.segmentBytes
  }

  segmentOf(position: number): number {
    return Math.floor(position / this.segmentBytes)
  }

  path(segment: number): string {
    return segmentPath(this.#logDirectory, this.base(segment))
  }

  /** Indices of the segments on disk, ascending. Files that are not ours are ignored. */
  list(): number[] {
    const found: number[] = []
    for (const name of this.#disk.list(this.directory)) {
      if (!finishedName.test(name)) continue
      const base = Number(name.slice(0, nameDigits))
      if (base % this.segmentBytes === 0 && Number.isSafeInteger(base)) found.push(base / this.segmentBytes)
    }
    return found.sort((a, b) => a - b)
  }

  /** Removes what a crash left half made. Such a file has never had its final name, so nothing is lost. */
  removeUnfinished(): void {
    for (const name of this.#disk.list(this.directory)) {
      if (unfinishedName.test(name)) this.#disk.remove(path.join(this.directory, name))
    }
  }

  /**
   * Makes an empty segment. It gets its name only when it is whole: blocks allocated (a later store into a hole of a
   * full disk would be a SIGBUS), header written, both flushed; then the rename, then the directory.
   * @throws the error of the call that failed; nothing is left behind then
   */
  create(segment: number, epoch: number, created: number, calls: SystemCalls): void {
    const final = this.path(segment)
    const temporary = `${final}.new`
    const file = this.#disk.create(temporary)
    try {
      calls.allocate(file.descriptor, this.segmentBytes)
      const header = {
        version: formatVersion,
        segmentBytes: this.segmentBytes,
        base: this.base(segment),
        epoch,
        created,
      }
      file.write(0, encodeSegmentHeader(header))
      file.sync()
      assert(file.size() === this.segmentBytes, 'an allocated segment has its full size')
      this.#disk.rename(temporary, final)
    } catch (error) {
      this.#disk.remove(temporary)
      throw error
    } finally {
      file.close()
    }
    this.#disk.syncDirectory(this.directory)
  }

  exists(segment: number): boolean {
    return this.#look(segment) !== undefined
  }

  /** True if the file is a segment of this log at this place, of full size. */
  isWhole(segment: number): boolean {
    const found = this.#look(segment)
    return found?.size === this.segmentBytes && found.header !== undefined && this.#isOurs(found.header, segment)
  }

  /** The same of what is left of one: without a legible header every batch still says where it belongs, and its index too. */
  mayBeOurs(segment: number): boolean {
    const found = this.#look(segment)
    return found !== undefined && (found.header === undefined || this.#isOurs(found.header, segment))
  }

  #isOurs({ version, base, segmentBytes }: SegmentHeader, segment: number): boolean {
    return version === formatVersion && base === this.base(segment) && segmentBytes === this.segmentBytes
  }

  /** Undefined: there is no file. A header that the device does not give is none. */
  #look(segment: number): { size: number; header: SegmentHeader | undefined } | undefined {
    const file = this.#disk.open(this.path(segment), 'read')
    if (file === undefined) return undefined
    try {
      const bytes = new SalvageWindow(file).read(0, segmentHeaderBytes)
      return { size: file.size(), header: decodeSegmentHeader(bytes) }
    } finally {
      file.close()
    }
  }

  /** Only after the trim position behind this segment is durable. A file that is gone already is no failure. */
  remove(segment: number): void {
    try {
      this.#disk.remove(this.path(segment))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }

  syncDirectory(): void {
    this.#disk.syncDirectory(this.directory)
  }
}
