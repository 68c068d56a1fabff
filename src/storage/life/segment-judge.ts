/**
 * How far a segment without a footer goes, and whether the bytes behind its last valid batch are damage, behind which the log goes on,
 * or a tail that is torn, or was never written, and is cut off: the table is in recovery.ts. Nothing is changed here.
 */
import { batchHeaderBytes, readBatchHeader } from '../../format/batch-layout.js'
import type { ControlRecord } from '../../format/control-layout.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import type { Disk } from '../files/disk.js'
import { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFiles, SegmentLook } from '../files/segment-files.js'
import { findNextBatch } from '../index/batch-scan.js'
import { LiveIndex } from '../index/live-index.js'
import { readSealedSegment } from '../index/sealed-index.js'
import { isZero, SegmentRemains } from './segment-remains.js'

const sectorBytes = 512

export interface JudgeParts {
  disk: Disk
  files: SegmentFiles
  /** What the files are, as they were found before: see {@link SegmentFiles.lookAtAll}. */
  looks: ReadonlyMap<number, SegmentLook>
  control: ControlRecord | undefined
  bootId: string
}

/** A segment without a footer, walked. */
export interface JudgedSegment {
  index: LiveIndex
  /** Where appending would go on. */
  relative: number
  /** Bytes stand behind it that are nothing. */
  hasRemains: boolean
  /** The control file says that the log ends here, and was closed. */
  isEnd: boolean
}

export class SegmentJudge {
  readonly #parts: JudgeParts
  readonly #segments: readonly number[]
  readonly #remains: SegmentRemains

  /** @param segments of the log, those behind its end included */
  constructor(parts: JudgeParts, segments: readonly number[]) {
    this.#parts = parts
    this.#segments = segments
    this.#remains = new SegmentRemains(parts.disk, parts.files)
  }

  /** @param durable relative position before which everything had been flushed */
  judge(segment: number, window: SalvageWindow, durable: number): JudgedSegment {
    let before = durable
    for (;;) {
      const judged = this.#derive(segment, window, before)
      const unknown = Math.max(0, ...window.unreadable.map(({ to }) => to))
      if (judged.index.isSealed || judged.isEnd || unknown <= before) return judged
      // What stands there may have been acknowledged: once more, as damage and not as a tail that is torn.
      before = unknown
    }
  }

  hasDataBehind(segment: number): boolean {
    return this.#segments.some((later) => later > segment && this.beginsWithData(later))
  }

  /** True if the segment begins with a valid batch (or carries a footer), or may: the device does not give its beginning. */
  beginsWithData(segment: number): boolean {
    const { disk, files, looks } = this.#parts
    if (looks.get(segment) === 'foreign') return false
    const file = disk.open(files.path(segment), 'read')
    if (file === undefined) return false
    try {
      const window = new SalvageWindow(file)
      const read = (at: number, length: number) => window.read(at, length)
      const to = Math.min(file.size(), segmentHeaderBytes + 4096)
      return (
        findNextBatch(read, files.base(segment), segmentHeaderBytes, to, file.size()) >= 0 ||
        window.unreadable.length > 0 ||
        readSealedSegment(read, files.base(segment), files.segmentBytes) !== undefined
      )
    } finally {
      file.close()
    }
  }

  /** What is in the segment, its bytes before `durable` (relative) taken for data. */
  #derive(segment: number, window: SalvageWindow, durable: number): JudgedSegment {
    const { files, control } = this.#parts
    const base = files.base(segment)
    const { segmentBytes } = files
    let index = new LiveIndex(base, segmentBytes, false)
    // Nothing can be wrong before the durable position but damage: read on behind it.
    if (durable > segmentHeaderBytes) index.catchUp(window, durable, true)
    if (!index.isSealed) index.catchUp(window, segmentBytes, false)
    const isEnd = control?.isClean === true && control.published === base + index.end
    // What most crashes leave: nothing. One look tells, and neither batches nor remains have to be searched.
    const isBlank = !index.isSealed && !isEnd && this.#remains.isBlank(segment, window, index.end)
    const isWholeTail = isEnd || (isBlank && !this.hasDataBehind(segment) && durable <= index.end)
    if (!index.isSealed && !isWholeTail && this.#isDamage(segment, index, window, durable)) {
      index.catchUp(window, segmentBytes, true)
      const last = index.damages.at(-1)
      // Behind the last valid batch of an unsealed segment there is nothing: that is no damage unless the log goes on.
      if (!index.isSealed && last?.to === segmentBytes && !this.hasDataBehind(segment)) {
        index.damages.pop()
        if (durable > last.from) index.damages.push({ from: last.from, to: durable })
      }
    }
    const relative = Math.max(index.groupEnd, durable)
    const hasRemains = !isEnd && !(isBlank && relative === index.end)
    if (!index.isSealed && relative < index.end) {
      // A group that was not finished is cut, so its records do not count.
      index = new LiveIndex(base, segmentBytes, false)
      index.catchUp(window, relative, true)
    }
    return { index, relative, hasRemains, isEnd }
  }

  /** Decides about bytes behind the last valid batch that are no batch. */
  #isDamage(segment: number, index: LiveIndex, window: SalvageWindow, durable: number): boolean {
    const { files, control, bootId } = this.#parts
    const base = files.base(segment)
    if (index.end < durable) return true
    const read = (at: number, length: number) => window.read(at, length)
    const next = findNextBatch(read, base, index.end, this.#remains.writtenEnd(segment), files.segmentBytes)
    if (next < 0 && !this.hasDataBehind(segment)) return false
    const isSameBoot = control !== undefined && control.bootId === bootId && /[1-9a-f]/.test(bootId)
    return isSameBoot && !this.#looksUnwritten(window, base, index.end, next)
  }

  /**
   * Pages that never reached the disk read as zeros: a whole sector of them, or all the rest of the first, at the place of the
   * bad batch at `end`. What stands behind it does not count.
   * @param next the next valid batch of the segment, or -1
   */
  #looksUnwritten(window: SalvageWindow, base: number, end: number, next: number): boolean {
    const room = this.#parts.files.segmentBytes - end
    const header = readBatchHeader(window.read(end, Math.min(batchHeaderBytes, room)), 0, base + end, room)
    const rest = sectorBytes - (end % sectorBytes)
    const claimed = header?.bytes ?? batchHeaderBytes
    const sectors = rest + Math.ceil(Math.max(0, claimed - rest) / sectorBytes) * sectorBytes
    const bytes = window.read(end, next < 0 ? Math.min(sectors, room) : next - end)
    if (isZero(bytes.subarray(0, rest))) return true
    for (let at = rest; at + sectorBytes <= bytes.length; at += sectorBytes) {
      if (isZero(bytes.subarray(at, at + sectorBytes))) return true
    }
    return false
  }
}
