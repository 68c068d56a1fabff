/**
 * The writer thread's life: it works, then spins for a while, then sleeps.
 *
 * Order, on which every wake-up depends: the token of the bell is taken first, then everything is looked at, and only a look that was
 * taken with sleep announced, and found nothing, is slept on. Whoever makes work stores it and then rings: behind the announcement it is
 * heard, and before it the look sees what was stored.
 */
import type { SharedState } from '../../ring/shared-state.js'
import type { Spin } from '../../ring/spin.js'
import type { SegmentWindows } from '../../storage/files/segment-windows.js'
import type { Writer } from './writer.js'

export interface WriterLoopParts {
  state: SharedState<'writer'>
  writer: Pick<Writer, 'doWork' | 'sleepMs' | 'isFlushAwaited'>
  windows: Pick<SegmentWindows, 'dropRetired' | 'isUnmapped'>
  spin: Spin
  shrinkHeap(): Promise<void>
  /** A turn of the event loop, in which control calls are served. */
  turn(): Promise<unknown>
  isClosing(): boolean
}

/** So long after the last work, the first time, what loading and opening have left on the heap is collected. */
const settleMs = 1_000

/** Ends when the log closes and the ring is empty, or stuck. */
export async function runWriter(parts: WriterLoopParts): Promise<void> {
  const { writer, spin, shrinkHeap, turn, isClosing } = parts
  const bell = parts.state.writer
  // The answer to the call that started it leaves first.
  await turn()
  let isSettled = false
  for (let isAnnounced = false; ; ) {
    const token: number = isAnnounced ? bell.arm() : bell.token()
    if (writer.doWork() === 0) {
      if (isClosing()) break
      const service = serve(parts)
      if (service === undefined) {
        const sleepMs = isSettled ? writer.sleepMs : Math.min(writer.sleepMs, settleMs)
        const isQuiet = isAnnounced && !bell.wait(token, sleepMs)
        isAnnounced = !isAnnounced && !spin.seesWork(token, writer.isFlushAwaited)
        if (!isQuiet || isSettled || sleepMs < settleMs) continue
        isSettled = true
        await shrinkHeap()
        continue
      }
      await service
    }
    if (isAnnounced) bell.disarm()
    isAnnounced = false
  }
}

/**
 * What else there may be to do; undefined: nothing. Blocked in a wait the thread serves no port, so a control call raises a word and
 * rings first: while the word is raised the loop takes turns of the event loop instead of sleeping.
 */
function serve({ state, windows, shrinkHeap, turn }: WriterLoopParts): Promise<unknown> | undefined {
  if (windows.dropRetired().length > 0 && windows.isUnmapped) return shrinkHeap()
  return state.control.load() > 0 ? turn() : undefined
}
