/** JSON streams: a body is one message, or, as an array, one for each element; and read they are one array. Texts stay as they were sent, numbers of any length too. */
import { isUtf8 } from 'node:buffer'
import { HttpError } from './exchange.js'
import { jsonBounds } from './json-text.js'

const opening = 0x5b
const comma = 0x2c
const closing = 0x5d

/** The messages of a body. @throws HttpError 400 if it is no JSON, 413 for more than so many */
export function messagesIn(body: Uint8Array, maxMessages: number): Uint8Array[] {
  const bounds = isUtf8(body) ? jsonBounds(body, 2 * maxMessages) : 'none'
  if (bounds === 'none') throw new HttpError(400, 'the body is not JSON, as the content type of the stream says')
  if (bounds === 'more') throw new HttpError(413, `a request has at most ${maxMessages} messages here`)
  const messages: Uint8Array[] = []
  for (let at = 0; at < bounds.length; at += 2) messages.push(body.subarray(bounds[at], bounds[at + 1]))
  return messages
}

export function arrayOf(messages: readonly Uint8Array[]): Uint8Array {
  const array = Buffer.allocUnsafe(
    messages.reduce((bytes, { length }) => bytes + length + 1, messages.length > 0 ? 1 : 2),
  )
  let at = 0
  array[at++] = opening
  for (const message of messages) {
    if (at > 1) array[at++] = comma
    array.set(message, at)
    at += message.length
  }
  array[at] = closing
  return array
}
