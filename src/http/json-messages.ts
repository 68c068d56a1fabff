/** JSON streams: a body is one message, or, as an array, one for each element; and read they are one array. Texts stay as they were sent, numbers of any length too. */
import { HttpError } from './exchange.js'

const comma = 0x2c
const quote = 0x22
const backslash = 0x5c
/** Brackets and braces: the two of a kind differ in one bit. */
const kindOfBracket = ~0x20
const opens = 0x5b
const closes = 0x5d
const decoder = new TextDecoder('utf-8', { fatal: true })

/** The messages of a body. @throws HttpError 400 if it is no JSON */
export function messagesIn(body: Uint8Array): Uint8Array[] {
  let value: unknown
  let text: string
  try {
    text = decoder.decode(body)
    value = JSON.parse(text)
  } catch {
    throw new HttpError(400, 'the body is not JSON, as the content type of the stream says')
  }
  const bytes = Buffer.from(text)
  if (!Array.isArray(value)) return [trimmed(bytes)]
  return value.length === 0 ? [] : elements(trimmed(bytes))
}

/** Of an array that is known to be JSON, and not empty. */
function elements(array: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = []
  let depth = 0
  let start = 1
  for (let at = 1; at < array.length - 1; at++) {
    const byte = array[at]
    if (byte === quote) {
      at += 1
      while (array[at] !== quote) at += array[at] === backslash ? 2 : 1
    } else if ((byte & kindOfBracket) === opens) depth += 1
    else if ((byte & kindOfBracket) === closes) depth -= 1
    else if (byte === comma && depth === 0) {
      found.push(trimmed(array, start, at))
      start = at + 1
    }
  }
  found.push(trimmed(array, start, array.length - 1))
  return found
}

function trimmed(bytes: Uint8Array, from = 0, to = bytes.length): Uint8Array {
  let start = from
  let end = to
  while (start < end && bytes[start] <= 0x20) start += 1
  while (end > start && bytes[end - 1] <= 0x20) end -= 1
  return bytes.subarray(start, end)
}

export function arrayOf(messages: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = []
  messages.forEach((message, index) => {
    parts.push(Buffer.from(index === 0 ? '[' : ','), message)
  })
  return messages.length === 0 ? Buffer.from('[]') : Buffer.concat([...parts, Buffer.from(']')])
}
