/** Why each of the oldest segments is there: what an operator sees of retention. */
import type { KeptReason } from '../../engine/terms.js'
import { keptReasons, type SharedState } from '../../ring/shared-state.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import { letGoBy } from '../../storage/life/retention.js'
import type { SegmentFacts } from '../../storage/life/retention-ledger.js'
import { SegmentAges } from '../../storage/life/segment-ages.js'
import type { KeptSegment } from '../protocol.js'
import type { SegmentNeeds } from './segment-needs.js'

const maxNamesOfNeed = 8

interface KeptSegmentsParts {
  state: SharedState<'reaper'>
  files: SegmentFiles
  now(): number
}

/** @param limit of segments */
export async function describeKept(
  { state, files, now }: KeptSegmentsParts,
  needs: SegmentNeeds,
  limit: number,
): Promise<KeptSegment[]> {
  const first = files.segmentOf(state.trim.load())
  const last = Math.max(state.activeSegment.load(), state.prepared.load())
  const found: KeptSegment[] = []
  // Of its own: that of retention is at the oldest segment.
  const ages = new SegmentAges(files)
  for (let segment = first; segment <= Math.min(last, first + limit - 1); segment++) {
    const active = state.activeSegment.load()
    const facts = segment < active && segment < needs.added ? needs.factsOf(segment) : undefined
    if (facts === undefined) {
      const because =
        segment > active ? 'prepared' : segment === active ? 'active' : segment < needs.added ? 'damaged' : 'unflushed'
      found.push({
        segment,
        because,
        neededBy: [],
        neededByCount: 0,
        lastTime: undefined,
        rewrites: 0,
        packed: undefined,
      })
      continue
    }
    const time = now()
    const names = namesOfNeed(needs, segment, facts, ages.since(segment, facts.lastTime, time, active), time)
    const because = names.length > 0 ? 'needed' : segment === first ? reasonOfOldest(state) : 'order'
    const neededBy = names.slice(0, maxNamesOfNeed)
    const rewrites = files.generationOf(segment)
    const packed = files.packingOf(segment)
    found.push({ segment, because, neededBy, neededByCount: names.length, lastTime: facts.lastTime, rewrites, packed })
    // The reaper has other things to do.
    await new Promise(setImmediate)
  }
  return found
}

function namesOfNeed(needs: SegmentNeeds, segment: number, facts: SegmentFacts, since: number, now: number): string[] {
  const names: string[] = []
  for (const share of needs.shares(segment, facts)) {
    if (letGoBy(share, since, now) === undefined) names.push(facts.rows[share.row].name)
  }
  return names
}

/** It is needed by nobody: what keeps it for the moment. */
function reasonOfOldest(state: SharedState): KeptReason {
  if (state.reaperErrno.load() !== 0) return 'device'
  const reason = keptReasons[state.keptReason.load()]
  return reason === 'pinned' ? reason : 'deleting'
}
