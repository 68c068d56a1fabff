/** Reading the footer and directory that a sealed segment carries. */
import {
  type DirectoryRow,
  decodeDirectory,
  decodeFooter,
  footerBytes,
  type SegmentFooter,
} from '../format/segment-layout.js'

export interface SealedSegment {
  footer: SegmentFooter
  rows: DirectoryRow[]
}

/** @param read copies `[at, at + length)` of the segment. @returns undefined where there is no valid footer. */
export function readSealedSegment(
  read: (at: number, length: number) => Uint8Array,
  base: number,
  segmentBytes: number,
): SealedSegment | undefined {
  const bytes = read(segmentBytes - footerBytes, footerBytes)
  const footer = bytes.length < footerBytes ? undefined : decodeFooter(bytes, base, segmentBytes)
  if (footer === undefined) return undefined
  const rows = decodeDirectory(read(footer.directoryAt, segmentBytes - footerBytes - footer.directoryAt), footer)
  return rows === undefined ? undefined : { footer, rows }
}
