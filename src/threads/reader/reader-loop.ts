/** What a reader thread does between its tasks: gives back what the reaper has retired, and everything when the log closes. */
import type { Rope } from '../../ring/bell.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { Reading } from './reading.js'

/** Nothing is lost by waiting longer: every retirement rings. */
const lookMs = 60_000

export interface ReaderLoopParts {
  state: SharedState<'reader'>
  /** The thread that closes the log. */
  application: Rope
  reading: Pick<Reading, 'dropRetired' | 'close'>
  shrinkHeap(): Promise<void>
}

/** Ends when the log closes. */
export async function watchRetirements({ state, application, reading, shrinkHeap }: ReaderLoopParts): Promise<void> {
  for (;;) {
    // Before the looks. Many threads sleep on this bell, so nobody announces that he does, and it is rung in any case.
    const token = state.retirements.token()
    if (state.closing.load() !== 0) break
    if (reading.dropRetired()) await shrinkHeap()
    await state.retirements.waitAsync(token, lookMs)
  }
  reading.close()
  // After the windows: whoever waits for the number takes them for closed.
  state.closedReaders.add(1)
  application.ring()
}
