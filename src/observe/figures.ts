/**
 * What `stats()` says, in the words of Prometheus: base units (seconds, bytes), `_total` on what only grows, one row a figure.
 */
import type { LogStats } from '../engine/stats.js'

export interface Figure {
  readonly name: string
  readonly help: string
  /** A counter grows while the log is open, and begins anew when it is opened again. */
  readonly kind: 'counter' | 'gauge'
  readonly value: (stats: LogStats) => number
}

const counter = (name: string, help: string, value: Figure['value']): Figure => ({ name, help, kind: 'counter', value })
const gauge = (name: string, help: string, value: Figure['value']): Figure => ({ name, help, kind: 'gauge', value })

export const figures: readonly Figure[] = [
  counter('bookend_messages_total', 'Messages appended and published', (stats) => stats.messages),
  counter('bookend_message_bytes_total', 'Bytes of their values, keys and headers', (stats) => stats.messageBytes),
  counter('bookend_batches_total', 'Batches written', (stats) => stats.batches),
  gauge('bookend_published_bytes', 'Log position that is readable', ({ positions }) => positions.published),
  gauge('bookend_durable_bytes', 'Log position that is flushed to the device', ({ positions }) => positions.durable),
  gauge('bookend_trimmed_bytes', 'Log position below which files are deleted', ({ positions }) => positions.trimmed),
  gauge('bookend_indexed_bytes', 'Log position below which segments are indexed', ({ positions }) => positions.indexed),
  gauge('bookend_ring_capacity_bytes', 'Size of the append ring', ({ ring }) => ring.capacityBytes),
  gauge('bookend_ring_used_bytes', 'Handed over, and not yet taken by the writer', ({ ring }) => ring.usedBytes),
  gauge('bookend_appends_waiting', 'Appends that wait because the ring is full', ({ ring }) => ring.waiting),
  gauge('bookend_appends_pending', 'Appends and flushes not yet settled', ({ ring }) => ring.pending),
  gauge('bookend_segment_files', 'Segment files, prepared ones included', ({ segments }) => segments.total),
  gauge('bookend_segments_prepared', 'Segments ready to be filled', ({ segments }) => segments.prepared),
  gauge('bookend_segments_mapped', 'Mappings of segments, of all threads', ({ segments }) => segments.mapped),
  gauge('bookend_mapped_bytes', 'Address space that mappings take', ({ segments }) => segments.mappedBytes),
  counter('bookend_segments_retired_total', 'Mappings that nobody had touched', ({ segments }) => segments.retired),
  counter('bookend_segments_deleted_total', 'Segments deleted', ({ segments }) => segments.deleted),
  counter('bookend_moved_bytes_total', 'Bytes written anew to free a segment', ({ segments }) => segments.movedBytes),
  counter(
    'bookend_segment_rewrites_total',
    'Segments written anew without what is dead',
    ({ segments }) => segments.rewrites,
  ),
  counter(
    'bookend_reclaimed_bytes_total',
    'Bytes of dead records that went so',
    ({ segments }) => segments.reclaimedBytes,
  ),
  counter('bookend_segments_packed_total', 'Segments packed', ({ segments }) => segments.packed),
  counter(
    'bookend_packed_away_bytes_total',
    'Bytes that packing has given back to the disk',
    ({ segments }) => segments.packedAwayBytes,
  ),
  counter('bookend_flushes_total', 'Flushes to the device', ({ flushes }) => flushes.count),
  counter('bookend_flush_time_seconds_total', 'Time they took', ({ flushes }) => flushes.totalMs / 1000),
  gauge('bookend_reader_threads', 'Reader threads', ({ readers }) => readers.threads),
  gauge('bookend_reader_tasks', 'Tasks of reader threads, running or waiting', ({ readers }) => readers.tasks),
  gauge('bookend_groups', 'Consumer groups of all topics', ({ groups }) => groups.count),
  counter('bookend_group_commits_total', 'States of groups written', ({ groups }) => groups.commits),
  gauge('bookend_epoch', 'How often the log has been opened for writing', ({ recovery }) => recovery.epoch),
  counter('bookend_prefaulted_bytes_total', 'Pages faulted in ahead of the writer', (stats) => stats.prefaultedBytes),
  counter('bookend_errors_total', 'Errors met in the background', ({ errors }) => errors.count),
]
