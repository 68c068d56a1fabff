/** What a sealed segment holds of whom: from its footer, or from its batches where it has none. */
import type { Memory } from '../memory/memory.js'
import type { Disk } from './disk.js'
import { LiveIndex } from './live-index.js'
import type { SegmentFacts } from './retention-ledger.js'
import { readSealedSegment } from './sealed-index.js'
import type { SegmentFiles } from './segment-files.js'

/**
 * A file that is gone holds nothing of anybody.
 * @returns undefined if the file is there, but is no segment any more: nobody knows what it held
 */
export function readSegmentFacts(
  disk: Disk,
  files: SegmentFiles,
  memory: Memory,
  segment: number,
): SegmentFacts | undefined {
  const base = files.base(segment)
  const file = disk.open(files.path(segment), 'read')
  if (file === undefined) return { lastTime: 0, rows: [] }
  const sealed = readSealedSegment((at, length) => file.read(at, length), base, files.segmentBytes)
  file.close()
  if (sealed !== undefined) return { lastTime: sealed.footer.lastTime, rows: sealed.rows }
  if (!files.isWhole(segment)) return undefined
  const window = memory.open(files.path(segment), files.segmentBytes, 'read')
  try {
    const index = new LiveIndex(base, files.segmentBytes)
    index.catchUp(window, files.segmentBytes, true)
    const rows = [...index.topics.values()].map(({ topic, name, firstOffset, count, frameBytes }) => ({
      topic,
      name,
      firstOffset,
      count,
      frameBytes,
    }))
    return { lastTime: index.lastTime, rows }
  } finally {
    window.close()
  }
}
