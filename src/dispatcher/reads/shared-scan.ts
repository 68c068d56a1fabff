/**
 * A scan that several threads share: its range is cut, they take the pieces, and what they came to is put together in the order of the
 * pieces. Where messages come from is the threads' business.
 */
import { AbortWord } from '../../ring/abort-word.js'
import { RangeClaims } from '../../ring/range-claims.js'
import type { ReadTask, TopicRef } from '../../threads/reader/reader.js'
import type { ScanPart, ScanRange } from '../../threads/reader/scan-task.js'

/** Several ranges a thread: who is done early takes those of others. More of them where there is much to do, as each has its own start. */
const rangesPerReader = { least: 4, most: 16 }
const messagesPerRange = 16_384
/** Below this the start of a range costs more than what another thread could take off it. */
const leastMessagesPerRange = 1_024

export interface Scan {
  readonly topic: TopicRef
  readonly from: number
  /** Exclusive. */
  readonly to: number
  readonly module: string
  readonly signal: AbortSignal | undefined
}

export interface ScanThreads {
  /** How many take part. */
  readonly readers: number
  run(task: Extract<ReadTask, { op: 'scan' | 'reduce' }>): Promise<unknown>
  /** About so many ranges that are all of the scan, in order. */
  cut(parts: number): Promise<ScanRange[]>
}

/** @throws the signal's reason; what the module throws; `BOOKEND_HANDLER`; what reading fails with */
export async function sharedScan(scan: Scan, { readers, run, cut }: ScanThreads): Promise<unknown> {
  const { topic, from, to, module, signal } = scan
  const abort = new AbortWord()
  const onAbort = () => abort.raise()
  signal?.addEventListener('abort', onAbort)
  try {
    const { least, most } = rangesPerReader
    const forAll = readers * Math.max(least, Math.min(most, (to - from) / messagesPerRange / readers))
    const wanted = Math.min(forAll, (to - from) / leastMessagesPerRange)
    // One range needs nobody who knows where to cut.
    const ranges = readers === 1 || wanted < 2 ? [{ from, to, resume: undefined }] : await cut(wanted)
    const claims = RangeClaims.allocate(ranges.length)
    const shares = Math.min(readers, ranges.length)
    const task = { op: 'scan', topic, ranges, claims, shares, module, abort: abort.shared } as const
    const partial = await Promise.all(Array.from({ length: shares }, () => run(task) as Promise<ScanPart[]>)).catch(
      (error) => {
        // The other ranges need not go on.
        onAbort()
        throw error
      },
    )
    signal?.throwIfAborted()
    const parts = partial.flat().sort((a, b) => a.first - b.first)
    if (parts.length === 1) return parts[0].value
    return await run({ op: 'reduce', module, parts: parts.map(({ value }) => value) })
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}
