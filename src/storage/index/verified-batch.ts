/** A single batch in its window, checked before anything of it is used. */
import { type BatchHeader, batchHeaderBytes, bodyMatches, readBatchHeader } from '../../format/batch-layout.js'
import type { PinnedWindow } from '../files/segment-windows.js'

/**
 * The header of the batch at `batch`, whose body has been verified now or before through the same mapping. Undefined: there is no
 * valid batch.
 * @param base position of the segment
 * @param end of what can be valid in the segment, relative
 */
export function verifiedHeader(
  { window, isVerified, markVerified }: PinnedWindow,
  base: number,
  batch: number,
  end: number,
): BatchHeader | undefined {
  const limit = end - batch
  if (limit < batchHeaderBytes) return undefined
  const header = readBatchHeader(window.read(batch, batchHeaderBytes), 0, base + batch, limit)
  if (header === undefined || isVerified(batch)) return header
  if (!bodyMatches(window.read(batch, header.bytes), 0, header)) return undefined
  markVerified(batch)
  return header
}
