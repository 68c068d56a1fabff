/** The shared words of a log and of its owner's lane, for a test that plays all the threads. */
import { allocateLanes, type LaneWords, openLane, ownerLane } from '../../src/ring/lane-words.js'
import { allocateSharedState, openSharedState, type SharedState } from '../../src/ring/shared-state.js'
import type { Role } from '../../src/ring/word-table.js'

const everybody = ['application', 'writer', 'reaper', 'reader'] as const satisfies readonly Role[]

export interface SharedWords {
  state: SharedState<Role>
  lane: LaneWords<Role>
}

export function sharedWords(): SharedWords {
  return {
    state: openSharedState(allocateSharedState(), ...everybody),
    lane: openLane(allocateLanes(), ownerLane, ...everybody),
  }
}
