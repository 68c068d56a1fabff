/**
 * Ids in the order in which they came, found by their bytes: numbers in a few arrays. A million objects would keep the collector at work for longer
 * than everything else that an append takes.
 *
 * ```
 *   entries, by their number   where its bytes stand | offset | time | hash | the entry before it in its chain
 *   chains, by hash            the youngest entry
 *   bytes                      of the ids, one behind the other
 * ```
 *
 * All three are rings. A chain leads from the youngest to the oldest: who comes to an entry that is gone is at its end, so nothing is ever unlinked.
 */
import { fnv1a } from '../../format/fnv.js'

/** Where an id stands in bytes that go with this. */
export interface IdPlace {
  from: number
  end: number
  hash: number
}

/** A message that was appended under an id. */
export interface KnownId {
  /** In UTF-8. */
  readonly id: Uint8Array
  readonly offset: number
  /** Of its batch, ms since the epoch. */
  readonly time: number
}

const leastEntries = 16
const leastBytes = 256
/** Rings above this are let go as soon as they are empty. */
const keptEntries = 512
const chainsPerEntry = 2
const noEntry = -1

/** Of this process: nobody can make up ids that all come into one chain. */
const seed = Math.floor(Math.random() * 2 ** 32) | 0

/** By FNV-1a: ids are short. */
export function hashOf(bytes: Uint8Array, from: number, end: number): number {
  const hash = fnv1a(bytes, from, end, seed)
  return hash ^ (hash >>> 15)
}

export function placeOf(bytes: Uint8Array, from = 0, end = bytes.length): IdPlace {
  return { from, end, hash: hashOf(bytes, from, end) }
}

/** @param bytes of both */
export function isSameId(bytes: Uint8Array, one: IdPlace, other: IdPlace): boolean {
  const length = one.end - one.from
  if (one.hash !== other.hash || other.end - other.from !== length) return false
  for (let at = 0; at < length; at++) if (bytes[one.from + at] !== bytes[other.from + at]) return false
  return true
}

export class IdTable {
  /** Numbers of the oldest entry, and of the next one: they only go up. */
  #oldest = 0
  #next = 0
  #entries = new Entries(leastEntries)
  #bytes = new Uint8Array(leastBytes)
  /** Places in the ring of bytes, which only go up as well. */
  #bytesFrom = 0
  #bytesEnd = 0

  get length(): number {
    return this.#next - this.#oldest
  }

  /** Of the oldest, where there is one. */
  get oldestTime(): number {
    const { mask, times } = this.#entries
    return times[this.#oldest & mask]
  }

  /** Of what came under this id last; undefined: nothing that is still there. */
  offsetOf(bytes: Uint8Array, id: IdPlace): number | undefined {
    const { mask, chainMask, chains, hashes, before, offsets } = this.#entries
    for (let entry = chains[id.hash & chainMask]; entry >= this.#oldest; entry = before[entry & mask])
      if (hashes[entry & mask] === id.hash && this.#isAt(entry, bytes, id)) return offsets[entry & mask]
    return undefined
  }

  add(bytes: Uint8Array, { from, end, hash }: IdPlace, offset: number, time: number): void {
    const length = end - from
    if (this.length > this.#entries.mask) this.#growEntries()
    if (this.#bytesEnd - this.#bytesFrom + length > this.#bytes.length) this.#growBytes(length)
    const mask = this.#bytes.length - 1
    for (let at = 0; at < length; at++) this.#bytes[(this.#bytesEnd + at) & mask] = bytes[from + at]
    this.#entries.put(this.#next, this.#bytesEnd, offset, time, hash)
    this.#next += 1
    this.#bytesEnd += length
  }

  /** There is one. */
  dropOldest(): void {
    this.#oldest += 1
    this.#bytesFrom = this.#startOf(this.#oldest)
    if (this.length > 0 || this.#entries.mask < keptEntries) return
    this.#entries = new Entries(leastEntries)
    this.#bytes = new Uint8Array(leastBytes)
  }

  /** Oldest first. */
  *[Symbol.iterator](): IterableIterator<KnownId> {
    for (let entry = this.#oldest; entry < this.#next; entry++) {
      const { mask, offsets, times } = this.#entries
      const id = Uint8Array.from({ length: this.#startOf(entry + 1) - this.#startOf(entry) }, (_, at) =>
        this.#byteAt(entry, at),
      )
      yield { id, offset: offsets[entry & mask], time: times[entry & mask] }
    }
  }

  #isAt(entry: number, bytes: Uint8Array, { from, end }: IdPlace): boolean {
    const start = this.#startOf(entry)
    const length = end - from
    if (this.#startOf(entry + 1) - start !== length) return false
    const mask = this.#bytes.length - 1
    for (let at = 0; at < length; at++) if (this.#bytes[(start + at) & mask] !== bytes[from + at]) return false
    return true
  }

  /** Of its bytes, which end where those of the next one start. */
  #startOf(entry: number): number {
    const { mask, starts } = this.#entries
    return entry < this.#next ? starts[entry & mask] : this.#bytesEnd
  }

  #byteAt(entry: number, at: number): number {
    return this.#bytes[(this.#startOf(entry) + at) & (this.#bytes.length - 1)]
  }

  #growEntries(): void {
    const old = this.#entries
    this.#entries = new Entries(2 * (old.mask + 1))
    for (let entry = this.#oldest; entry < this.#next; entry++) {
      const at = entry & old.mask
      this.#entries.put(entry, old.starts[at], old.offsets[at], old.times[at], old.hashes[at])
    }
  }

  #growBytes(more: number): void {
    const old = this.#bytes
    let length = 2 * old.length
    while (this.#bytesEnd - this.#bytesFrom + more > length) length *= 2
    this.#bytes = new Uint8Array(length)
    for (let at = this.#bytesFrom; at < this.#bytesEnd; at++)
      this.#bytes[at & (length - 1)] = old[at & (old.length - 1)]
  }
}

class Entries {
  readonly mask: number
  /** Of chains there are more: most of them hold one entry, or none. */
  readonly chainMask: number
  readonly starts: Float64Array
  readonly offsets: Float64Array
  readonly times: Float64Array
  readonly hashes: Int32Array
  readonly before: Float64Array
  readonly chains: Float64Array

  /** @param capacity a power of two */
  constructor(capacity: number) {
    this.mask = capacity - 1
    this.chainMask = chainsPerEntry * capacity - 1
    this.starts = new Float64Array(capacity)
    this.offsets = new Float64Array(capacity)
    this.times = new Float64Array(capacity)
    this.hashes = new Int32Array(capacity)
    this.before = new Float64Array(capacity)
    this.chains = new Float64Array(chainsPerEntry * capacity).fill(noEntry)
  }

  /** The youngest of its chain. */
  put(entry: number, start: number, offset: number, time: number, hash: number): void {
    const { mask, chainMask, chains } = this
    const at = entry & mask
    this.starts[at] = start
    this.offsets[at] = offset
    this.times[at] = time
    this.hashes[at] = hash
    this.before[at] = chains[hash & chainMask]
    chains[hash & chainMask] = entry
  }
}
