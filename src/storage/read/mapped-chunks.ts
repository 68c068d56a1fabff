/** Chunks in place: memory of a mapped segment that is lent until it is given back, with a pin on it so long. */
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { chunkBytes } from '../../limits.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import type { LogBounds } from '../index/catalog.js'
import { type HeldChunk, type ReadRequest, sparseShare } from './chunk.js'
import { walkChunk } from './chunk-walk.js'
import type { PlacedRecords } from './placed-records.js'

export class MappedChunks {
  readonly #files: SegmentFiles
  readonly #windows: SegmentWindows
  readonly #bounds: LogBounds
  readonly #records: PlacedRecords

  constructor(files: SegmentFiles, windows: SegmentWindows, bounds: LogBounds, records: PlacedRecords) {
    this.#files = files
    this.#windows = windows
    this.#bounds = bounds
    this.#records = records
  }

  /** Undefined: it takes more than a look at one segment, or memory that can be lent; the way through copies knows what to do, or to say. */
  read(request: ReadRequest): HeldChunk | undefined {
    const { topic, offset, to } = request
    let position = request.resume?.position ?? this.#records.startOf(topic, offset)
    if (position < this.#bounds.trim()) position = this.#records.startOf(topic, offset)
    const segment = this.#files.segmentOf(position)
    const base = this.#files.base(segment)
    const at = Math.max(position - base, segmentHeaderBytes)
    const limit = Math.min(this.#bounds.published() - base, this.#files.segmentBytes) - at
    if (limit <= 0) return undefined
    let release: (() => void) | undefined
    let chunk: HeldChunk | undefined
    try {
      const pinned = this.#windows.acquire(segment)
      release = () => this.#windows.release(segment)
      for (let want = chunkBytes; ; ) {
        const lent = this.#windows.lend(pinned, at, Math.min(want, limit))
        if (lent === undefined) return undefined
        // The memory goes before the pin that keeps it.
        release = () => {
          lent.giveBack()
          this.#windows.release(segment)
        }
        const { bytes } = lent
        const { first, next, stop, scanned, needed, kept, firstBeyond } = walkChunk(
          request,
          { bytes, pinned, base, at, limit },
          true,
        )
        if (stop === 'partial' && scanned === 0 && needed > want) {
          lent.giveBack()
          release = () => this.#windows.release(segment)
          want = needed
          continue
        }
        if (first < 0 || first > offset || next <= offset) return undefined
        const end = stop === 'seal' ? this.#files.base(segment + 1) + segmentHeaderBytes : base + at + scanned
        const resume = {
          position: firstBeyond >= 0 ? base + at + firstBeyond : end,
          isSparse: kept < scanned * sparseShare,
        }
        chunk = { bytes: bytes.subarray(0, scanned), next: Math.min(next, to), resume, release }
        return chunk
      }
    } catch {
      // The way through copies meets it again, and gives what can be read.
      return undefined
    } finally {
      if (chunk === undefined) release?.()
    }
  }
}
