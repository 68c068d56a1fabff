/** The shared words of a log and of its owner's lane, for a test that plays all the threads. */
import { LaneTable, ownerLane } from '../../src/ring/lane-table.js'
import type { LaneWords } from '../../src/ring/lane-words.js'
import { allocateSharedState, openSharedState, type SharedState } from '../../src/ring/shared-state.js'
import type { Role } from '../../src/ring/word-table.js'

export const everybody = ['application', 'writer', 'reaper', 'flusher', 'reader'] as const satisfies readonly Role[]

export interface SharedWords {
  /** Where the state is, for another thread's words over it. */
  memory: SharedArrayBuffer
  state: SharedState<Role>
  lanes: LaneTable
  /** Of the owner. */
  lane: LaneWords<Role>
}

export function sharedWords(): SharedWords {
  const lanes = new LaneTable(LaneTable.allocate())
  const memory = allocateSharedState()
  return {
    memory,
    state: openSharedState(memory, ...everybody),
    lanes,
    lane: lanes.open(ownerLane, ...everybody),
  }
}
