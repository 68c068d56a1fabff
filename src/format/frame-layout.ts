/**
 * The record frame: the same bytes in the append ring and in the log, so that a run of them moves in one copy.
 *
 * ```
 *   0               4               8               12      14    15    16
 *   +---------------+---------------+---------------+-------+-----+-----+----------------------------- - - -+
 *   | length u32    | topic u32     | offset low    | high  |kind |flags| [extension] key headers value | 0..7 |
 *   +---------------+---------------+---------------+-------+-----+-----+----------------------------- - - -+
 *                                                                       |<-------- length -------->|  padding
 * ```
 *
 * - `length` counts what follows the 16 bytes, without the padding to a multiple of 8.
 * - `offset` (48 bits) is stamped by the writer: the record's dense number in its topic.
 * - `extension`, present with the flag `extended`: key length u32 (`noKey`: none), headers length u32.
 * - headers are a JSON object of strings in UTF-8.
 * - A `declare` frame names a topic: its payload is the first readable offset (two words) and the name; its
 *   `offset` is the next offset of the topic at this place. Each segment declares a topic before its first record.
 *
 * `padding`, `bulk`, `cancelled`, `guard`, `conflict`, `known` and `refused` exist in the ring only. Kind 0 is never written: zeros are never a frame.
 *
 * **Conditions of a lone message** stand in its own frame, in the ring only: flag `expects` says that its `offset` is the one that it is to get, flag `named` that
 * nothing may have been appended under the id that its headers are (see id-header.ts). The writer takes both flags away where they hold. Where they do not, it makes
 * the frame one of kind `known` (what came under the id stands at its `offset`) or `refused` (its topic goes on there). All other conditions stand in guards.
 */
import { alignUp } from '../limits.js'

export const frameHeaderBytes = 16
export const frameExtensionBytes = 8
export const noKey = 0xffffffff

export const frameKind = {
  data: 1,
  declare: 2,
  padding: 3,
  bulk: 4,
  cancelled: 5,
  guard: 7,
  conflict: 8,
  known: 9,
  refused: 10,
} as const

export const frameFlag = {
  /** The extension with key and headers is there. */
  extended: 1,
  /** More frames of the same atomic group follow. */
  continues: 2,
  /** Somebody waits for this one, so a full disk may refuse it. Means something in the ring only; nobody reads it in the log. */
  awaited: 4,
  /** It counts for a time only: see expiry-layout.ts. */
  expires: 8,
  /** In the ring only: its offset is the one that it is to get. */
  expects: 16,
  /** In the ring only: its headers are an id, under which nothing may have been appended. */
  named: 32,
} as const

/** Whoever writes frames to disk has taken these away. */
export const conditionFlags = frameFlag.expects | frameFlag.named

/** Word subscripts inside a frame, for code that walks frames with 32-bit words. */
export const frameWord = { length: 0, topic: 1, offsetLow: 2, tail: 3 } as const

export const declareFixedBytes = 8
export const bulkPayloadBytes = 8

/** Bytes a frame occupies for a payload of `length` bytes. */
export function frameBytes(length: number): number {
  return alignUp(frameHeaderBytes + length)
}

/** The last header word: high bits of the offset, kind and flags. */
export function tailWord(offsetHigh: number, kind: number, flags: number): number {
  return (offsetHigh & 0xffff) | (kind << 16) | (flags << 24)
}

export function kindOf(tail: number): number {
  return (tail >>> 16) & 0xff
}

export function flagsOf(tail: number): number {
  return tail >>> 24
}

/** Of a frame in the ring that is not judged yet. */
export function hasOwnConditions(tail: number): boolean {
  return (flagsOf(tail) & conditionFlags) !== 0
}

export function offsetOf(low: number, tail: number): number {
  return (low >>> 0) + (tail & 0xffff) * 2 ** 32
}

/** The name that a declaration of `length` payload bytes gives; `at`: of its payload. ASCII, where nothing is damaged. */
export function declaredName(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('latin1', declareFixedBytes)
}
