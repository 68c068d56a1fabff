/** Indexing a segment by the rows of its batches, and by the batches themselves where there are none. */
import type { RowReader } from '../rows/rows.js'
import type { Legible, LiveIndex } from './live-index.js'

/**
 * Goes on with the index of a sealed segment for about `stepBytes`. Whether it is whole is to be looked at behind each step.
 * @param rows where those of batches of this segment may be; what was used of them is gone
 * @param base position of the segment
 * @param trustedEpoch whose batches are believed, as for {@link LiveIndex.catchUp}: that of the rows
 */
export function catchUpByRows(
  index: LiveIndex,
  rows: RowReader,
  window: Legible,
  {
    base,
    segmentBytes,
    stepBytes,
    trustedEpoch,
  }: {
    base: number
    segmentBytes: number
    stepBytes: number
    trustedEpoch: number
  },
): void {
  const stepEnd = Math.min(index.end + stepBytes, segmentBytes)
  while (index.end < stepEnd && !index.isSealed && index.addsUp && index.damages.length === 0) {
    const hasMore = rows.seek(base + index.end)
    if (hasMore && rows.position === base + index.end) {
      index.addRow(rows)
      continue
    }
    // Up to the next batch of which there is a row: nothing between is passed over.
    const to = hasMore ? Math.min(rows.position - base, segmentBytes) : segmentBytes
    index.catchUp(window, to, true, { stepBytes: stepEnd - index.end, trustedEpoch })
  }
}
