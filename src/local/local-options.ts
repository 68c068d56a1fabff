import type { Compress, Durability, Retention } from '../engine/terms.js'
import { frameBytes, frameExtensionBytes } from '../format/frame-layout.js'
import { groupFitsSegment } from '../format/segment-layout.js'
import { minMappedSegments } from '../limits.js'
import type { DiskWatermarks } from '../storage/life/retention.js'
import { bestCodec } from '../storage/packed/codecs.js'
import type { OpenIo } from '../threads/shared-memory.js'

export type { DiskWatermarks } from '../storage/life/retention.js'

/** This Node has it. */
export const hasZstd = bestCodec() === 'zstd'

/** Options of a log, complete and checked. */
export interface LocalOptions {
  directory: string
  segmentBytes: number | undefined
  durability: Durability
  flushIntervalMs: number
  readers: number
  mapTtlMs: number
  ringBytes: number
  maxMessageBytes: number
  /** The application named the limit itself: too large is its mistake, not ours to correct. */
  isMaxMessageBytesGiven: boolean
  retention: Retention
  diskWatermarks: DiskWatermarks
  maxMappedBytes: number
  lockActive: boolean
  /** Undefined: nothing is packed. */
  compress: Compress | undefined
  io: OpenIo
  readOnly: boolean
  /** Only with `readOnly`. */
  follow: boolean
  keepAlive: boolean
}

/** The longest value that a segment of that size holds, to 64 bytes. */
export function segmentMessageBytes(segmentBytes: number): number {
  const doesFit = (steps: number) => groupFitsSegment(segmentBytes, frameBytes(frameExtensionBytes + 64 * steps), 1)
  let [largest, tooLarge] = [0, segmentBytes / 64]
  while (tooLarge - largest > 1) {
    const middle = Math.floor((largest + tooLarge) / 2)
    if (doesFit(middle)) largest = middle
    else tooLarge = middle
  }
  return 64 * largest
}

/** The largest message must fit one segment, with its key-less frame and everything a segment adds. */
export function fittingMessageBytes(options: LocalOptions, segmentBytes: number): number {
  const largest = segmentMessageBytes(segmentBytes)
  if (options.maxMessageBytes <= largest) return options.maxMessageBytes
  if (!options.isMaxMessageBytesGiven) return largest
  throw new RangeError(
    `maxMessageBytes is ${options.maxMessageBytes}, but a segment of ${segmentBytes} bytes holds messages up to ${largest}: lower it, or create the log with a larger segmentBytes`,
  )
}

/** An existing log has its own size of segments, which the options may not know. */
export function checkMappedBytes({ maxMappedBytes }: LocalOptions, segmentBytes: number): void {
  const least = minMappedSegments * segmentBytes
  if (maxMappedBytes >= least) return
  throw new RangeError(
    `maxMappedBytes is ${maxMappedBytes}, but it has room for ${minMappedSegments} segments at least, which is ${least} here: raise it, or create the log with a smaller segmentBytes`,
  )
}
