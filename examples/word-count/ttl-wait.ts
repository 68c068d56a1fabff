import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from 'bookend'
import { type MemoryReport, mappedBytes, reportMemory } from './memory-report.js'
import type { Phase } from './progress.js'

const POLL_MS = 50
/** The log promises two TTLs; a busy machine gets a moment more. */
const GRACE_MS = 500

/** Before and after nobody touched the log for a while. */
export interface TtlResult {
  readonly ttlMs: number
  readonly waitedMs: number
  readonly before: MemoryReport
  readonly after: MemoryReport
}

/**
 * Leaves the log alone until its mappings are gone, for two TTLs at most.
 *
 * @param log to leave alone
 * @param ttlMs what it was opened with
 */
export async function waitOutTtl(log: Log, ttlMs: number, phase: Phase, signal: AbortSignal): Promise<TtlResult> {
  const before = await reportMemory(log)
  const startedAt = performance.now()
  const deadlineMs = 2 * ttlMs + GRACE_MS
  for (let waitedMs = 0; waitedMs < deadlineMs; waitedMs = performance.now() - startedAt) {
    await delay(Math.min(POLL_MS, ttlMs), undefined, { signal })
    phase.advance(0, 0)
    if ((await mappedBytes(log)) === 0) break
  }
  const waitedMs = performance.now() - startedAt
  return { ttlMs, waitedMs, before, after: await reportMemory(log) }
}

/** Whether idle mappings went away; undefined where nothing was mapped or nobody can tell. */
export function isReleased({ before, after }: TtlResult): boolean | undefined {
  if (!before.mappedBytes || after.mappedBytes === undefined) return undefined
  return after.mappedBytes < before.mappedBytes
}
