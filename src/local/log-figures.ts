/** The figures of `stats()`: shared counters are read, nothing is asked of other threads. */
import type { AppendSide } from '../dispatcher/appends/append-side.js'
import type { HotReads } from '../dispatcher/reads/hot-reads.js'
import type { ReadSide } from '../dispatcher/reads/read-side.js'
import type { LogStats } from '../engine/stats.js'
import type { SharedState } from '../ring/shared-state.js'
import type { OpenedLog } from '../threads/protocol.js'
import type { FollowerThread } from './follower/follower-thread.js'
import type { LogEvents } from './log-events.js'
import type { SegmentTotals } from './segment-totals.js'

export interface LogFiguresSources {
  readonly state: SharedState
  readonly opened: Pick<OpenedLog, 'tornBytes' | 'damages' | 'epoch' | 'io'>
  readonly appends: Pick<AppendSide, 'ring' | 'overflowCount' | 'pendingCount'>
  readonly reads: Pick<ReadSide, 'threads' | 'taskCount' | 'running'>
  readonly hot: Pick<HotReads, 'answered'>
  readonly groups: () => LogStats['groups']
  readonly segments: SegmentTotals
  readonly events: LogEvents
  readonly follower: FollowerThread | undefined
}

export function figuresOf(sources: LogFiguresSources): LogStats {
  const { state, opened, appends, reads, hot, groups, segments, events, follower } = sources
  return {
    messages: state.publishedRecords.load(),
    messageBytes: state.publishedBytes.load(),
    batches: state.publishedBatches.load(),
    positions: {
      published: state.published.load(),
      durable: state.durable.load(),
      trimmed: state.trim.load(),
      indexed: state.indexed.load(),
    },
    ring: {
      capacityBytes: appends.ring.memory.capacity,
      usedBytes: appends.ring.usedBytes,
      waiting: appends.overflowCount,
      pending: appends.pendingCount,
    },
    segments: segments.totals(),
    flushes: {
      count: state.flushCount.load(),
      totalMs: state.flushMicros.load() / 1000,
      lastMs: state.lastFlushMicros.load() / 1000,
    },
    readers: { threads: reads.threads, tasks: reads.taskCount, running: reads.running, hot: hot.answered },
    groups: groups(),
    follower: follower && { hears: follower.hearing.by, because: follower.hearing.because },
    recovery: { tornBytes: opened.tornBytes, damages: opened.damages, epoch: opened.epoch },
    io: opened.io,
    prefaultedBytes: state.prefaultedBytes.load(),
    errors: events.errors,
  }
}
