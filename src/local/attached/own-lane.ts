/** What an attached thread appends with: a lane of its own, which the owner has granted. */
import { AppendSide } from '../../dispatcher/appends/append-side.js'
import type { AskRecall } from '../../dispatcher/appends/withheld-topics.js'
import type { KeepAlive } from '../../dispatcher/keep-alive.js'
import { TopicDirectory } from '../../dispatcher/topic-directory.js'
import { Watch } from '../../dispatcher/watch.js'
import { RingMemory } from '../../ring/append-ring.js'
import { LaneTable } from '../../ring/lane-table.js'
import { openSharedState, type SharedState } from '../../ring/shared-state.js'
import { TopicCells } from '../../ring/topic-cells.js'
import type { Grant } from './protocol.js'

export interface OwnLane {
  readonly state: SharedState<'application'>
  readonly topics: TopicDirectory
  readonly watch: Watch
  readonly appends: AppendSide
}

export function openOwnLane(grant: Grant, keepAlive: KeepAlive, recallIds: AskRecall): OwnLane {
  const { facts, shared, segmentBytes } = grant
  const { names, ring, bulk } = grant.lane
  const state = openSharedState(shared.state, 'application')
  const lanes = new LaneTable(shared.lanes)
  const lane = lanes.open(grant.lane.lane, 'application')
  const cells = new TopicCells(shared.topics)
  const topics = new TopicDirectory(names, cells)
  const watch = new Watch({ state, lane, isAttached: true, directory: facts.place, keepAlive })
  const appends = new AppendSide({
    ...{ state, lanes, lane, memory: new RingMemory(ring), cells, topics, commits: undefined, watch },
    ...{ bulk, directory: facts.place, segmentBytes, recallIds },
  })
  // What is awaited keeps the thread alive, see KeepAlive.
  bulk.unref()
  return { state, topics, watch, appends }
}
