/** Why each of the oldest segments is there, and what becomes of it next: what an operator sees of retention, rewriting and packing. */
import type { PackingOutlook, RewritingOutlook } from '../../engine/stats.js'
import type { KeptReason } from '../../engine/terms.js'
import type { SegmentFooter } from '../../format/segment-layout.js'
import { keptReasons, type SharedState } from '../../ring/shared-state.js'
import type { Disk } from '../../storage/files/disk.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import { readSealedFile } from '../../storage/index/sealed-index.js'
import { goesAt, letGoBy } from '../../storage/life/retention.js'
import type { SegmentFacts } from '../../storage/life/retention-ledger.js'
import { SegmentAges } from '../../storage/life/segment-ages.js'
import type { KeptNeed, KeptSegment } from '../protocol.js'
import type { OlderBytes, Reclaimer } from './reclaimer.js'
import type { RowShare, SegmentNeeds } from './segment-needs.js'

const maxNamesOfNeed = 8

interface KeptSegmentsParts {
  state: SharedState<'reaper'>
  disk: Disk
  files: SegmentFiles
  now(): number
}

/** Who is asked. */
export interface KeptBy {
  needs: SegmentNeeds
  reclaimer: Reclaimer
  /** What becomes of a sealed segment where the log is packed. */
  packing(segment: number, footer: SegmentFooter): PackingOutlook
}

/** @param limit of segments */
export async function describeKept(parts: KeptSegmentsParts, by: KeptBy, limit: number): Promise<KeptSegment[]> {
  const { state, files } = parts
  const first = files.segmentOf(state.trim.load())
  const last = Math.max(state.activeSegment.load(), state.prepared.load())
  const found: KeptSegment[] = []
  // Of its own: that of retention is at the oldest segment.
  const ages = new SegmentAges(files)
  const older: OlderBytes = new Map()
  for (let segment = first; segment <= Math.min(last, first + limit - 1); segment++) {
    const active = state.activeSegment.load()
    const isKnown = segment < active && segment < by.needs.added
    const kept = isKnown ? describeSealed(parts, by, segment, ages, older) : undefined
    found.push(kept ?? { segment, because: reasonOfOther(segment, active, by.needs.added), ...nothingKnown })
    // The reaper has other things to do.
    if (isKnown) await new Promise(setImmediate)
  }
  const oldest = found.at(0)
  if (oldest?.because === 'order') oldest.because = reasonOfOldest(state)
  return found
}

const nothingKnown = {
  neededBy: [],
  neededByCount: 0,
  needs: [],
  lastTime: undefined,
  rewrites: 0,
  packed: undefined,
  rewriting: undefined,
  packing: undefined,
}

function describeSealed(
  { state, disk, files, now }: KeptSegmentsParts,
  { needs, reclaimer, packing }: KeptBy,
  segment: number,
  ages: SegmentAges,
  older: OlderBytes,
): KeptSegment | undefined {
  const sealed = readSealedFile(disk, files, segment)
  const facts = sealed === undefined ? needs.factsOf(segment) : { lastTime: sealed.footer.lastTime, rows: sealed.rows }
  if (facts === undefined) return undefined
  const time = now()
  const since = ages.since(segment, facts.lastTime, time, state.activeSegment.load())
  const needing: KeptNeed[] = []
  for (const share of needs.sizedShares(segment, facts.rows, older))
    if (letGoBy(share, since, time) === undefined) needing.push(needOf(share, facts, since, reclaimer, segment))
  const plan = reclaimer.weigh(segment, facts.rows, since, time, older)
  const rewriting: RewritingOutlook | undefined = sealed && reclaimer.outlook(segment, plan, time)
  const shown = needing.slice(0, maxNamesOfNeed)
  return {
    segment,
    because: needing.length > 0 ? 'needed' : 'order',
    neededBy: shown.map(({ topic }) => topic),
    neededByCount: needing.length,
    needs: shown,
    lastTime: facts.lastTime,
    rewrites: files.generationOf(segment),
    packed: files.packingOf(segment),
    rewriting,
    packing: sealed && packing(segment, sealed.footer),
  }
}

function needOf(
  share: RowShare,
  { rows }: SegmentFacts,
  since: number,
  reclaimer: Reclaimer,
  segment: number,
): KeptNeed {
  const { retention, bytesBehind, row, topic } = share
  const until = goesAt(share, since)
  return {
    topic: rows[row].name,
    until: Number.isFinite(until) ? until : undefined,
    bytesToCome: retention.maxBytes === undefined ? undefined : retention.maxBytes - bytesBehind,
    isUnconsumed: retention.consumed === true,
    tombstones: retention.compact === true ? reclaimer.tombstonesIn(segment, topic) : 0,
  }
}

function reasonOfOther(segment: number, active: number, known: number): KeptReason {
  if (segment >= active) return segment > active ? 'prepared' : 'active'
  return segment < known ? 'damaged' : 'unflushed'
}

/** It is needed by nobody: what keeps it for the moment. */
function reasonOfOldest(state: SharedState): KeptReason {
  if (state.reaperErrno.load() !== 0) return 'device'
  const reason = keptReasons[state.keptReason.load()]
  return reason === 'pinned' ? reason : 'deleting'
}
