/**
 * What the thread that opens a log has read of its sealed segments, for all others that ask where records stand: so none of them reads the footer of
 * each segment once more. The newest segments are in it, as many as fit; the rest is read from its files.
 *
 * ```
 *   segment u32 | bytes u32 | directory | footer      as they are stored, one segment after the other
 * ```
 *
 * It says what was there when the log was opened. A segment that was written anew since says something else, as for who has read it before: see `Catalog`.
 */
import { encodeDirectory, encodeFooter } from '../../format/segment-layout.js'
import { maxHandedFooterBytes } from '../../limits.js'
import { readSealedSegment, type SealedSegment } from './sealed-index.js'

const headBytes = 8

/** Takes segments in their order. */
export class FooterHandOver {
  readonly #maxBytes: number
  /** Of each segment its footer and what stands before it. */
  #parts: { readonly segment: number; readonly bytes: Uint8Array }[] = []
  #bytes = 0

  constructor(maxBytes = maxHandedFooterBytes) {
    this.#maxBytes = maxBytes
  }

  add(segment: number, { footer, rows }: SealedSegment): void {
    const bytes = Buffer.concat([encodeDirectory(rows), encodeFooter(footer)])
    this.#parts.push({ segment, bytes })
    this.#bytes += headBytes + bytes.length
    let gone = 0
    for (; this.#bytes > this.#maxBytes; gone++) this.#bytes -= headBytes + this.#parts[gone].bytes.length
    if (gone > 0) this.#parts.splice(0, gone)
  }

  finish(): SharedArrayBuffer {
    const shared = new SharedArrayBuffer(this.#bytes)
    const all = new Uint8Array(shared)
    let at = 0
    for (const { segment, bytes } of this.#parts) {
      new Uint32Array(shared, at, 2).set([segment, bytes.length])
      all.set(bytes, at + headBytes)
      at += headBytes + bytes.length
    }
    return shared
  }
}

export class HandedFooters {
  /** By segment. */
  readonly #parts = new Map<number, Uint8Array>()
  readonly #segmentBytes: number

  constructor(shared: SharedArrayBuffer, segmentBytes: number) {
    this.#segmentBytes = segmentBytes
    for (let at = 0; at < shared.byteLength; ) {
      const [segment, length] = new Uint32Array(shared, at, 2)
      this.#parts.set(segment, new Uint8Array(shared, at + headBytes, length))
      at += headBytes + length
    }
  }

  /** Undefined: it is not in it. Each is asked for once. */
  take(segment: number): SealedSegment | undefined {
    const bytes = this.#parts.get(segment)
    if (bytes === undefined) return undefined
    this.#parts.delete(segment)
    const start = this.#segmentBytes - bytes.length
    const read = (at: number, length: number) => bytes.slice(at - start, at - start + length)
    return readSealedSegment(read, segment * this.#segmentBytes, this.#segmentBytes)
  }
}
