/** The protocol's offsets: opaque to clients, sorted as text. Ours are those of the topic, padded. */
import { HttpError } from './exchange.js'

const digits = 16

/** No text of ours is `-1` or `now`, which mean something else. */
export function offsetText(offset: number): string {
  return String(offset).padStart(digits, '0')
}

/** @throws HttpError 400 */
export function offsetIn(text: string): number {
  const offset = /^\d{16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(offset))
    throw new HttpError(400, 'offset is -1, now, or what a response has named as Stream-Next-Offset')
  return offset
}
