/** Hashes of headers' values, by which side indexes find them: of a value as it is stored, a JSON string, quotes and all. Keys have the tag of their entries instead. */
import { fnv1a, fnvBasis, withByte } from './fnv.js'
import { jsonMark } from './stored-headers.js'

const { quote, backslash } = jsonMark

export function headerHash(bytes: Uint8Array, start: number, end: number): number {
  return mixed(fnv1a(bytes, start, end))
}

/** Hashes values and finds where they end, looking once at each byte: there are a million of them in a segment. */
export class HeaderHasher {
  /** Of the value that was read last. */
  hash = 0

  /** @returns the end of the value that begins at `start`; -1: none does */
  read(bytes: Uint8Array, start: number, end: number): number {
    if (start >= end || bytes[start] !== quote) return -1
    let hash = withByte(fnvBasis, quote)
    for (let at = start + 1; at < end; at++) {
      const byte = bytes[at]
      hash = withByte(hash, byte)
      if (byte === quote) {
        this.hash = mixed(hash)
        return at + 1
      }
      if (byte === backslash) {
        at += 1
        hash = withByte(hash, bytes[at])
      }
    }
    return -1
  }
}

/** Short values would stand close together. */
function mixed(hash: number): number {
  const folded = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (folded ^ (folded >>> 13)) >>> 0
}
