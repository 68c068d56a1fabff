/** What a hash begins with. */
export const fnvBasis = 0x811c9dc5
const prime = 0x01000193

/**
 * FNV-1a of `[start, end)`, for short strings. Its low bits mix least: whoever needs a few of its bits folds the others in.
 * @param seed what it begins with
 */
export function fnv1a(bytes: Uint8Array, start: number, end: number, seed = fnvBasis): number {
  let hash = seed
  for (let at = start; at < end; at++) hash = withByte(hash, bytes[at])
  return hash
}

/** The hash of what was hashed, and a byte behind it. */
export function withByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, prime)
}
