/**
 * Messages that count for a time only: the frame has the flag `expires`, and its headers begin with the one that says until when.
 *
 * ```
 *   {"bookend-expires":"1764192000000", ...
 *                       |<--------->|    ms since the epoch, 13 digits
 * ```
 *
 * A batch that holds such a frame has the flag `expiring`, so what has none is never looked at for it. The header without the flag means
 * nothing; the flag without the header neither: such a message stays.
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

/** @param headers the other ones, as JSON */
export function expiringHeaders(expiresAt: number, headers: string): string {
  const own = `${prefix.toString()}${String(expiresAt).padStart(digits, '0')}"`
  return headers === '{}' ? `${own}}` : `${own},${headers.slice(1)}`
}

/** What is left of a message that has expired when its segment is written anew: no key, no value, and it has expired long ago. */
const stubHeaders = Buffer.from(expiringHeaders(1, '{}'))
const stubLength = frameExtensionBytes + stubHeaders.length
export const expiredStubBytes = frameBytes(stubLength)
const idName = Buffer.from(`"${idHeader}":`)

/**
 * How many bytes less the frame would take once it has expired; 0: it stays as it is. So does one whose id the topic may remember longer than
 * the message counts. @param size of the whole frame
 */
export function savedByStub(bytes: Uint8Array, words: Uint32Array, frame: number, size: number): number {
  if (size <= expiredStubBytes || !expires(words, frame)) return 0
  const payload = frame + frameHeaderBytes
  const keyBytes = words[payload >>> 2] === noKey ? 0 : words[payload >>> 2]
  const headers = payload + frameExtensionBytes + keyBytes
  const end = Math.min(frame + size, headers + words[(payload >>> 2) + 1])
  const hasId = headers < end && Buffer.from(bytes.buffer, bytes.byteOffset + headers, end - headers).includes(idName)
  return hasId ? 0 : size - expiredStubBytes
}

/**
 * Writes that over the frame at `frame`, which is longer; its topic and its offset stay. Whatever the clock says later, nobody is given it.
 */
export function putExpiredStub(bytes: Uint8Array, words: Uint32Array, frame: number): void {
  const word = frame >>> 2
  const payload = frame + frameHeaderBytes
  const tail = words[word + frameWord.tail]
  bytes.fill(0, payload, frame + expiredStubBytes)
  words[word + frameWord.length] = stubLength
  words[word + frameWord.tail] = tailWord(tail & 0xffff, frameKind.data, frameFlag.extended | frameFlag.expires)
  words[payload >>> 2] = noKey
  words[(payload >>> 2) + 1] = stubHeaders.length
  bytes.set(stubHeaders, payload + frameExtensionBytes)
}

/** When the message of a flagged frame counts no more, ms since the epoch; Infinity: it does not say. */
export function expiryOf(bytes: Uint8Array, words: Uint32Array, frame: number): number {
  const word = frame >>> 2
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
