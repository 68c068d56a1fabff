/** Figures of a log on JetStream, in the form that all logs have: what only a log in a directory has is zero. */
import type { LogStats } from '../engine/stats.js'
import type { AppendCounters } from './appends/append-line.js'
import type { LinkEvents } from './server/link-events.js'

interface Counted {
  readonly counters: AppendCounters
  readonly ringBytes: number
  readonly usedBytes: number
  readonly pending: number
  readonly groups: number
  readonly events: LinkEvents
  readonly retries: number
  readonly staleReads: number
}

export function statsOf({ counters, ringBytes, usedBytes, pending, groups, events, ...more }: Counted): LogStats {
  const { batches, messages, messageBytes, found } = counters
  return {
    messages,
    messageBytes,
    batches,
    positions: { published: 0, durable: 0, trimmed: 0, indexed: 0 },
    ring: { capacityBytes: ringBytes, usedBytes, waiting: 0, pending },
    segments: {
      ...{
        segmentBytes: 0,
        total: 0,
        prepared: 0,
        mapped: 0,
        mappedBytes: 0,
        retired: 0,
        deleted: 0,
        movedBytes: 0,
        rewrites: 0,
        packed: 0,
        packedAwayBytes: 0,
        reclaimedBytes: 0,
      },
      ...{ oldestKeptBecause: 'active', oldestKeptBy: undefined },
    },
    flushes: { count: 0, totalMs: 0, lastMs: 0 },
    readers: { threads: 0, tasks: 0, running: 0, hot: 0 },
    groups: { count: groups, commits: 0 },
    recovery: { tornBytes: 0, damages: [], epoch: 0 },
    io: 'network',
    prefaultedBytes: 0,
    errors: events.errors,
    connection: {
      disconnectedSince: events.disconnectedSince,
      losses: events.losses,
      retries: more.retries,
      found,
      staleReads: more.staleReads,
    },
  }
}
