/** What a sealed segment holds of whom: from its footer, or from its batches where it has none. */
import type { Memory } from '../../memory/memory.js'
import type { Disk } from '../files/disk.js'
import { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFiles } from '../files/segment-files.js'
import { LiveIndex } from '../index/live-index.js'
import { readSealedFile } from '../index/sealed-index.js'
import type { SegmentFacts } from './retention-ledger.js'

/**
 * A file that is gone holds nothing of anybody. Of one that the device does not give in full, what can be read counts.
 * @returns undefined if the file is there, but is no segment any more: nobody knows what it held
 */
export function readSegmentFacts(
  disk: Disk,
  files: SegmentFiles,
  memory: Memory,
  segment: number,
): SegmentFacts | undefined {
  const sealed = readSealedFile(disk, files, segment)
  if (sealed !== undefined) return { lastTime: sealed.footer.lastTime, rows: sealed.rows }
  if (!files.exists(segment)) return { lastTime: 0, rows: [] }
  if (!files.isWhole(segment)) return undefined
  const window = files.openWindow(memory, segment)
  try {
    const index = new LiveIndex(files.base(segment), files.segmentBytes)
    index.catchUp(new SalvageWindow(window), files.segmentBytes, true)
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
