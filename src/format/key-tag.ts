/** Tags of keys: 32 bits by which a key is looked for. Whoever finds one compares the key: two may have one tag. */
import { crc32 } from 'node:zlib'
import { frameHeaderBytes, noKey } from './frame-layout.js'

/** Up to so many bytes a table is faster than a call: that takes some 100 ns, and as much again a view of the bytes. */
const shortBytes = 64

/** CRC-32 of each byte, as the call makes it: remainders by its polynomial. */
const remainders = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ ((remainder & 1) * 0xedb88320)
  return remainder
})

/** The tag of a key: never 0. */
export function tagOf(key: Uint8Array, start = 0, end = key.length): number {
  if (end - start > shortBytes) return (crc32(key.subarray(start, end)) | 1) >>> 0
  let crc = -1
  for (let at = start; at < end; at++) crc = (crc >>> 8) ^ remainders[(crc ^ key[at]) & 0xff]
  return (~crc | 1) >>> 0
}

/** A 32-bit tag of a record's key, 0 without one: entries hold it for searches by key. */
export function keyTag(bytes: Uint8Array, words: Uint32Array, frame: number): number {
  const extension = frame + frameHeaderBytes
  const keyBytes = words[extension >>> 2]
  if (keyBytes === noKey) return 0
  // A frame whose length was checked may still say that its key is longer.
  return tagOf(bytes, extension + 8, Math.min(extension + 8 + keyBytes, bytes.length))
}
