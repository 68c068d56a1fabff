/** The options of {@link open}: documented, checked, completed. */
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Durability } from '../dispatcher/append-side.js'
import type { LocalOptions } from '../engine/local-engine.js'
import {
  defaultFlushIntervalMs,
  defaultMapTtlMs,
  defaultMaxMessageBytes,
  defaultRingBytes,
  maxRingBytes,
  maxSegmentBytes,
  minRingBytes,
  minSegmentBytes,
  segmentGranuleBytes,
} from '../limits.js'
import { checkBoolean, checkInteger, checkKeys, checkOneOf } from './validate.js'

export interface OpenOptions {
  /**
   * Size of a segment file in bytes: 1 MiB to 1 GiB, a multiple of 64 KiB, 128 MiB unless said. Fixed when the log is
   * created; may be left out afterwards.
   */
  segmentBytes?: number
  /**
   * What an awaited append means. `process` (the default): it survives the death of this process, `kill -9` included, but
   * not a power cut. `disk`: it survives a power cut, since it was flushed to the device first.
   */
  durability?: Durability
  /** How often what was appended is flushed in the background, ms; 500 unless said. */
  flushIntervalMs?: number
  /** Reader threads; one less than there are cores unless said, at least one. */
  readers?: number
  /** A mapping that nobody has touched for this long is unmapped, ms; 30,000 unless said. It takes two of these at most. */
  mapTtlMs?: number
  /** The append ring, bytes; 8 MiB unless said, rounded up to a power of two. */
  ringBytes?: number
  /** Longest value, bytes; 16 MiB unless said, and never more than a segment holds. */
  maxMessageBytes?: number
  /**
   * How segment files are reached. `mmap` maps them into memory, `file` reads and writes them; `auto` (the default)
   * maps where that is safe (not on btrfs, zfs or network file systems) and native parts are installed.
   */
  io?: 'auto' | 'mmap' | 'file'
  /** No lock is taken and nothing is written; the log may be in use by its owner. It is seen as it was at this moment. */
  readOnly?: boolean
  /**
   * True: an open log keeps the process running until it is closed. False (the default): the process may end while the
   * log is open and idle; it never ends while an append, a flush or a read is awaited.
   */
  keepAlive?: boolean
}

const known = [
  'segmentBytes',
  'durability',
  'flushIntervalMs',
  'readers',
  'mapTtlMs',
  'ringBytes',
  'maxMessageBytes',
  'io',
  'readOnly',
  'keepAlive',
]

export const durabilities = ['process', 'disk'] as const

/** @throws TypeError */
export function resolveDirectory(directory: string | URL): string {
  if (typeof directory !== 'string' && !(directory instanceof URL))
    throw new TypeError('directory is a string or a file: URL')
  return path.resolve(directory instanceof URL ? fileURLToPath(directory) : directory)
}

/** @throws TypeError, RangeError */
export function completeOptions(directory: string | URL, options: OpenOptions): LocalOptions {
  const folder = resolveDirectory(directory)
  checkKeys('open()', options, known)
  const { segmentBytes, maxMessageBytes } = options
  if (segmentBytes !== undefined) {
    checkInteger('segmentBytes', segmentBytes, minSegmentBytes, maxSegmentBytes)
    if (segmentBytes % segmentGranuleBytes !== 0)
      throw new RangeError(`segmentBytes is a multiple of ${segmentGranuleBytes}, not ${segmentBytes}`)
  }
  const ringBytes = checkInteger('ringBytes', options.ringBytes ?? defaultRingBytes, minRingBytes, maxRingBytes)
  return {
    directory: folder,
    segmentBytes,
    durability: checkOneOf('durability', options.durability ?? 'process', durabilities),
    flushIntervalMs: checkInteger('flushIntervalMs', options.flushIntervalMs ?? defaultFlushIntervalMs, 1, 3_600_000),
    readers: checkInteger('readers', options.readers ?? Math.max(1, availableParallelism() - 1), 1, 256),
    mapTtlMs: checkInteger('mapTtlMs', options.mapTtlMs ?? defaultMapTtlMs, 10, 2 ** 30),
    ringBytes: 2 ** Math.ceil(Math.log2(ringBytes)),
    maxMessageBytes: checkInteger('maxMessageBytes', maxMessageBytes ?? defaultMaxMessageBytes, 1, maxSegmentBytes),
    isMaxMessageBytesGiven: maxMessageBytes !== undefined,
    io: checkOneOf('io', options.io ?? 'auto', ['auto', 'mmap', 'file']),
    readOnly: checkBoolean('readOnly', options.readOnly ?? false),
    keepAlive: checkBoolean('keepAlive', options.keepAlive ?? false),
  }
}
