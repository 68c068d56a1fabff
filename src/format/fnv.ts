const offsetBasis = 0x811c9dc5
const prime = 0x01000193

/**
 * FNV-1a of `[start, end)`, for short strings. Its low bits mix least: whoever needs a few of its bits folds the others in.
 * @param seed what it begins with
 */
export function fnv1a(bytes: Uint8Array, start: number, end: number, seed = offsetBasis): number {
  let hash = seed
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at], prime)
  return hash
}
