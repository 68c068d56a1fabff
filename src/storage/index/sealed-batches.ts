/** The batches of a sealed segment, verified, one after the other: a step between two yields. */
import { type BatchHeader, batchFlag } from '../../format/batch-layout.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import type { Window } from '../../memory/memory.js'
import { scanBatches } from './batch-scan.js'

/** Read in one step, about. */
const stepBytes = 2 << 20

export type BatchVisitor = (bytes: Uint8Array, words: Uint32Array, header: BatchHeader, at: number) => unknown

/** What ended the walk, and where: behind the seal all of it was visited. */
export interface WalkEnd {
  readonly end: 'seal' | 'bad' | 'left' | 'unsealed'
  readonly at: number
}

/**
 * @param visit of each batch, in order; `at`: where it begins in `bytes`. False: it is not to be gone on with
 * @param dataEnd of the segment, behind its seal
 */
export function* sealedBatches(
  window: Pick<Window, 'read'>,
  base: number,
  dataEnd: number,
  visit: BatchVisitor,
): Generator<undefined, WalkEnd> {
  let isSealed = false
  for (let at = segmentHeaderBytes, want = stepBytes; at < dataEnd; ) {
    const bytes = window.read(at, Math.min(want, dataEnd - at))
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
    const take = (each: BatchHeader, from: number) => {
      isSealed = (each.flags & batchFlag.seal) !== 0
      return visit(bytes, words, each, from)
    }
    const { end, stop, needed } = scanBatches(bytes, base + at, dataEnd - at, take)
    if (stop === 'bad' || stop === 'left') return { end: stop, at: at + end }
    want = stop === 'partial' && end === 0 ? Math.max(needed, stepBytes) : stepBytes
    at += end
    yield
  }
  return { end: isSealed ? 'seal' : 'unsealed', at: dataEnd }
}
