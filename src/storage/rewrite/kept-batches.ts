/**
 * Batches out of what stays of a segment's: the frames that are kept, back to back, with the time and the take-over of the batches they
 * stood in. Small batches of one moment become one.
 *
 * All of the segment is published and durable, so atomic groups mean nothing in it any more: no batch `continues`.
 */
import { crc32 } from 'node:zlib'
import {
  type BatchHeader,
  batchFlag,
  batchHeaderBytes,
  mixedTopics,
  writeBatchHeader,
} from '../../format/batch-layout.js'
import { expires, expiryOf, putStub, savedByStub, stubBytes } from '../../format/expiry-layout.js'
import {
  flagsOf,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
  offsetOf,
  tailWord,
} from '../../format/frame-layout.js'
import { frameEnd } from '../../format/frame-walk.js'
import { highWord, joinWords, lowWord } from '../../format/numbers.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { maxBatchBytes } from '../../limits.js'

/** Where what is kept of a topic begins. */
export interface KeptFrom {
  /** Its records below are left out. */
  offset: number
  /** Its first readable offset as far as this segment knows; what it states already may be higher. */
  readable: number
}

/** What is kept of a segment. */
export interface Kept {
  /** Where what is kept of a topic begins, by its number; of the others all is. */
  from: ReadonlyMap<number, KeptFrom>
  /** Of messages that have expired by then, ms since the epoch, their places are. */
  expiredBy: number
  /** Topics whose messages expire for those who read. */
  expiring: ReadonlySet<number>
  /** Of these messages, by the number of their topic, the places are kept alone. */
  gone: ReadonlyMap<number, { has(offset: number): boolean }>
}

export class KeptBatches {
  readonly #base: number
  readonly #kept: Kept
  readonly #write: (at: number, bytes: Uint8Array) => void
  #bytes = new Uint8Array(2 * maxBatchBytes)
  #words = new Uint32Array(this.#bytes.buffer)
  /** Of the batch that is being made; its header stands in front. */
  #end = batchHeaderBytes
  #count = 0
  #topic = mixedTopics
  #flags = 0
  #time = 0
  #epoch = 0
  /** Where it goes, relative to the segment. */
  #at = segmentHeaderBytes
  /** Records that were met, and those of them that were kept. */
  met = 0
  kept = 0

  /** @param write puts bytes into the new file */
  constructor(base: number, kept: Kept, write: (at: number, bytes: Uint8Array) => void) {
    this.#base = base
    this.#kept = kept
    this.#write = write
  }

  /** Takes what is to be kept of a batch that was verified. False: it is none that can be written anew. */
  add(bytes: Uint8Array, words: Uint32Array, header: BatchHeader, at: number): boolean {
    if ((header.flags & batchFlag.gap) !== 0) return false
    const end = at + header.bytes
    let frame = at + batchHeaderBytes
    for (let next = frameEnd(words, frame, end); next > 0; frame = next, next = frameEnd(words, frame, end)) {
      if (this.#isKept(words, frame)) this.#put(bytes, words, frame, next - frame, header)
    }
    if (frame !== end) return false
    if ((header.flags & batchFlag.seal) !== 0) this.#seal(header)
    return true
  }

  #isKept(words: Uint32Array, frame: number): boolean {
    const word = frame >>> 2
    const tail = words[word + frameWord.tail]
    if (kindOf(tail) !== frameKind.data) return true
    this.met += 1
    const kept = this.#kept.from.get(words[word + frameWord.topic])
    return kept === undefined || offsetOf(words[word + frameWord.offsetLow], tail) >= kept.offset
  }

  #put(bytes: Uint8Array, words: Uint32Array, frame: number, size: number, { time, epoch }: BatchHeader): void {
    const isOther = time !== this.#time || epoch !== this.#epoch
    if (this.#end > batchHeaderBytes && (isOther || this.#end + size > maxBatchBytes)) this.#flush(0)
    this.#time = time
    this.#epoch = epoch
    if (this.#end + size > this.#bytes.length) this.#grow(this.#end + size)
    const to = this.#end
    this.#bytes.set(bytes.subarray(frame, frame + size), to)
    this.#end += size
    const word = to >>> 2
    const tail = this.#words[word + frameWord.tail]
    const kind = kindOf(tail)
    const flags = flagsOf(tail) & ~frameFlag.continues
    this.#words[word + frameWord.tail] = tailWord(tail & 0xffff, kind, flags)
    const topic = words[(frame >>> 2) + frameWord.topic]
    if (kind === frameKind.declare) this.#restate(word, topic)
    if (kind !== frameKind.data) return
    if (this.#isGone(word, topic) || this.#hasExpired(to, size, topic)) {
      putStub(this.#words, to)
      this.#end = to + stubBytes
    }
    this.kept += 1
    this.#topic = this.#count === 0 || this.#topic === topic ? topic : mixedTopics
    this.#count += 1
    if (expires(this.#words, to)) this.#flags |= batchFlag.expiring
  }

  #isGone(word: number, topic: number): boolean {
    const gone = this.#kept.gone.get(topic)
    const words = this.#words
    return gone?.has(offsetOf(words[word + frameWord.offsetLow], words[word + frameWord.tail])) === true
  }

  /** And there is more of it than its place. */
  #hasExpired(frame: number, size: number, topic: number): boolean {
    const { expiredBy, expiring } = this.#kept
    if (
      !expires(this.#words, frame) ||
      !expiring.has(topic) ||
      savedByStub(this.#bytes, this.#words, frame, size) === 0
    )
      return false
    return expiryOf(this.#bytes, this.#words, frame) <= expiredBy
  }

  /** A declaration of a topic whose records below are left out: it begins, and may be read, from there on. */
  #restate(word: number, topic: number): void {
    const kept = this.#kept.from.get(topic)
    if (kept === undefined) return
    const words = this.#words
    const tail = words[word + frameWord.tail]
    const next = Math.max(offsetOf(words[word + frameWord.offsetLow], tail), kept.offset)
    words[word + frameWord.offsetLow] = lowWord(next)
    words[word + frameWord.tail] = tailWord(highWord(next), kindOf(tail), flagsOf(tail))
    const payload = word + (frameHeaderBytes >>> 2)
    const readable = Math.max(joinWords(words[payload], words[payload + 1]), kept.readable)
    words[payload] = lowWord(readable)
    words[payload + 1] = highWord(readable)
  }

  #seal({ time, epoch }: BatchHeader): void {
    if (this.#end > batchHeaderBytes) this.#flush(0)
    this.#time = time
    this.#epoch = epoch
    this.#flush(batchFlag.seal)
  }

  #flush(flags: number): void {
    const end = this.#end
    const bytes = this.#bytes.subarray(0, end)
    const crc = end === batchHeaderBytes ? 0 : crc32(bytes.subarray(batchHeaderBytes))
    const topic = this.#count === 0 ? mixedTopics : this.#topic
    const position = this.#base + this.#at
    const both = flags | this.#flags
    writeBatchHeader(bytes, this.#words, 0, end, this.#count, position, this.#time, this.#epoch, topic, both, crc)
    this.#write(this.#at, bytes)
    this.#at += end
    this.#end = batchHeaderBytes
    this.#count = 0
    this.#flags = 0
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length))
    grown.set(this.#bytes.subarray(0, this.#end))
    this.#bytes = grown
    this.#words = new Uint32Array(grown.buffer)
  }
}
