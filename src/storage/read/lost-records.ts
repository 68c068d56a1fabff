/**
 * What is said of a record that cannot be read: where it should stand, what is wrong there, and at which offset reading can go on.
 */
import { BookendError } from '../../errors.js'
import { readBatchHeader } from '../../format/batch-layout.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { chunkBytes, maxBatchBytes } from '../../limits.js'
import { badBlockCode, isUnreadable } from '../../memory/errno.js'
import { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import { findNextBatch } from '../index/batch-scan.js'
import type { Catalog, LogBounds } from '../index/catalog.js'
import { NearestRecords } from '../index/nearest-records.js'
import { firstOffset } from './chunk-thinning.js'

const badBatch = 'its batch fails its checksum'

export class LostRecords {
  readonly #files: SegmentFiles
  readonly #windows: SegmentWindows
  readonly #catalog: Catalog
  readonly #nearest: NearestRecords
  readonly #bounds: LogBounds

  constructor(files: SegmentFiles, windows: SegmentWindows, catalog: Catalog, bounds: LogBounds) {
    this.#files = files
    this.#windows = windows
    this.#catalog = catalog
    this.#nearest = new NearestRecords(catalog)
    this.#bounds = bounds
  }

  /** No batch that can be read holds it: what stands nearest on both sides tells what was lost with it, and no more than that. */
  missing(topic: number, offset: number): BookendError {
    const following = this.#nearest.behind(topic, offset)
    const before = this.#nearest.before(topic, offset)
    const position = this.#catalog.damageBetween(before?.place, following?.place)
    if (position === undefined) return this.corrupt(offset, position, 'no segment on disk holds it', following?.offset)
    const segment = this.#files.segmentOf(position)
    const why = this.#whatIsWrong(segment, position - this.#files.base(segment))
    return this.corrupt(offset, position, why, following?.offset)
  }

  /** The batch at `at`, which should hold the record, is bad. */
  damaged(topic: number, offset: number, segment: number, at: number): BookendError {
    const base = this.#files.base(segment)
    const next = this.#nextReadable(topic, offset, segment, at) ?? this.#nearest.behind(topic, offset, segment)?.offset
    return this.corrupt(offset, base + at, this.#whatIsWrong(segment, at), next)
  }

  /** With the batch at `at`, or where it should be. */
  #whatIsWrong(segment: number, at: number): string {
    try {
      return this.#windows.with(segment, ({ window }) => {
        const legible = new SalvageWindow(window)
        legible.read(at, Math.min(maxBatchBytes, window.byteLength - at))
        const [lost] = legible.unreadable
        if (lost === undefined) return badBatch
        const bytes = `${lost.to - lost.from} bytes of its segment at ${lost.from}`
        if (lost.code === badBlockCode) return `${bytes} stood in a packed block that fails its checksum`
        return `the device does not give ${bytes} (${lost.code})`
      })
    } catch {
      return badBatch
    }
  }

  unreadable(error: unknown, topic: number, offset: number, segment: number, at: number): BookendError {
    if (error instanceof BookendError) return error
    const file = this.#files.path(segment)
    const code = (error as NodeJS.ErrnoException).code
    // Too few descriptors or too little memory says nothing about the file.
    const isGone = code === 'ENOENT' || code === 'EINVAL' || isUnreadable(error)
    const position = this.#files.base(segment) + at
    if (!isGone) return new BookendError('BOOKEND_IO', `cannot read ${file}: ${String(error)}`, { file, cause: error })
    const next = this.#nearest.behind(topic, offset, segment)?.offset
    return new BookendError('BOOKEND_CORRUPT', `${file} cannot be read at position ${position}: ${String(error)}`, {
      file,
      position,
      offset,
      ...(next === undefined ? {} : { next }),
      cause: error,
    })
  }

  corrupt(offset: number, position: number | undefined, why: string, next?: number): BookendError {
    const file = position === undefined ? undefined : this.#files.path(this.#files.segmentOf(position))
    const where = position === undefined ? '' : ` (position ${position} in ${file})`
    const onwards = next === undefined ? '' : `; reading can go on at offset ${next}`
    return new BookendError('BOOKEND_CORRUPT', `message ${offset} cannot be delivered: ${why}${where}${onwards}`, {
      offset,
      ...(position === undefined ? {} : { position, file }),
      ...(next === undefined ? {} : { next }),
    })
  }

  /** The first offset of the topic behind damage at `at`, as far as its own segment knows. */
  #nextReadable(topic: number, offset: number, segment: number, at: number): number | undefined {
    try {
      const base = this.#files.base(segment)
      const to = Math.min(this.#files.segmentBytes, this.#bounds.published() - base)
      return this.#windows.with(segment, ({ window }) => {
        const legible = new SalvageWindow(window)
        const read = (from: number, length: number) => legible.read(from, length)
        let next = findNextBatch(read, base, Math.max(at, segmentHeaderBytes) + 8, to)
        while (next >= 0) {
          const bytes = read(next, Math.min(chunkBytes, to - next))
          const header = readBatchHeader(bytes, 0, base + next, to - next)
          if (header === undefined) return undefined
          const whole = header.bytes > bytes.length ? read(next, header.bytes) : bytes
          const words = new Uint32Array(whole.buffer)
          const found = firstOffset(words, 0, topic)
          if (found > offset) return found
          next = next + header.bytes < to ? findNextBatch(read, base, next + header.bytes, to) : -1
        }
        return undefined
      })
    } catch {
      return undefined
    }
  }
}
