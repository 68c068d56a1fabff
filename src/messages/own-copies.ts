/** What a call was given, once the caller may use its buffers again. */
import type { Extras, Payload } from '../engine/terms.js'
import { IdExtras } from '../format/id-header.js'

const encoder = new TextEncoder()

/** `slice` of a Buffer would be a view of it. @param isEncoded strings as bytes */
export function copyOf(value: Payload, isEncoded = false): Payload {
  if (typeof value !== 'string') return new Uint8Array(value)
  return isEncoded ? encoder.encode(value) : value
}

/** Headers are text that was written already: only the key is the caller's. */
export function copyOfExtras(extras: Extras | undefined): Extras | undefined {
  if (extras?.key === undefined) return extras
  const key = new Uint8Array(extras.key)
  return extras.plainId === undefined ? { ...extras, key } : new IdExtras(key, extras.plainId)
}
