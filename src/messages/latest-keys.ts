/**
 * The latest message of every key among those that were put in: an open table by hash, with the bytes of the keys beside it, so that keys are
 * compared and not only their hashes. Plain data: it travels between threads.
 *
 * It takes the keys whose hash is in a range, and narrows that range where they are too many to be held at once: who wants all comes again for the
 * rest. So it never grows beyond {@link MostKeys}, whatever there is.
 *
 * What is known of a key is one line of the processor's cache, and the key itself another: with a million keys neither is at hand, and waiting for them is
 * nearly all that a put costs. Hence {@link fetchLatest}.
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
  /** By hash, see {@link slotWord}. A power of two of them, at most half of them taken. */
  slots: Uint32Array
  /** Each behind its length, in three bytes: the longest has 64 KiB. */
  keys: Uint8Array
  keyBytes: number
}

/** Words of a slot: the hash of a key, where that stands (from 1 on; 0: the slot is free), and the offset of its latest message, with a bit for a tombstone. */
const slotWord = { hash: 0, key: 1, low: 2, high: 3, perSlot: 4 } as const
const { hash: hashWord, key: keyWord, low: lowWordAt, high: highWordAt, perSlot } = slotWord
const tombstoneBit = 0x8000_0000
const lengthBytes = 3

export function latestKeys(from: number, most = usually): LatestKeys {
  const first = Math.min(1_024, most.keys)
  return {
    ...{ from, below: hashEnd, most, count: 0, keyBytes: 0 },
    slots: new Uint32Array(slotsFor(first) * perSlot),
    keys: new Uint8Array(16 * first),
  }
}

/** Puts a message in. Which of two with one key is the latest, their offsets say. @param hash its key's {@link hashOf} */
export function putLatest(
  table: LatestKeys,
  bytes: Uint8Array,
  start: number,
  end: number,
  offset: number,
  isTombstone: boolean,
  hash = hashOf(bytes, start, end),
): void {
  const high = Math.floor(offset / 2 ** 32)
  put(table, hash, bytes, start, end, lowWord(offset), isTombstone ? (high | tombstoneBit) >>> 0 : high)
}

/**
 * Reads what puts of keys with these hashes are about to read, one kind after the other: loads that do not wait for each other are under way together,
 * where each put would wait for its own.
 * @returns nothing that means anything: without a result the loads could be left out
 */
export function fetchLatest({ slots, keys }: LatestKeys, hashes: Uint32Array, count: number): number {
  const mask = slots.length - 1
  let read = 0
  for (let at = 0; at < count; at++) read ^= slots[Math.imul(hashes[at], perSlot) & mask]
  for (let at = 0; at < count; at++) read ^= keys[slots[(Math.imul(hashes[at], perSlot) & mask) + keyWord]]
  return read
}

/** Puts all of another in, which may be narrower: so is what comes of both. */
export function addLatest(table: LatestKeys, { slots, keys, below }: LatestKeys): void {
  if (below < table.below) narrow(table, below)
  for (let at = 0; at < slots.length; at += perSlot) {
    const key = slots[at + keyWord]
    if (key === 0) continue
    const start = key - 1 + lengthBytes
    const end = start + lengthAt(keys, key - 1)
    put(table, slots[at + hashWord], keys, start, end, slots[at + lowWordAt], slots[at + highWordAt])
  }
}

/** Offsets of the latest messages that are no tombstones, ascending. */
export function latestOffsets({ slots, count }: LatestKeys): Float64Array {
  const offsets = new Float64Array(count)
  let found = 0
  for (let at = 0; at < slots.length; at += perSlot)
    if (slots[at + keyWord] !== 0 && (slots[at + highWordAt] & tombstoneBit) === 0)
      offsets[found++] = joinWords(slots[at + lowWordAt], slots[at + highWordAt])
  return offsets.slice(0, found).sort()
}

/** FNV-1a, with its bits mixed. */
export function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = fnv1a(bytes, start, end)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
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
  const { slots } = table
  const slot = slotOf(table, hash, bytes, start, end)
  if (slots[slot + keyWord] !== 0) {
    const isOlder =
      joinWords(low, high & ~tombstoneBit) <
      joinWords(slots[slot + lowWordAt], slots[slot + highWordAt] & ~tombstoneBit)
    if (isOlder) return
    slots[slot + lowWordAt] = low
    slots[slot + highWordAt] = high
    return
  }
  const { keyBytes } = table
  const to = keyBytes + lengthBytes + end - start
  if (!hasRoom(table, to)) {
    put(table, hash, bytes, start, end, low, high)
    return
  }
  const { keys } = table
  keys[keyBytes] = end - start
  keys[keyBytes + 1] = (end - start) >>> 8
  keys[keyBytes + 2] = (end - start) >>> 16
  for (let from = start, target = keyBytes + lengthBytes; from < end; from++, target++) keys[target] = bytes[from]
  slots[slot + hashWord] = hash
  slots[slot + keyWord] = keyBytes + 1
  slots[slot + lowWordAt] = low
  slots[slot + highWordAt] = high
  table.count += 1
  table.keyBytes = to
}

/** That of a key, or a free one for it. */
function slotOf({ slots, keys }: LatestKeys, hash: number, bytes: Uint8Array, start: number, end: number): number {
  const mask = slots.length - 1
  let slot = Math.imul(hash, perSlot) & mask
  for (; slots[slot + keyWord] !== 0; slot = (slot + perSlot) & mask)
    if (slots[slot + hashWord] === hash && isKey(keys, slots[slot + keyWord] - 1, bytes, start, end)) break
  return slot
}

function isKey(keys: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): boolean {
  if (lengthAt(keys, at) !== end - start) return false
  for (let one = at + lengthBytes, other = start; other < end; one++, other++)
    if (keys[one] !== bytes[other]) return false
  return true
}

function lengthAt(keys: Uint8Array, at: number): number {
  return keys[at] | (keys[at + 1] << 8) | (keys[at + 2] << 16)
}

/** For one more, whose key ends at `to`. False: the table is another one now, and it is to be looked again. */
function hasRoom(table: LatestKeys, to: number): boolean {
  const { count, most, slots, keys, from, below } = table
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
  if (2 * count < slots.length / perSlot) return true
  table.slots = new Uint32Array(2 * slots.length)
  for (let at = 0; at < slots.length; at += perSlot) if (slots[at + keyWord] !== 0) move(slots, at, table.slots)
  return false
}

/** Forgets keys whose hash is not below. */
function narrow(table: LatestKeys, below: number): void {
  const { slots, keys } = table
  Object.assign(table, { below, count: 0, keyBytes: 0 })
  table.slots = new Uint32Array(slots.length)
  table.keys = new Uint8Array(keys.length)
  for (let at = 0; at < slots.length; at += perSlot) {
    const key = slots[at + keyWord]
    if (key === 0 || slots[at + hashWord] >= below) continue
    const to = move(slots, at, table.slots)
    const end = key - 1 + lengthBytes + lengthAt(keys, key - 1)
    table.keys.set(keys.subarray(key - 1, end), table.keyBytes)
    table.slots[to + keyWord] = table.keyBytes + 1
    table.keyBytes += end - key + 1
    table.count += 1
  }
}

/** A slot into the first free one in another table. @returns where that is */
function move(slots: Uint32Array, at: number, into: Uint32Array): number {
  const mask = into.length - 1
  let to = Math.imul(slots[at + hashWord], perSlot) & mask
  while (into[to + keyWord] !== 0) to = (to + perSlot) & mask
  for (let word = 0; word < perSlot; word++) into[to + word] = slots[at + word]
  return to
}

/** At least twice as many as keys. */
function slotsFor(keys: number): number {
  return 2 ** Math.ceil(Math.log2(2 * keys))
}
