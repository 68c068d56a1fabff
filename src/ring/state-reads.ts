/**
 * Who reads the state of a topic (`entries()`), in any thread: what supersedes something meanwhile is held back, until the last of them has ended.
 *
 * A thread may end in the middle of it, and never say so. So none of them counts for longer than {@link keptStateMs}, from when the last one began.
 */
import { keptStateMs } from '../limits.js'
import type { SharedState } from './shared-state.js'

/** Before it is looked how far the topic goes. @returns has to be called once it is read */
export function beginStateRead(state: SharedState<'application'>, now: number): () => void {
  // Whoever sees that somebody reads sees when that began.
  state.stateAsked.store(Math.floor(now / 1_000))
  state.stateReadsBegun.add(1)
  return () => {
    state.stateReadsEnded.add(1)
  }
}

/** What was appended from then on, ms since the epoch, is to supersede nothing yet; Infinity: all of it may. */
export function supersedesBefore(state: SharedState, now: number): number {
  // The ends first: one that is counted has begun.
  const ended = state.stateReadsEnded.load()
  if (state.stateReadsBegun.load() === ended) return Number.POSITIVE_INFINITY
  const asked = state.stateAsked.load() * 1_000
  // A clock that was put back does not hold it up.
  const isRead = asked <= now && now <= asked + 1_000 + keptStateMs
  return isRead ? now - keptStateMs : Number.POSITIVE_INFINITY
}
