/** What a reader thread does between its tasks: gives back what the reaper has retired, and everything when the log closes. */
import type { Rope } from '../../ring/bell.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { Reading } from './reading.js'

/** In the process of an owner nothing is lost by waiting longer: whatever is retired, deleted or written anew rings. */
const lookMs = 60_000
/** What another process deletes or writes anew rings nowhere here. */
const followerLookMs = 1_000

export interface ReaderLoopParts {
  state: SharedState<'reader'>
  /** The thread that closes the log. */
  application: Rope
  reading: Pick<Reading, 'dropRetired' | 'close'>
  shrinkHeap(): Promise<void>
  /** Another process owns the log. */
  isFollower: boolean
}

/** Ends when the log closes. */
export async function watchRetirements(parts: ReaderLoopParts): Promise<void> {
  const { state, application, reading, shrinkHeap, isFollower } = parts
  for (;;) {
    // Before the looks. Many threads sleep on this bell, so nobody announces that he does, and it is rung in any case.
    const token = state.retirements.token()
    if (state.closing.load() !== 0) break
    if (reading.dropRetired()) await shrinkHeap()
    await state.retirements.waitAsync(token, isFollower ? followerLookMs : lookMs)
  }
  reading.close()
  // After the windows: whoever waits for the number takes them for closed.
  state.closedReaders.add(1)
  application.ring()
}
