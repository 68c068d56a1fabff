/** The indexes of segments that have no footer, or none that is believed: derived from the batches, and caught up when asked. */
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import { LiveIndex } from './live-index.js'
import type { SegmentTimes } from './sealed-stretches.js'

export class LiveIndexes {
  readonly #files: SegmentFiles
  readonly #windows: SegmentWindows
  readonly #indexes = new Map<number, LiveIndex>()
  /** The first index that could not be caught up at the last look, and why. */
  #unread: { segment: number; error: unknown } | undefined

  constructor(files: SegmentFiles, windows: SegmentWindows) {
    this.#files = files
    this.#windows = windows
  }

  get unread(): { segment: number; error: unknown } | undefined {
    return this.#unread
  }

  /** There is one of a segment below. */
  hasBelow(segment: number): boolean {
    for (const each of this.#indexes.keys()) if (each < segment) return true
    return false
  }

  /** As far as it was caught up. */
  times(segment: number): SegmentTimes | undefined {
    return this.#indexes.get(segment)
  }

  /** Derives the index of the segment from now on, from its beginning. */
  begin(segment: number): void {
    this.#indexes.set(segment, new LiveIndex(this.#files.base(segment), this.#files.segmentBytes))
  }

  remove(segment: number): void {
    this.#indexes.delete(segment)
  }

  dropBelow(firstKept: number): void {
    for (const segment of this.#indexes.keys()) if (segment < firstKept) this.#indexes.delete(segment)
  }

  /**
   * In order of segments, caught up to the published position.
   * @param from first segment whose footer has not been read
   */
  caughtUp(from: number, published: number): [number, LiveIndex][] {
    const { segmentBytes } = this.#files
    const last = this.#files.segmentOf(published)
    for (let segment = from; segment <= last; segment++) if (!this.#indexes.has(segment)) this.begin(segment)
    const inOrder = [...this.#indexes].sort(([a], [b]) => a - b)
    this.#unread = undefined
    for (const [segment, index] of inOrder) {
      const to = Math.min(published - this.#files.base(segment), segmentBytes)
      if (index.isSealed || index.end >= to || to <= segmentHeaderBytes) continue
      try {
        // What is found right here is not summed up again where it is read. Not the other way round: of what is salvaged, some is zeros.
        this.#windows.with(segment, ({ window, markVerified: onValid }) =>
          index.catchUp(new SalvageWindow(window), to, true, { onValid }),
        )
      } catch (error) {
        // It may be the moment (no descriptor to be had): who asks for one of its records meets the error, or the next look.
        this.#unread ??= { segment, error }
      }
    }
    return inOrder
  }
}
