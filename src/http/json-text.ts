/**
 * Whether a text is JSON, and where the elements of its array stand, without making its values: of 8 MiB `JSON.parse` makes objects for seconds, and this takes no memory but for what it
 * finds, and a time that depends on nothing but the length.
 */

const space = 0x20
const quote = 0x22
const plus = 0x2b
const comma = 0x2c
const minus = 0x2d
const dot = 0x2e
const zero = 0x30
const colon = 0x3a
const backslash = 0x5c
const bracket = 0x5b
const closingBracket = 0x5d
const brace = 0x7b
const closingBrace = 0x7d
const letterE = 0x65
const letterU = 0x75
const smallLetter = 0x20
const escapes = new Set(Buffer.from('"\\/bfnrt'))
const words = ['true', 'false', 'null'].map((word) => Buffer.from(word))
const byteOrderMark = [0xef, 0xbb, 0xbf]

/** Begin and end of the whole value, or of each element of the array that it is; `none`: it is no JSON; `more`: there are more. */
export type JsonBounds = number[] | 'none' | 'more'

/** In place of a position: there it is no JSON. */
const nowhere = -1

/** @param text UTF-8 @param maxBounds twice the number of values */
export function jsonBounds(text: Uint8Array, maxBounds: number): JsonBounds {
  const bounds: number[] = []
  /** What closes those that are open. */
  const closings: number[] = []
  let at = afterSpace(text, byteOrderMark.every((byte, index) => text[index] === byte) ? byteOrderMark.length : 0)
  /** How many are open around a value that is looked for. */
  const wanted = text[at] === bracket ? 1 : 0
  let start = at
  for (;;) {
    // A value begins here.
    if (closings.length === wanted) start = at
    const first = text[at]
    let isOver = true
    if (first === bracket || first === brace) {
      const closing = first === bracket ? closingBracket : closingBrace
      at = afterSpace(text, at + 1)
      if (text[at] === closing) at += 1
      else {
        closings.push(closing)
        isOver = false
        if (closing === closingBrace) at = afterName(text, at)
      }
    } else at = afterScalar(text, at)
    if (at === nowhere) return 'none'
    // And here it ends, with all that end behind it.
    while (isOver) {
      if (closings.length === wanted) {
        if (bounds.length === maxBounds) return 'more'
        bounds.push(start, at)
      }
      at = afterSpace(text, at)
      if (closings.length === 0) return at === text.length ? bounds : 'none'
      const next = text[at++]
      const closing = closings[closings.length - 1]
      if (next === closing) closings.pop()
      else if (next === comma) {
        at = closing === closingBrace ? afterName(text, at) : afterSpace(text, at)
        isOver = false
      } else return 'none'
      if (at === nowhere) return 'none'
    }
  }
}

function afterSpace(text: Uint8Array, from: number): number {
  let at = from
  // Most often there is none: the bytes that are space are all below what else there is.
  while (at < text.length && text[at] <= space && isSpace(text[at])) at += 1
  return at
}

function isSpace(byte: number): boolean {
  return byte === space || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** Behind the name of a member, where its value begins. */
function afterName(text: Uint8Array, from: number): number {
  const at = afterSpace(text, from)
  const end = text[at] === quote ? afterString(text, at) : nowhere
  if (end === nowhere) return nowhere
  const between = afterSpace(text, end)
  return text[between] === colon ? afterSpace(text, between + 1) : nowhere
}

function afterScalar(text: Uint8Array, at: number): number {
  const first = text[at]
  if (first === quote) return afterString(text, at)
  if (first === minus || isDigit(first)) return afterNumber(text, at)
  for (const word of words) if (word.every((byte, index) => text[at + index] === byte)) return at + word.length
  return nowhere
}

function afterString(text: Uint8Array, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const byte = text[at]
    if (byte === quote) return at + 1
    if (byte < space) return nowhere
    if (byte === backslash) {
      at += 1
      if (text[at] === letterU) {
        for (let digit = 0; digit < 4; digit++) if (!isHex(text[++at])) return nowhere
      } else if (!escapes.has(text[at])) return nowhere
    }
  }
  return nowhere
}

function afterNumber(text: Uint8Array, from: number): number {
  let at = text[from] === minus ? from + 1 : from
  // A number begins with a zero only if it has no other digit in front of the dot.
  at = text[at] === zero ? at + 1 : afterDigits(text, at)
  if (at !== nowhere && text[at] === dot) at = afterDigits(text, at + 1)
  if (at !== nowhere && (text[at] | smallLetter) === letterE) {
    at += 1
    at = afterDigits(text, text[at] === plus || text[at] === minus ? at + 1 : at)
  }
  return at
}

/** One at least. */
function afterDigits(text: Uint8Array, from: number): number {
  let at = from
  while (isDigit(text[at])) at += 1
  return at > from ? at : nowhere
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= zero && byte <= 0x39
}

function isHex(byte: number | undefined): boolean {
  if (byte === undefined) return false
  const letter = byte | smallLetter
  return isDigit(byte) || (letter >= 0x61 && letter <= 0x66)
}
