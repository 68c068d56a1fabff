/** Messages that count for a time only, as they are appended and judged: by the clock of the machine. */
import { expires, expiryOf, maxExpiresAt } from '../format/expiry-layout.js'
import type { RecordPlace } from './chunk-cursor.js'

export { expiringHeaders, expiryDigits, maxExpiresAt } from '../format/expiry-layout.js'

/** The message does not count any more: from the very moment on that it names. */
export function hasExpired(bytes: Uint8Array, words: Uint32Array, frame: number): boolean {
  return expires(words, frame) && expiryOf(bytes, words, frame) <= Date.now()
}

/** The record, unless it does not count any more. */
export function unexpired(record: RecordPlace | undefined): RecordPlace | undefined {
  return record === undefined || hasExpired(record.bytes, record.words, record.frame) ? undefined : record
}

/** The longest time for which a message may count from now on, ms. */
export function longestTtlMs(): number {
  return maxExpiresAt - Date.now()
}

/** The moment that is so far from now. */
export function expiryIn(ttlMs: number): number {
  return Date.now() + Math.ceil(ttlMs)
}
