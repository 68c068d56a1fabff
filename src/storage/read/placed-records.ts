/**
 * Single records, where the index says that they stand. An index may be wrong: what it says is verified, and where it is found to lie it is
 * derived from the batches, once.
 */
import { batchHeaderBytes, shrinkBatchCopy } from '../../format/batch-layout.js'
import { frameBytes, frameHeaderBytes, frameKind, frameWord, kindOf, offsetOf } from '../../format/frame-layout.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { isUnreadable } from '../../memory/errno.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import type { Catalog, LogBounds } from '../index/catalog.js'
import type { Place } from '../index/stored-entries.js'
import { verifiedHeader } from '../index/verified-batch.js'
import type { Resume } from './chunk.js'
import type { LostRecords } from './lost-records.js'

export class PlacedRecords {
  readonly #files: SegmentFiles
  readonly #windows: SegmentWindows
  readonly #catalog: Catalog
  readonly #bounds: LogBounds
  readonly #lost: LostRecords

  constructor(files: SegmentFiles, windows: SegmentWindows, catalog: Catalog, bounds: LogBounds, lost: LostRecords) {
    this.#files = files
    this.#windows = windows
    this.#catalog = catalog
    this.#bounds = bounds
    this.#lost = lost
  }

  /** One batch, thinned to the single record wanted; undefined if no segment knows the record. */
  one(topic: number, offset: number): Uint8Array<ArrayBuffer> | undefined {
    const place = this.places(topic, offset, 1)[0]
    if (place === undefined) return undefined
    return this.at(topic, offset, place)
  }

  /** The batch header and the one frame at `place`, verified. */
  at(topic: number, offset: number, place: Place): Uint8Array<ArrayBuffer> {
    const found = this.#tryRecordAt(topic, offset, place)
    if (found !== undefined) return found
    // The index may be the liar: derive it from the batches and look once more.
    this.#catalog.distrust(place.segment)
    const again: Place | undefined = this.places(topic, offset, 1)[0]
    const second = again === undefined ? undefined : this.#tryRecordAt(topic, offset, again)
    if (second !== undefined) return second
    if (again === undefined || again.batch === 0) throw this.#lost.missing(topic, offset)
    throw this.#lost.damaged(topic, offset, again.segment, again.batch)
  }

  #tryRecordAt(topic: number, offset: number, place: Place): Uint8Array<ArrayBuffer> | undefined {
    const { segment, batch, frame } = place
    const { segmentBytes } = this.#files
    if (batch < segmentHeaderBytes || frame < batch + batchHeaderBytes || frame % 8 !== 0) return undefined
    if (frame + frameHeaderBytes > segmentBytes) return undefined
    try {
      return this.#windows.with(segment, (pinned) => {
        const base = this.#files.base(segment)
        const header = verifiedHeader(pinned, base, batch, Math.min(segmentBytes, this.#bounds.published() - base))
        if (header === undefined || frame + frameHeaderBytes > batch + header.bytes) return undefined
        const frameHead = new Uint32Array(pinned.window.read(frame, frameHeaderBytes).buffer)
        const size = frameBytes(frameHead[frameWord.length])
        if (frameHead[frameWord.length] > header.bytes || frame + size > batch + header.bytes) return undefined
        const tail = frameHead[frameWord.tail]
        const isRight =
          kindOf(tail) === frameKind.data &&
          frameHead[frameWord.topic] === topic &&
          offsetOf(frameHead[frameWord.offsetLow], tail) === offset
        if (!isRight) return undefined
        const piece = new Uint8Array(batchHeaderBytes + size)
        pinned.window.readInto(piece, 0, batch, batchHeaderBytes)
        pinned.window.readInto(piece, batchHeaderBytes, frame, size)
        shrinkBatchCopy(new Uint32Array(piece.buffer), 0, piece.length, 1)
        return piece
      })
    } catch (error) {
      if (isUnreadable(error)) return undefined
      throw this.#lost.unreadable(error, topic, offset, segment, batch)
    }
  }

  /** Position of the batch with that record. @throws `BOOKEND_CORRUPT` where no segment has it */
  startOf(topic: number, offset: number): number {
    let place: Place | undefined = this.places(topic, offset, 1)[0]
    if (place !== undefined && !this.#isInside(place)) {
      // Lost to damage, or only its index entry, to a power cut: the batches know.
      this.#catalog.distrust(place.segment)
      place = this.places(topic, offset, 1)[0]
    }
    if (place === undefined || !this.#isInside(place)) throw this.#lost.missing(topic, offset)
    return this.#files.base(place.segment) + place.batch
  }

  /** An entry is not covered by a checksum of its own: it may say anything. */
  #isInside({ batch }: Place): boolean {
    return batch >= segmentHeaderBytes && batch + batchHeaderBytes <= this.#files.segmentBytes
  }

  /** Where to begin reading at a record, for somebody who has not looked for it; undefined: the index does not say. */
  placeOf(topic: number, offset: number): Resume | undefined {
    let place: Place | undefined
    try {
      place = this.#catalog.locate(topic, offset)
    } catch {
      // Whoever reads there meets it again, and says so.
    }
    if (place === undefined || !this.#isInside(place)) return undefined
    return { position: this.#files.base(place.segment) + place.batch, isSparse: false }
  }

  /** Where records stand, with the error of an index that cannot be read turned into ours. */
  places(topic: number, offset: number, count: number): Place[] {
    try {
      return this.#catalog.locateRun(topic, offset, count)
    } catch (error) {
      const segment = this.#catalog.stretches(topic, offset, offset + 1)[0]?.segment ?? this.#catalog.unreadSegment
      throw this.#lost.unreadable(error, topic, offset, segment ?? this.#files.segmentOf(this.#bounds.trim()), 0)
    }
  }
}
