/**
 * Where another process writes, a file may be missing, or another one under its name, before this one has heard why. What the owner takes away it
 * says, durably, before: so whoever misses something has the follower look, and then knows as well.
 */
import { openSharedState } from '../../ring/shared-state.js'
import type { SharedMemory } from '../shared-memory.js'

/** Longer than any look of a follower takes that is not stopped. */
const patienceMs = 10_000
const lookAgainMs = 200

/** Blocks until the follower has looked at what its owner says now, and has taken it in. */
export function lookOfFollower({ state: words }: Pick<SharedMemory, 'state'>): () => void {
  const state = openSharedState(words, 'reader')
  return () => {
    const number = state.looksWanted.add(1) + 1
    // The numbers wrap.
    const isTaken = () => ((state.looksTaken.load() - number) | 0) >= 0
    const deadline = performance.now() + patienceMs
    while (!isTaken() && state.closing.load() === 0 && performance.now() < deadline) {
      const token = state.retirements.token()
      state.writer.ring()
      // Between the token and the wait: the follower rings when it has looked.
      if (!isTaken()) state.retirements.wait(token, lookAgainMs)
    }
  }
}
