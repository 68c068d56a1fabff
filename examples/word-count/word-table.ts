import { FOLDED } from './word-bytes.js'

const INITIAL_SLOT_COUNT = 1024
const INITIAL_ARENA_BYTES = 8192
/** Rows of {@link WordTable}'s entries, each four numbers wide. */
const ENTRY_WIDTH = 4
const HASH = 0
const START = 1
const BYTES = 2
const COUNT = 3

const FNV_BASIS = 0x811c9dc5 | 0
const FNV_PRIME = 0x01000193
const WORD = /[\p{L}\p{M}\p{N}_]+/gu

const utf8 = new TextDecoder()

/**
 * Counts words in bytes without making a string of each: an open-addressing table from a hash to one entry per
 * distinct run of word bytes. Strings are made at the end, once per distinct run.
 *
 * ```
 * slots    [ 0 | 3 | 0 | 1 | ... ]          entry number + 1, 0 = free; a power of two of them
 * entries  [ hash | start | bytes | count ] one row per distinct run
 * arena    [ thequickbrown... ]             the runs, folded, end to end
 * ```
 */
export class WordTable {
  #slots = new Int32Array(INITIAL_SLOT_COUNT)
  #entries = new Int32Array((INITIAL_SLOT_COUNT / 2) * ENTRY_WIDTH)
  #entryCount = 0
  #arena = Buffer.allocUnsafeSlow(INITIAL_ARENA_BYTES)
  #arenaBytes = 0

  /**
   * Counts the words in `bytes[start, end)`. A word does not reach from one call into the next.
   */
  add(bytes: Uint8Array, start: number, end: number): void {
    let position = start
    while (position < end) {
      while (position < end && FOLDED[bytes[position]!] === 0) position++
      const wordStart = position
      let hash = FNV_BASIS
      while (position < end) {
        const byte = FOLDED[bytes[position]!]!
        if (byte === 0) break
        hash = Math.imul(hash ^ byte, FNV_PRIME)
        position++
      }
      if (position > wordStart) this.#count(bytes, wordStart, position, hash)
    }
  }

  /**
   * Every distinct word with its exact count. Runs beyond ASCII are decoded, split where a character is neither a
   * letter, a mark, a digit nor an underscore, and folded by Unicode's rules.
   */
  counts(): Map<string, number> {
    const counts = new Map<string, number>()
    for (let index = 0; index < this.#entryCount; index++) {
      const row = index * ENTRY_WIDTH
      const start = this.#entries[row + START]!
      const end = start + this.#entries[row + BYTES]!
      const count = this.#entries[row + COUNT]!
      if (isAscii(this.#arena, start, end)) {
        increase(counts, this.#arena.toString('latin1', start, end), count)
      } else {
        const run = utf8.decode(this.#arena.subarray(start, end)).toLowerCase()
        for (const [word] of run.matchAll(WORD)) increase(counts, word, count)
      }
    }
    return counts
  }

  #count(bytes: Uint8Array, start: number, end: number, hash: number): void {
    const mask = this.#slots.length - 1
    // The low bits of FNV-1a mix least for short words; the high ones are folded in.
    let slot = (hash ^ (hash >>> 15)) & mask
    for (let entry = this.#slots[slot]!; entry !== 0; entry = this.#slots[slot]!) {
      const row = (entry - 1) * ENTRY_WIDTH
      if (this.#entries[row + HASH] === hash && this.#isSame(row, bytes, start, end)) {
        this.#entries[row + COUNT]!++
        return
      }
      slot = (slot + 1) & mask
    }
    this.#insert(slot, bytes, start, end, hash)
  }

  #isSame(row: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start
    if (this.#entries[row + BYTES] !== length) return false
    const known = this.#entries[row + START]!
    for (let index = 0; index < length; index++) {
      if (this.#arena[known + index] !== FOLDED[bytes[start + index]!]) return false
    }
    return true
  }

  #insert(slot: number, bytes: Uint8Array, start: number, end: number, hash: number): void {
    const length = end - start
    this.#reserveArena(length)
    for (let index = 0; index < length; index++) this.#arena[this.#arenaBytes + index] = FOLDED[bytes[start + index]!]!
    const row = this.#entryCount * ENTRY_WIDTH
    this.#entries[row + HASH] = hash
    this.#entries[row + START] = this.#arenaBytes
    this.#entries[row + BYTES] = length
    this.#entries[row + COUNT] = 1
    this.#arenaBytes += length
    this.#entryCount++
    this.#slots[slot] = this.#entryCount
    // Kept at most half full: probes stay short, and entries need no bound of their own.
    if (this.#entryCount * 2 >= this.#slots.length) this.#grow()
  }

  #reserveArena(length: number): void {
    if (this.#arenaBytes + length <= this.#arena.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#arena.length * 2, this.#arenaBytes + length))
    this.#arena.copy(larger, 0, 0, this.#arenaBytes)
    this.#arena = larger
  }

  #grow(): void {
    const slots = new Int32Array(this.#slots.length * 2)
    const mask = slots.length - 1
    for (let index = 0; index < this.#entryCount; index++) {
      const hash = this.#entries[index * ENTRY_WIDTH + HASH]!
      let slot = (hash ^ (hash >>> 15)) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = index + 1
    }
    this.#slots = slots
    const entries = new Int32Array((slots.length / 2) * ENTRY_WIDTH)
    entries.set(this.#entries)
    this.#entries = entries
  }
}

/**
 * Adds to one word's count.
 */
export function increase(counts: Map<string, number>, word: string, by: number): void {
  counts.set(word, (counts.get(word) ?? 0) + by)
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) {
    if (bytes[index]! >= 0x80) return false
  }
  return true
}
