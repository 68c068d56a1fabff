/** What transactions have acknowledged, added to a group's state as it is in the file. */
import { type OffsetRange, OffsetRanges } from '../../collections/offset-ranges.js'
import type { GroupState } from '../../format/group-layout.js'

export function foldedAcks({ committed, ranges, applied }: GroupState, acks: readonly OffsetRange[]): GroupState {
  const done = new OffsetRanges(ranges)
  for (const { first, end } of acks) done.add(first, end)
  let below = committed
  for (const { first, end } of done.list) if (first <= below) below = Math.max(below, end)
  done.removeBelow(below)
  return { committed: below, ranges: done.list, applied }
}
