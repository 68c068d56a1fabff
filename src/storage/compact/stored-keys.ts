/** Keys of the records of one topic in one sealed segment, where its index says that they stand; what stands there is checked. */

import { hasId, stubBytes } from '../../format/expiry-layout.js'
import {
  flagsOf,
  frameBytes,
  frameExtensionBytes,
  frameFlag,
  frameHeaderBytes,
  frameWord,
  noKey,
} from '../../format/frame-layout.js'
import { recordOffset } from '../../format/frame-walk.js'
import { entryBytes, entryWord } from '../../format/segment-layout.js'
import type { Window } from '../../memory/memory.js'
import type { SealedStretch } from '../index/sealed-stretches.js'

const entriesAtOnce = (1 << 20) / entryBytes
/** Read ahead of whoever goes through the records in order. */
const aheadBytes = 256 << 10
/** Where fewer are asked for than one in so many bytes, no more is read than a page. */
const sparseBytes = 16 << 10
const pageBytes = 4096
const fixedBytes = frameHeaderBytes + frameExtensionBytes

/** A record, until the next is asked for. */
export interface KeyedRecord {
  readonly key: Uint8Array
  /** Bytes that its frame would give back; and whether it has an id. */
  readonly saved: number
  readonly hasId: boolean
}

export class StoredKeys {
  readonly #window: Window
  readonly #topic: number
  readonly #firstOffset: number
  /** Where the record's frame begins; 0: it is lost. */
  readonly #frames: Uint32Array
  readonly #dataEnd: number
  #aheadBytes = aheadBytes
  #ahead = new Uint8Array(0)
  #aheadWords = new Uint32Array(0)
  #aheadAt = 0
  #near = new Uint8Array(256)
  #nearWords = new Uint32Array(this.#near.buffer)

  constructor(window: Window, topic: number, { firstOffset, count, entriesAt }: SealedStretch, dataEnd: number) {
    this.#window = window
    this.#topic = topic
    this.#firstOffset = firstOffset
    this.#dataEnd = dataEnd
    this.#frames = new Uint32Array(count)
    for (let first = 0; first < count; first += entriesAtOnce) {
      const some = Math.min(entriesAtOnce, count - first)
      const words = new Uint32Array(window.read(entriesAt + first * entryBytes, some * entryBytes).buffer)
      for (let index = 0; index < some; index++)
        this.#frames[first + index] = words[index * entryWord.perEntry + entryWord.frame]
    }
  }

  /** From here on about so many are asked for in order, all over the segment. */
  expect(records: number): void {
    this.#aheadBytes = records * sparseBytes < this.#dataEnd ? pageBytes : aheadBytes
  }

  /** For who goes through them in order. Undefined: it has no key, or is not where the index says. */
  record(ordinal: number): KeyedRecord | undefined {
    const frame = this.#frames[ordinal]
    let at = this.#aheadOf(frame, fixedBytes)
    if (at < 0 || !this.#is(this.#aheadWords, at, ordinal)) return undefined
    const size = frameBytes(this.#aheadWords[(at >>> 2) + frameWord.length])
    const [keyBytes, headerBytes] = this.#lengthsAt(at)
    const length = fixedBytes + keyBytes + headerBytes
    if (length > size) return undefined
    at = this.#aheadOf(frame, length)
    if (at < 0) return undefined
    const key = this.#ahead.subarray(at + fixedBytes, at + fixedBytes + keyBytes)
    return { key, saved: size - stubBytes, hasId: hasId(this.#ahead, this.#aheadWords, at, size) }
  }

  /** The record has that key. */
  isOf(ordinal: number, key: Uint8Array): boolean {
    const frame = this.#frames[ordinal]
    const length = fixedBytes + key.length
    if (frame === 0 || frame % 8 !== 0 || frame + length > this.#dataEnd) return false
    if (length > this.#near.length) {
      this.#near = new Uint8Array(2 * length)
      this.#nearWords = new Uint32Array(this.#near.buffer, 0, this.#near.length >>> 2)
    }
    this.#window.readInto(this.#near, 0, frame, length)
    const words = this.#nearWords
    if (!this.#is(words, 0, ordinal) || words[frameHeaderBytes >>> 2] !== key.length) return false
    const near = this.#near
    for (let index = 0; index < key.length; index++) if (near[fixedBytes + index] !== key[index]) return false
    return true
  }

  /** Of the key and of the headers. */
  #lengthsAt(at: number): [key: number, headers: number] {
    const word = (at + frameHeaderBytes) >>> 2
    return [this.#aheadWords[word], this.#aheadWords[word + 1]]
  }

  /** There is that record, and it has a key. */
  #is(words: Uint32Array, at: number, ordinal: number): boolean {
    return (
      recordOffset(words, at, this.#topic) === this.#firstOffset + ordinal &&
      (flagsOf(words[(at >>> 2) + frameWord.tail]) & frameFlag.extended) !== 0 &&
      words[(at + frameHeaderBytes) >>> 2] !== noKey
    )
  }

  /** Where in the bytes read ahead the frame begins, `length` bytes of it being there; -1: it cannot be. */
  #aheadOf(frame: number, length: number): number {
    if (frame === 0 || frame % 8 !== 0 || frame + length > this.#dataEnd) return -1
    if (frame < this.#aheadAt || frame + length > this.#aheadAt + this.#ahead.length) {
      const bytes = Math.min(this.#dataEnd - frame, Math.max(length, this.#aheadBytes))
      this.#ahead = this.#window.read(frame, bytes)
      this.#aheadWords = new Uint32Array(this.#ahead.buffer, 0, bytes >>> 2)
      this.#aheadAt = frame
    }
    return frame - this.#aheadAt
  }
}
