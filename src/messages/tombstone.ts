/** What says that there is nothing any more under its key: a key, no value, and a header that says so. */
import { tombstoneHeader } from '../limits.js'
import type { RecordParts } from './chunk-cursor.js'
import { textOf } from './utf8.js'

export function isTombstone(bytes: Uint8Array, { keyStart, keyEnd, valueStart, valueEnd }: RecordParts): boolean {
  // Nearly all messages are told by their value already.
  if (valueStart < valueEnd || keyStart < 0 || keyEnd === valueStart) return false
  return Object.hasOwn(JSON.parse(textOf(bytes, keyEnd, valueStart)) as object, tombstoneHeader)
}
