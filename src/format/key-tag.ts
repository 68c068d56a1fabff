/** Tags of keys: 32 bits by which a key is looked for. Whoever finds one compares the key: two may have one tag. */
import { crc32 } from 'node:zlib'
import { frameHeaderBytes, noKey } from './frame-layout.js'

/** The tag of a key: never 0. */
export function tagOf(key: Uint8Array): number {
  return (crc32(key) | 1) >>> 0
}

/** A 32-bit tag of a record's key, 0 without one: entries hold it for searches by key. */
export function keyTag(bytes: Uint8Array, words: Uint32Array, frame: number): number {
  const extension = frame + frameHeaderBytes
  const keyBytes = words[extension >>> 2]
  if (keyBytes === noKey) return 0
  return tagOf(bytes.subarray(extension + 8, extension + 8 + keyBytes))
}
