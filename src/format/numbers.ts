/** Positions and offsets are JS numbers below 2^53, stored as two little-endian 32-bit words, low word first. */

export const maxSafeHigh = 2 ** 21 - 1

export function lowWord(value: number): number {
  return value >>> 0
}

export function highWord(value: number): number {
  return Math.floor(value / 2 ** 32)
}

export function joinWords(low: number, high: number): number {
  return (low >>> 0) + (high >>> 0) * 2 ** 32
}

export function putNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, lowWord(value), true)
  view.setUint32(at + 4, highWord(value), true)
}

/** As {@link putNumber}, where a view would be made for it. */
export function putNumberInto(bytes: Uint8Array, at: number, value: number): void {
  const low = lowWord(value)
  const high = highWord(value)
  for (let byte = 0; byte < 4; byte++) {
    bytes[at + byte] = low >>> (8 * byte)
    bytes[at + 4 + byte] = high >>> (8 * byte)
  }
}

/** Returns NaN for what no number of ours can be, so that a damaged field fails every comparison. */
export function takeNumber(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true)
  return high > maxSafeHigh ? Number.NaN : joinWords(view.getUint32(at, true), high)
}
