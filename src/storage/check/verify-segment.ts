/**
 * Checking one segment, all of it: header, both checksums of every batch, every frame, the offsets of every topic, and
 * the index entry by entry against the frames it points to. Pure over bytes: it changes nothing and never throws for what
 * it reads, since what cannot be read is damage as well.
 */
import { BookendError } from '../../errors.js'
import { logIdText } from '../../format/log-id.js'
import {
  decodeSegmentHeader,
  footerBytes,
  formatVersion,
  type SegmentHeader,
  segmentHeaderBytes,
} from '../../format/segment-layout.js'
import { badBlockCode } from '../../memory/errno.js'
import type { Disk, DiskFile } from '../files/disk.js'
import { SalvageWindow } from '../files/salvage-window.js'
import { headerFault, type SegmentFile } from '../files/segment-files.js'
import { badTableOf } from '../packed/packed-table.js'
import { unpackedFile } from '../packed/unpacked.js'
import { BatchWalk } from './batch-walk.js'
import { checkIndex } from './index-check.js'
import { guessLost } from './legible-rests.js'
import { nonZeroSpan } from './non-zero-span.js'
import { SegmentFindings } from './segment-findings.js'
import { checkSideIndex } from './side-index-check.js'
import { readStoredIndex, type StoredIndex } from './stored-index.js'
import type { SegmentReport, SegmentTask } from './verify-report.js'
import { WalkedTopics } from './walked-topics.js'

export function verifySegment(disk: Disk, task: SegmentTask): SegmentReport {
  const findings = new SegmentFindings(task)
  const file = disk.open(task.file, 'read')
  if (file === undefined) {
    findings.damage('missing', 0, task.segmentBytes, 'the file is not there')
    return findings.nothingOfOurs()
  }
  try {
    return check(disk, task, findings, file)
  } finally {
    file.close()
  }
}

function check(disk: Disk, task: SegmentTask, findings: SegmentFindings, file: DiskFile): SegmentReport {
  const { base, segmentBytes, logMark } = task
  const header = decodeSegmentHeader(new SalvageWindow(file).read(0, segmentHeaderBytes))
  if (header?.version === formatVersion && header.logMark !== logMark) {
    const what = `the file belongs to another log (${logIdText(header.logMark)}), not to this one (${logIdText(logMark)})`
    findings.damage('foreign', 0, segmentBytes, what)
    return findings.nothingOfOurs()
  }
  const unknown = header === undefined ? undefined : headerFault(header)
  if (unknown !== undefined) {
    findings.damage('header', 0, segmentHeaderBytes, `the file ${unknown}`)
    return findings.nothingOfOurs()
  }
  const unpacked = unpackedOrFault(file, task)
  if (typeof unpacked === 'string') {
    findings.damage('header', 0, segmentHeaderBytes, unpacked)
    return findings.nothingOfOurs()
  }
  const window = new SalvageWindow(unpacked)
  checkSize(task, findings, file.size())
  checkHeader(task, findings, header)
  checkTables(file, task, findings)
  findings.report.isPacked = unpacked !== file
  const index = readStoredIndex(window, task, findings)
  const topics = new WalkedTopics(base, findings, index)
  new BatchWalk(task, findings, topics).run(window, index.footer?.dataEnd)
  guessLost(window, base, findings, topics)
  checkIndex(index, findings, topics)
  checkRemains(window, task, findings, index)
  noteUnreadable(window, base, findings)
  checkSideIndex(disk, task, window, index, findings)
  findings.report.topics = topics.report()
  return findings.report
}

function checkSize({ segmentBytes }: SegmentTask, findings: SegmentFindings, size: number): void {
  if (size < segmentBytes) {
    const what = `the file has ${size} bytes of ${segmentBytes}: its end is missing`
    findings.damage('size', size, segmentBytes - size, what)
  } else if (size > segmentBytes) {
    findings.damage('size', segmentBytes, size - segmentBytes, `the file has ${size} bytes instead of ${segmentBytes}`)
  }
}

function checkHeader(
  { base, segmentBytes }: SegmentTask,
  findings: SegmentFindings,
  header: SegmentHeader | undefined,
): void {
  const isRight =
    header !== undefined &&
    header.version === formatVersion &&
    header.base === base &&
    header.segmentBytes === segmentBytes
  if (isRight) return
  const what = header === undefined ? 'the header fails its checksum' : 'the header is that of another segment'
  findings.damage('header', 0, segmentHeaderBytes, what)
}

/** What was written into it; or why nobody here can tell. */
function unpackedOrFault(file: DiskFile, { base, segmentBytes }: SegmentTask): SegmentFile | string {
  try {
    return unpackedFile(file, base, segmentBytes)
  } catch (error) {
    if (error instanceof BookendError) return error.message
    throw error
  }
}

function checkTables(file: DiskFile, { base, segmentBytes }: SegmentTask, findings: SegmentFindings): void {
  const bad = badTableOf(file, base, segmentBytes)
  if (bad !== undefined) findings.damage('index', bad.at, bad.bytes, 'a table of its packed blocks fails its checksum')
}

/** Bytes behind the data that should be zeros. They never pass for data, as every batch carries its own position. */
function checkRemains(
  window: SalvageWindow,
  { segmentBytes, end, isLive }: SegmentTask,
  findings: SegmentFindings,
  { footer }: StoredIndex,
): void {
  const { report } = findings
  if ((end !== undefined && isLive) || report.isTailLost || findings.has('index')) return
  // A half-written index stands behind the data of a segment that has no footer yet.
  const to = footer?.entriesAt ?? segmentBytes - (end === undefined ? footerBytes : 0)
  const found = nonZeroSpan(window, report.end, to)
  if (found === undefined) return
  const bytes = found.to - found.from
  if (end !== undefined) {
    findings.remark('torn', found.from, bytes, 'bytes behind the end: the next owner cuts them off')
    return
  }
  const what =
    footer === undefined
      ? 'bytes of an index that was not finished: harmless, it is written again'
      : 'bytes where there should be none: harmless, they are never read'
  findings.remark('remains', found.from, bytes, what)
}

/** Unreadable blocks that no other damage accounts for. */
function noteUnreadable(window: SalvageWindow, base: number, findings: SegmentFindings): void {
  for (const { from, to, code } of window.unreadable) {
    if (code === 'EOF') continue
    const inside = findings.report.damages.find(
      ({ kind, position, bytes }) => kind !== 'missing' && position < base + to && base + from < position + bytes,
    )
    const isPacked = code === badBlockCode
    if (inside === undefined) {
      const what = isPacked
        ? 'these bytes stood in a packed block that is damaged'
        : 'the device does not give these bytes'
      findings.damage('unreadable', from, to - from, `${what} (${code})`)
    } else {
      const what = isPacked ? 'of a packed block that is damaged' : 'that the device does not give'
      inside.what += ` (${code}: ${to - from} bytes at ${base + from} ${what})`
    }
  }
}
