/** Which lane a message belongs to, where the order per key is kept: messages of one key share a lane. */
import { fnv1a } from '../format/fnv.js'
import { partsOf, type RecordPlace } from './chunk-cursor.js'

/** Messages without a key have no order to keep: they are dealt out. */
export function laneOf(record: RecordPlace, lanes: number): number {
  const { keyStart, keyEnd } = partsOf(record.words, record.frame)
  return keyStart < 0 ? record.offset % lanes : hash(record.bytes, keyStart, keyEnd) % lanes
}

/** FNV-1a; its low bits mix least, so the high ones are folded in. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  const value = fnv1a(bytes, start, end)
  return (value ^ (value >>> 15)) >>> 0
}
