/**
 * Whether the side index of a segment is what it has to be: made anew out of the segment, and compared byte by byte. Nothing is lost with one that
 * is not; but one whose checksums hold and that lies would hide messages.
 */
import type { Disk } from '../files/disk.js'
import { SalvageWindow } from '../files/salvage-window.js'
import { sidePathOf } from '../files/segment-files.js'
import { LiveIndex } from '../index/live-index.js'
import { SideCollector } from '../side/side-collector.js'
import { namesIn, readSideHead, sideIndexOf, sideOwner } from '../side/side-index-file.js'
import type { SegmentFindings } from './segment-findings.js'
import type { StoredIndex } from './stored-index.js'
import type { SegmentTask } from './verify-report.js'

export function checkSideIndex(
  disk: Disk,
  { file: segmentFile, base, segmentBytes, logMark, isLive }: SegmentTask,
  window: SalvageWindow,
  { footer, rows }: StoredIndex,
  findings: SegmentFindings,
): void {
  const path = sidePathOf(segmentFile)
  const note = (bytes: number, what: string) => {
    findings.report.remarks.push({ kind: 'side index', file: path, position: 0, bytes, what, lost: [] })
  }
  let file: ReturnType<Disk['open']>
  try {
    file = disk.open(path, 'read')
  } catch {
    note(0, 'it is no file: nothing is found by it')
    return
  }
  if (file === undefined) return
  try {
    const stored = new SalvageWindow(file).read(0, file.size())
    const owner = footer && sideOwner(base, logMark, footer)
    const head = owner && readSideHead(file, owner)
    if (owner === undefined || head === undefined) {
      // An owner at work may be putting another in its place.
      if (!isLive)
        note(
          stored.length,
          'it is damaged, or not of this segment as it is: nothing is found by it, and it is made anew',
        )
      return
    }
    const names = namesIn(head, rows)
    const index = new LiveIndex(base, segmentBytes)
    const collector = new SideCollector((topic) => names.get(topic))
    index.catchUp(window, segmentBytes, true, { onValid: collector.batch, onExtended: collector.record })
    // Releases before have indexed no times, and made no filters.
    const hasFilters = head.sections.some(({ filter }) => filter !== undefined)
    const made = sideIndexOf(owner, index, collector, head.times.length > 0, hasFilters)
    if (Buffer.compare(made, stored) !== 0)
      note(stored.length, 'it is not what the segment says: delete it, and it is made anew')
  } finally {
    file.close()
  }
}
