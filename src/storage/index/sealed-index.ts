/** Reading the footer and directory that a sealed segment carries. */
import {
  type DirectoryRow,
  decodeDirectory,
  decodeFooter,
  footerBytes,
  type SegmentFooter,
} from '../../format/segment-layout.js'
import { isUnreadable } from '../../memory/errno.js'
import type { Disk } from '../files/disk.js'
import type { SegmentFiles } from '../files/segment-files.js'

export interface SealedSegment {
  footer: SegmentFooter
  rows: DirectoryRow[]
}

/**
 * @param read copies `[at, at + length)` of the segment. Where the device does not give a block there is no footer: the batches say all
 * that it would.
 * @returns undefined where there is no valid footer
 */
export function readSealedSegment(
  read: (at: number, length: number) => Uint8Array,
  base: number,
  segmentBytes: number,
): SealedSegment | undefined {
  try {
    const footer = readFooter(read, base, segmentBytes)
    if (footer === undefined) return undefined
    const rows = decodeDirectory(read(footer.directoryAt, segmentBytes - footerBytes - footer.directoryAt), footer)
    return rows === undefined ? undefined : { footer, rows }
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}

/** Its footer alone. */
export function readFooter(
  read: (at: number, length: number) => Uint8Array,
  base: number,
  segmentBytes: number,
): SegmentFooter | undefined {
  try {
    const bytes = read(segmentBytes - footerBytes, footerBytes)
    return bytes.length < footerBytes ? undefined : decodeFooter(bytes, base, segmentBytes)
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}

/** The same of a segment's file. Undefined as well where there is no file. */
export function readSealedFile(disk: Disk, files: SegmentFiles, segment: number): SealedSegment | undefined {
  const file = disk.open(files.path(segment), 'read')
  if (file === undefined) return undefined
  try {
    return readSealedSegment((at, length) => file.read(at, length), files.base(segment), files.segmentBytes)
  } finally {
    file.close()
  }
}

/** True if the segment carries its index, and with it the proof that it is durable. */
export function hasFooter(disk: Disk, files: SegmentFiles, segment: number): boolean {
  return readSealedFile(disk, files, segment) !== undefined
}
