/** The reaper thread's life: it tends the log on every bell, and when the log's own clock says so. */
import { maxSleepMs } from '../../limits.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { Reaper } from './reaper.js'

export interface ReaperLoopParts {
  state: SharedState<'reaper'>
  reaper: Pick<Reaper, 'tend'>
  /** A turn of the event loop. */
  turn(): Promise<unknown>
  isClosing(): boolean
}

/** Ends when the log closes, at the next ring. */
export async function runReaper({ state, reaper, turn, isClosing }: ReaperLoopParts): Promise<void> {
  // The answer to the call that started it leaves first: the segments to be made, and flushed, are not waited for.
  await turn()
  for (;;) {
    // Announce sleep before looking, also at whether to end: what comes while tending rings the bell that is waited on below.
    const token = state.reaper.arm()
    if (isClosing()) break
    const pauseMs = Math.min(reaper.tend(), maxSleepMs)
    if (pauseMs === 0) await turn()
    else await state.reaper.waitAsync(token, pauseMs)
  }
}
