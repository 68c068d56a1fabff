/**
 * Messages that count for a time only: the frame has the flag `expires`, and its headers begin with the one that says until when.
 *
 * ```
 *   {"bookend-expires":"1764192000000", ...
 *                       |<--------->|    ms since the epoch, 13 digits
 * ```
 *
 * A batch that holds such a frame has the flag `expiring`, so what has none is never looked at for it. The header without the flag means
 * nothing; the flag without the header neither: such a message stays. The flag in a frame without any payload says that the message is gone:
 * that it has expired, or was superseded, and its segment was written anew.
 */
import { expiresHeader, idHeader } from '../limits.js'
import { batchBytes, batchField, batchFlag, batchHeaderBytes } from './batch-layout.js'
import {
  flagsOf,
  frameBytes,
  frameExtensionBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  noKey,
  tailWord,
} from './frame-layout.js'

/** Behind that there is no time: it has more digits. */
export const maxExpiresAt = 9_999_999_999_999

const digits = 13
const prefix = Buffer.from(`{"${expiresHeader}":"`)
const quote = 0x22
const zero = 0x30

/** What the header says. */
export function expiryDigits(expiresAt: number): string {
  return String(expiresAt).padStart(digits, '0')
}

/** @param headers the other ones, as JSON */
export function expiringHeaders(expiresAt: number, headers: string): string {
  const own = `${prefix.toString()}${expiryDigits(expiresAt)}"`
  return headers === '{}' ? `${own}}` : `${own},${headers.slice(1)}`
}

/** What is left of a message that counts no more when its segment is written anew: its place, and a flag that has nothing else with it. */
export const stubBytes = frameBytes(0)
const idName = Buffer.from(`"${idHeader}":`)

/**
 * How many bytes less the frame would take once its message counts no more; 0: it stays as it is. So does one whose id the topic may
 * remember still. @param size of the whole frame
 */
export function savedByStub(bytes: Uint8Array, words: Uint32Array, frame: number, size: number): number {
  return hasId(bytes, words, frame, size) ? 0 : size - stubBytes
}

/** @param size of the whole frame */
export function hasId(bytes: Uint8Array, words: Uint32Array, frame: number, size: number): boolean {
  if ((flagsOf(words[(frame >>> 2) + frameWord.tail]) & frameFlag.extended) === 0) return false
  const payload = frame + frameHeaderBytes
  const keyBytes = words[payload >>> 2] === noKey ? 0 : words[payload >>> 2]
  const headers = payload + frameExtensionBytes + keyBytes
  const end = Math.min(frame + size, headers + words[(payload >>> 2) + 1])
  return headers < end && Buffer.from(bytes.buffer, bytes.byteOffset + headers, end - headers).includes(idName)
}

/**
 * Writes that over the frame at `frame`; its topic and its offset stay. Whatever the clock says later, nobody is given it.
 */
export function putStub(words: Uint32Array, frame: number): void {
  const word = frame >>> 2
  words[word + frameWord.length] = 0
  words[word + frameWord.tail] = tailWord(words[word + frameWord.tail] & 0xffff, frameKind.data, frameFlag.expires)
}

/** When the message of a flagged frame counts no more, ms since the epoch; Infinity: it does not say. */
export function expiryOf(bytes: Uint8Array, words: Uint32Array, frame: number): number {
  const word = frame >>> 2
  if (words[word + frameWord.length] === 0) return 0
  const start = frame + frameHeaderBytes
  const end = start + words[word + frameWord.length]
  const keyBytes = words[start >>> 2]
  const headers = start + frameExtensionBytes + (keyBytes === noKey ? 0 : keyBytes)
  // Lengths that somebody made up must not lead out of the frame.
  if (headers + prefix.length + digits >= end || !begins(bytes, headers)) return Number.POSITIVE_INFINITY
  let time = 0
  let at = headers + prefix.length
  for (const stop = at + digits; at < stop; at++) {
    const digit = bytes[at] - zero
    if (digit < 0 || digit > 9) return Number.POSITIVE_INFINITY
    time = time * 10 + digit
  }
  return bytes[at] === quote ? time : Number.POSITIVE_INFINITY
}

function begins(bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < prefix.length; index++) if (bytes[at + index] !== prefix[index]) return false
  return true
}

/** The frame has the flag. */
export function expires(words: Uint32Array, frame: number): boolean {
  return (flagsOf(words[(frame >>> 2) + frameWord.tail]) & frameFlag.expires) !== 0
}

/** False: nothing in a row of whole batches ever expires. */
export function mayExpire(bytes: Uint8Array, words: Uint32Array): boolean {
  for (let at = 0; at + batchHeaderBytes <= bytes.length; at += batchBytes(words, at)) {
    if ((words[(at + batchField.flags) >>> 2] & batchFlag.expiring) !== 0) return true
    if (batchBytes(words, at) < batchHeaderBytes) return false
  }
  return false
}
