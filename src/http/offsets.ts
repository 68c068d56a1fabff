/**
 * The protocol's offsets: opaque to clients, sorted as text. Ours are where the stream begins, so that those of a stream that was deleted are not taken for those
 * of one that was made anew, and the position: see stream-state.ts.
 */
import { HttpError } from './exchange.js'
import type { StreamState } from './stream-state.js'

const digits = 16
const form = /^(\d{16})_(\d{16})$/

/** No text of ours is `-1` or `now`, which mean something else. */
export function offsetText({ start }: Pick<StreamState, 'start'>, position: number): string {
  return `${padded(start)}_${padded(position)}`
}

/** False for `-1`, which is below all of them, and for what is none. */
export function isOffset(text: string): boolean {
  return form.test(text)
}

function padded(value: number): string {
  return String(value).padStart(digits, '0')
}

/** The position. @param end of the stream. @throws HttpError 400, 410 */
export function positionIn({ start }: Pick<StreamState, 'start'>, text: string, end: number): number {
  const found = form.exec(text)
  if (found === null)
    throw new HttpError(400, 'an offset is -1, now, or what a response has named as Stream-Next-Offset')
  const [, begins, position] = found.map(Number)
  if (position > end) throw new HttpError(400, 'the offset lies behind the end of the stream')
  if (begins !== start || position < start) throw new HttpError(410, 'what is asked for was deleted')
  return position
}
