/** The life of a follower's thread: it hears the bell by itself; groups, looks that somebody wants, and time wake it here. */
import type { SharedState } from '../../ring/shared-state.js'
import type { Follower } from './follower.js'
import type { GroupPositions } from './group-positions.js'

export interface FollowerLoopParts {
  state: SharedState<'writer'>
  follower: Pick<Follower, 'tend' | 'sleepMs'>
  groups: Pick<GroupPositions, 'tend' | 'isDirty'>
  flushIntervalMs: number
  isClosing(): boolean
}

/** Ends when the log closes, at the next ring. */
export async function runFollower({
  state,
  follower,
  groups,
  flushIntervalMs,
  isClosing,
}: FollowerLoopParts): Promise<void> {
  for (;;) {
    // Announced before the looks: what comes while they are taken rings the bell that is waited on below.
    const token = state.writer.arm()
    if (isClosing()) break
    groups.tend()
    follower.tend()
    await state.writer.waitAsync(token, groups.isDirty ? Math.min(flushIntervalMs, follower.sleepMs) : follower.sleepMs)
  }
}
