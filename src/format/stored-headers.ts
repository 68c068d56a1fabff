/**
 * The headers of a message as they are stored: a JSON object of strings, written in one way, so that names and values can be told apart, and
 * compared, without decoding them.
 */

const quote = 0x22
const backslash = 0x5c
const colon = 0x3a
const comma = 0x2c
const openBrace = 0x7b
const closeBrace = 0x7d

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

/**
 * Calls `visit` with each name and value, as JSON strings with their quotes; no name ends where its value begins, a colon is between.
 * @returns false if they are JSON of another form, or none: what was visited is not all then
 */
export function eachHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (name: number, nameEnd: number, valueEnd: number) => void,
): boolean {
  if (bytes[start] !== openBrace) return false
  for (let name = start + 1; ; ) {
    const nameEnd = endOfString(bytes, name, end)
    if (nameEnd < 0 || bytes[nameEnd] !== colon) return false
    const valueEnd = endOfString(bytes, nameEnd + 1, end)
    if (valueEnd < 0) return false
    visit(name, nameEnd, valueEnd)
    if (bytes[valueEnd] === closeBrace) return true
    if (bytes[valueEnd] !== comma) return false
    name = valueEnd + 1
  }
}

/** They are the same bytes. */
export function isSameString(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  const { length } = other
  if (end - start !== length) return false
  for (let at = 0; at < length; at++) if (bytes[start + at] !== other[at]) return false
  return true
}
