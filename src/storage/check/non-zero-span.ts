import type { SalvageWindow } from '../files/salvage-window.js'

const stepBytes = 1 << 20
const zeros = Buffer.alloc(stepBytes)

/** From the first to behind the last byte of `[from, to)` that is not zero. */
export function nonZeroSpan(window: SalvageWindow, from: number, to: number): { from: number; to: number } | undefined {
  let first = -1
  let last = -1
  for (let at = from; at < to; at += stepBytes) {
    const bytes = Buffer.from(window.read(at, Math.min(stepBytes, to - at)).buffer)
    if (bytes.equals(zeros.subarray(0, bytes.length))) continue
    if (first < 0) first = at + bytes.findIndex((byte) => byte !== 0)
    last = at + bytes.findLastIndex((byte) => byte !== 0)
  }
  return first < 0 ? undefined : { from: first, to: last + 1 }
}
