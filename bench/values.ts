import { randomFillSync } from 'node:crypto'

/** A power of two, see `valueAt`. Small enough to stay in the cache: the stores are measured, not the application. */
const poolSize = 64

/** Random values that everybody appends in turn, so that neither compression nor equal bytes help anyone. */
export function makeValues(messageBytes: number): readonly Uint8Array[] {
  return Array.from({ length: poolSize }, () => randomFillSync(new Uint8Array(messageBytes)))
}
