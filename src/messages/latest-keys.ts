/**
 * The latest message of every key among those that were put in: an open table by hash, with the bytes of the keys beside it, so that keys are
 * compared and not only their hashes. Plain data: it travels between threads.
 *
 * It takes the keys whose hash is in a range, and narrows that range where they are too many to be held at once: who wants all comes again for the
 * rest. So it never grows beyond {@link MostKeys}, whatever there is.
 */
import { fnv1a } from '../format/fnv.js'
import { joinWords, lowWord } from '../format/numbers.js'
import { maxLatestKeyBytes, maxLatestKeys } from '../limits.js'

/** Behind the last hash. */
export const hashEnd = 2 ** 32

/** What is held at most. */
export interface MostKeys {
  readonly keys: number
  /** Of them, about. */
  readonly bytes: number
}

const usually: MostKeys = { keys: maxLatestKeys, bytes: maxLatestKeyBytes }

export interface LatestKeys {
  /** Hashes from here on, and below, are taken. */
  readonly from: number
  below: number
  readonly most: MostKeys
  count: number
  /** By hash: the number of an entry, from 1 on; 0: free. A power of two of them, at most half of them taken. */
  slots: Uint32Array
  /** See {@link entryWord}. */
  entries: Uint32Array
  keys: Uint8Array
  keyBytes: number
}

/** Words of an entry: its hash, where its key stands, and the offset of its latest message, with a bit for a tombstone. */
const entryWord = { hash: 0, start: 1, end: 2, low: 3, high: 4, perEntry: 5 } as const
const { hash: hashWord, start: startWord, end: endWord, low: lowWordAt, high: highWordAt, perEntry } = entryWord
const tombstoneBit = 0x8000_0000

export function latestKeys(from: number, most = usually): LatestKeys {
  const first = Math.min(1_024, most.keys)
  return {
    ...{ from, below: hashEnd, most, count: 0, keyBytes: 0 },
    slots: new Uint32Array(slotsFor(first)),
    entries: new Uint32Array(first * perEntry),
    keys: new Uint8Array(16 * first),
  }
}

/** Puts a message in. Which of two with one key is the latest, their offsets say. */
export function putLatest(
  table: LatestKeys,
  bytes: Uint8Array,
  start: number,
  end: number,
  offset: number,
  isTombstone: boolean,
): void {
  const high = Math.floor(offset / 2 ** 32)
  const marked = isTombstone ? (high | tombstoneBit) >>> 0 : high
  put(table, hashOf(bytes, start, end), bytes, start, end, lowWord(offset), marked)
}

/** Puts all of another in, which may be narrower: so is what comes of both. */
export function addLatest(table: LatestKeys, { count, entries, keys, below }: LatestKeys): void {
  if (below < table.below) narrow(table, below)
  for (let at = 0; at < count * perEntry; at += perEntry)
    put(
      table,
      entries[at + hashWord],
      keys,
      entries[at + startWord],
      entries[at + endWord],
      entries[at + lowWordAt],
      entries[at + highWordAt],
    )
}

/** Offsets of the latest messages that are no tombstones, ascending. */
export function latestOffsets({ entries, count }: LatestKeys): Float64Array {
  const offsets = new Float64Array(count)
  let found = 0
  for (let at = 0; at < count * perEntry; at += perEntry)
    if ((entries[at + highWordAt] & tombstoneBit) === 0)
      offsets[found++] = joinWords(entries[at + lowWordAt], entries[at + highWordAt])
  return offsets.slice(0, found).sort()
}

/** @param high word of the offset, with the bit of a tombstone */
function put(
  table: LatestKeys,
  hash: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  low: number,
  high: number,
): void {
  if (hash >= table.below || hash < table.from) return
  const { slots, entries } = table
  const mask = slots.length - 1
  let slot = hash & mask
  for (let number = slots[slot]; number !== 0; slot = (slot + 1) & mask, number = slots[slot]) {
    const at = (number - 1) * perEntry
    if (entries[at + hashWord] !== hash || !isKey(table, at, bytes, start, end)) continue
    if (
      joinWords(low, high & ~tombstoneBit) <
      joinWords(entries[at + lowWordAt], entries[at + highWordAt] & ~tombstoneBit)
    )
      return
    entries[at + lowWordAt] = low
    entries[at + highWordAt] = high
    return
  }
  const { count, keyBytes } = table
  const to = keyBytes + end - start
  if (!hasRoom(table, to)) {
    put(table, hash, bytes, start, end, low, high)
    return
  }
  const { keys } = table
  for (let from = start, target = keyBytes; from < end; from++, target++) keys[target] = bytes[from]
  const at = count * perEntry
  entries[at + hashWord] = hash
  entries[at + startWord] = keyBytes
  entries[at + endWord] = to
  entries[at + lowWordAt] = low
  entries[at + highWordAt] = high
  table.count = count + 1
  table.keyBytes = to
  slots[slot] = count + 1
}

/** For one more, whose key ends at `to`. False: the table is another one now, and it is to be looked again. */
function hasRoom(table: LatestKeys, to: number): boolean {
  const { count, most, entries, keys, from, below } = table
  const isFull = count >= most.keys || (to > most.bytes && count > 0)
  // All of one hash are held, however many they are.
  if (isFull && below - from > 1) {
    narrow(table, from + Math.ceil((below - from) / 2))
    return false
  }
  if (to > keys.length) {
    table.keys = new Uint8Array(2 * to)
    table.keys.set(keys)
  }
  if (count * perEntry < entries.length) return true
  const more = count < most.keys ? Math.min(2 * count, most.keys) : 2 * count
  table.entries = new Uint32Array(more * perEntry)
  table.entries.set(entries)
  table.slots = new Uint32Array(slotsFor(more))
  fillSlots(table)
  return false
}

/** Forgets keys whose hash is not below. */
function narrow(table: LatestKeys, below: number): void {
  const { entries, keys } = table
  table.below = below
  let kept = 0
  let to = 0
  for (let at = 0; at < table.count * perEntry; at += perEntry) {
    if (entries[at + hashWord] >= below) continue
    const start = entries[at + startWord]
    const end = entries[at + endWord]
    keys.copyWithin(to, start, end)
    entries.copyWithin(kept * perEntry, at, at + perEntry)
    entries[kept * perEntry + startWord] = to
    to += end - start
    entries[kept * perEntry + endWord] = to
    kept += 1
  }
  table.count = kept
  table.keyBytes = to
  fillSlots(table)
}

function fillSlots({ slots, entries, count }: LatestKeys): void {
  slots.fill(0)
  const mask = slots.length - 1
  for (let entry = 0; entry < count; entry++) {
    let slot = entries[entry * perEntry + hashWord] & mask
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = entry + 1
  }
}

/** At least twice as many as entries. */
function slotsFor(entries: number): number {
  return 2 ** Math.ceil(Math.log2(2 * entries))
}

function isKey({ entries, keys }: LatestKeys, at: number, bytes: Uint8Array, start: number, end: number): boolean {
  let one = entries[at + startWord]
  const to = entries[at + endWord]
  if (to - one !== end - start) return false
  for (let other = start; one < to; one++, other++) if (keys[one] !== bytes[other]) return false
  return true
}

/** FNV-1a, with its bits mixed. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = fnv1a(bytes, start, end)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
