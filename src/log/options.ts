/** The options of {@link open}: documented, checked, completed. */
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Compress, Durability, Retention, TopicIndex } from '../engine/terms.js'
import {
  defaultFlushIntervalMs,
  defaultIdWindowMs,
  defaultMapTtlMs,
  defaultMaxIds,
  defaultMaxMappedBytes,
  defaultMaxMessageBytes,
  defaultRingBytes,
  maxIdWindowMs,
  maxIndexedHeaders,
  maxIndexedNameBytes,
  maxMaxIds,
  maxRingBytes,
  maxSegmentBytes,
  minMappedSegments,
  minRingBytes,
  minSegmentBytes,
  segmentGranuleBytes,
} from '../limits.js'
import { type DiskWatermarks, hasZstd, type LocalOptions } from '../local/local-options.js'
import type { Dedupe } from './append-options.js'
import { checkBoolean, checkFraction, checkInteger, checkKeys, checkOneOf, describe } from './validate.js'

/** How a log is opened. */
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
  durability?: Exclude<Durability, 'replicated'>
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
   * What may be deleted, of every topic that has no retention of its own; nothing is unless asked for. Whole sealed segments
   * go, the oldest first, once no topic in them needs them any more: messages stay at least as long as said.
   */
  retention?: Retention
  /**
   * Fractions of the file system in use (0 to 1, as `df` counts) at which something is done about it; nothing is unless asked
   * for. `deleteExpiredAt`: what retention lets go is deleted without pauses. `deleteAnywayAt`: the oldest segments are
   * deleted whatever their topics' retention and groups would have, up to the active one. `refuseAppendsAt`: appends fail
   * with `BOOKEND_NO_SPACE` as on a full disk, and go on by themselves once there is space.
   */
  diskWatermarks?: DiskWatermarks
  /**
   * Address space that mappings of segments may take, bytes: 64 GiB unless said, at least four segments. The least recently
   * used are unmapped first; a reader that finds no room reads the file instead.
   */
  maxMappedBytes?: number
  /**
   * Locks the writer's pages of the active segment in memory (`mlock`), so that they cannot be paged out. Needs the permission
   * (`ulimit -l`); without it the log works on and counts an error in `stats()`.
   */
  lockActive?: boolean
  /**
   * Packs sealed segments some time after they were filled: text takes a seventh of its space then. Reads, offsets and positions stay as they are;
   * nothing is packed unless asked for, and what is packed stays so. See docs/packing.md.
   */
  compress?: Compress
  /**
   * How segment files are reached. `mmap` maps them into memory, `file` reads and writes them; `auto` (the default)
   * maps where that is safe (not on btrfs, zfs or network file systems) and native parts are installed.
   */
  io?: 'auto' | 'mmap' | 'file'
  /**
   * No lock is taken and nothing is written; the log may be in use by its owner. It is seen as it was at this moment, or with `follow` as
   * it goes on.
   */
  readOnly?: boolean
  /**
   * With `readOnly`: sees what the owner publishes as it is published, in whatever process that is, and in its next life. `group()` is then
   * a group of this process, whose position is kept beside the log. See docs/processes.md.
   */
  follow?: boolean
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
  'retention',
  'diskWatermarks',
  'maxMappedBytes',
  'lockActive',
  'compress',
  'io',
  'readOnly',
  'follow',
  'keepAlive',
]

/** @throws TypeError, RangeError */
export function resolveDirectory(directory: string | URL): string {
  if (typeof directory !== 'string' && !(directory instanceof URL))
    throw new TypeError(`directory is a string or a file: URL, not ${describe(directory)}`)
  // What an unset variable becomes. The current directory is hardly meant by it.
  if (directory === '') throw new RangeError("directory is empty: name one, './' if you mean the current directory")
  return path.resolve(directory instanceof URL ? fileURLToPath(directory) : directory)
}

/** Threads for modules of the application, and for reads where there are threads for them: one core is for the caller. */
export function checkReaders(readers: unknown): number {
  return checkInteger('readers', readers ?? Math.max(1, availableParallelism() - 1), 1, 256)
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
  const readOnly = checkBoolean('readOnly', options.readOnly ?? false)
  const follow = checkBoolean('follow', options.follow ?? false)
  if (follow && !readOnly)
    throw new TypeError('follow is for a log opened with readOnly: true; its owner sees all that is published anyway')
  const ringBytes = checkInteger('ringBytes', options.ringBytes ?? defaultRingBytes, minRingBytes, maxRingBytes)
  return {
    directory: folder,
    segmentBytes,
    durability: checkOneOf('durability', options.durability ?? 'process', ['process', 'disk']),
    flushIntervalMs: checkInteger('flushIntervalMs', options.flushIntervalMs ?? defaultFlushIntervalMs, 1, 3_600_000),
    readers: checkReaders(options.readers),
    mapTtlMs: checkInteger('mapTtlMs', options.mapTtlMs ?? defaultMapTtlMs, 10, 2 ** 30),
    ringBytes: 2 ** Math.ceil(Math.log2(ringBytes)),
    maxMessageBytes: checkInteger('maxMessageBytes', maxMessageBytes ?? defaultMaxMessageBytes, 1, maxSegmentBytes),
    isMaxMessageBytesGiven: maxMessageBytes !== undefined,
    retention: checkRetention('retention', options.retention ?? {}),
    diskWatermarks: checkWatermarks(options.diskWatermarks ?? {}),
    maxMappedBytes: checkInteger(
      'maxMappedBytes',
      options.maxMappedBytes ?? defaultMaxMappedBytes,
      minMappedSegments * minSegmentBytes,
      Number.MAX_SAFE_INTEGER,
    ),
    lockActive: checkBoolean('lockActive', options.lockActive ?? false),
    compress: options.compress === undefined ? undefined : checkCompress(options.compress),
    io: checkOneOf('io', options.io ?? 'auto', ['auto', 'mmap', 'file']),
    readOnly,
    follow,
    keepAlive: checkBoolean('keepAlive', options.keepAlive ?? false),
  }
}

/** @throws TypeError, RangeError */
function checkCompress(compress: Compress): Compress {
  checkKeys('compress', compress, ['afterMs', 'codec'])
  const { afterMs, codec = 'auto' } = compress
  checkInteger('compress.afterMs', afterMs, 0, Number.MAX_SAFE_INTEGER)
  checkOneOf('compress.codec', codec, ['auto', 'deflate', 'zstd'])
  if (codec === 'zstd' && !hasZstd)
    throw new RangeError(
      `compress.codec 'zstd' needs Node 22.15 or later, and this is ${process.versions.node}: say 'deflate', or 'auto' for what there is`,
    )
  return { afterMs, codec }
}

/** @throws TypeError, RangeError */
export function checkRetention(what: string, retention: Retention): Retention {
  checkKeys(what, retention, ['maxAgeMs', 'maxBytes', 'consumed', 'minDirty', 'compact', 'tombstoneMs'])
  const { maxAgeMs, maxBytes, consumed, minDirty, compact, tombstoneMs } = retention
  if (maxAgeMs !== undefined) checkInteger(`${what}.maxAgeMs`, maxAgeMs, 1, Number.MAX_SAFE_INTEGER)
  if (maxBytes !== undefined) checkInteger(`${what}.maxBytes`, maxBytes, 0, Number.MAX_SAFE_INTEGER)
  if (consumed !== undefined) checkBoolean(`${what}.consumed`, consumed)
  if (minDirty !== undefined) checkFraction(`${what}.minDirty`, minDirty)
  if (compact !== undefined) checkBoolean(`${what}.compact`, compact)
  if (tombstoneMs !== undefined) checkInteger(`${what}.tombstoneMs`, tombstoneMs, 0, Number.MAX_SAFE_INTEGER)
  if (tombstoneMs !== undefined && compact !== true)
    throw new TypeError(`${what}.tombstoneMs is for topics that are compacted: give compact: true with it`)
  // A copy: what the application does to its object later changes nothing.
  return { maxAgeMs, maxBytes, consumed, minDirty, compact, tombstoneMs }
}

/** @throws TypeError, RangeError */
export function checkDedupe(dedupe: Dedupe): Dedupe {
  checkKeys('dedupe', dedupe, ['windowMs', 'max'])
  const { windowMs = defaultIdWindowMs, max = defaultMaxIds } = dedupe
  checkInteger('dedupe.windowMs', windowMs, 1, maxIdWindowMs)
  checkInteger('dedupe.max', max, 1, maxMaxIds)
  return { windowMs, max }
}

/** @throws TypeError, RangeError */
export function checkIndex(index: TopicIndex): TopicIndex {
  checkKeys('index', index, ['keys', 'headers'])
  const { keys = false, headers = [] } = index
  checkBoolean('index.keys', keys)
  if (!Array.isArray(headers)) throw new TypeError(`index.headers is an array of names, not ${describe(headers)}`)
  for (const name of headers as readonly unknown[]) {
    if (typeof name !== 'string') throw new TypeError(`index.headers is an array of names, not of ${describe(name)}`)
    if (Buffer.byteLength(name) > maxIndexedNameBytes)
      throw new RangeError(`the name of an indexed header has at most ${maxIndexedNameBytes} bytes`)
  }
  const names = [...new Set(headers as readonly string[])].sort()
  if (names.length > maxIndexedHeaders)
    throw new RangeError(`a topic has at most ${maxIndexedHeaders} indexed headers, not ${names.length}`)
  return { keys, headers: names }
}

function checkWatermarks(watermarks: DiskWatermarks): DiskWatermarks {
  const names = ['deleteExpiredAt', 'deleteAnywayAt', 'refuseAppendsAt'] as const
  checkKeys('diskWatermarks', watermarks, names)
  const copy: DiskWatermarks = {}
  for (const name of names) {
    const at: unknown = watermarks[name]
    if (at !== undefined) copy[name] = checkFraction(`diskWatermarks.${name}`, at)
  }
  return copy
}
