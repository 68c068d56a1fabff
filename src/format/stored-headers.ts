/**
 * The headers of a message as they are stored: a JSON object of strings, written in one way, so that names and values can be told apart, and
 * compared, without decoding them.
 */

export const jsonMark = {
  quote: 0x22,
  backslash: 0x5c,
  colon: 0x3a,
  comma: 0x2c,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const

const { quote, backslash } = jsonMark

/** Behind the string that begins at `start`; -1: none does. */
export function endOfString(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || bytes[start] !== quote) return -1
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at]
    if (byte === quote) return at + 1
    if (byte === backslash) at += 1
  }
  return -1
}

/** They are the same bytes. */
export function isSameString(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  const { length } = other
  if (end - start !== length) return false
  for (let at = 0; at < length; at++) if (bytes[start + at] !== other[at]) return false
  return true
}

/** Behind a string that begins at `start`, if it is that one; else -1. */
export function endOfSame(bytes: Uint8Array, start: number, end: number, string: Uint8Array): number {
  const behind = start + string.length
  return behind <= end && isSameString(bytes, start, behind, string) ? behind : -1
}
