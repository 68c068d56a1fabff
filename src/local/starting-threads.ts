import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { RingMemory } from '../ring/append-ring.js'
import { BatchTimes } from '../ring/batch-times.js'
import { GroupMailboxes } from '../ring/group-mailboxes.js'
import { LaneTable, ownerLane } from '../ring/lane-table.js'
import type { LaneWords } from '../ring/lane-words.js'
import { LoadingWords } from '../ring/loading-words.js'
import { allocateSharedState, openSharedState, type SharedState } from '../ring/shared-state.js'
import { SlotTable } from '../ring/slot-table.js'
import { ThreadRemains } from '../ring/thread-remains.js'
import { TopicCells } from '../ring/topic-cells.js'
import { allocateRows } from '../storage/rows/rows.js'
import { ControlChannel, type Remote } from '../threads/control-plane.js'
import { inheritedFlags, smallYoungGeneration } from '../threads/own-threads.js'
import type { WriterControl, WriterData } from '../threads/protocol.js'
import type { SharedMemory } from '../threads/shared-memory.js'
import { FollowerThread } from './follower/follower-thread.js'
import type { LocalOptions } from './local-options.js'
import { ReaperThread } from './reaper-thread.js'

/** The threads of a log and what they share, before anything of it is known. */
export interface StartingThreads {
  shared: SharedMemory
  state: SharedState<'application'>
  lanes: LaneTable
  /** The lane of this thread. */
  lane: LaneWords<'application'>
  slots: SlotTable
  reaper: ReaperThread
  writer: Worker | undefined
  writerControl: ControlChannel<WriterControl> | undefined
  /** In the writer's place, where another process writes. */
  follower: FollowerThread | undefined
  bulk: MessagePort
}

/** One table for all logs that this thread opens. */
const remains = ThreadRemains.allocate()
const loading = LoadingWords.allocate()
/** Loading takes some hundredths of a second. */
const loadingPatienceMs = 2_000
let isExitAwaited = false

/** What the threads of one log share, empty. */
export function shareMemory({
  directory,
  io,
  maxMappedBytes,
  ringBytes,
  follow = false,
}: Pick<LocalOptions, 'directory' | 'io' | 'maxMappedBytes' | 'ringBytes'> &
  Partial<Pick<LocalOptions, 'follow'>>): SharedMemory {
  return {
    state: allocateSharedState(),
    lanes: LaneTable.allocate(),
    ring: RingMemory.allocate(ringBytes),
    slots: SlotTable.allocate(),
    topics: TopicCells.allocate(),
    times: BatchTimes.allocate(),
    rows: allocateRows(),
    groups: GroupMailboxes.allocate(),
    remains,
    loading: loading.shared,
    directory,
    io,
    maxMappedBytes,
    isFollower: follow,
  }
}

function awaitLoadingAtExit(): void {
  if (isExitAwaited) return
  isExitAwaited = true
  process.once('exit', () => loading.exit(loadingPatienceMs))
}

export function startThreads(options: LocalOptions): StartingThreads {
  awaitLoadingAtExit()
  const shared = shareMemory(options.readOnly ? { ...options, ringBytes: 64 * 1024 } : options)
  const bulk = new MessageChannel()
  const orders = options.readOnly ? undefined : new MessageChannel()
  const reaper = new ReaperThread(shared, orders?.port1)
  let writer: Worker | undefined
  let writerControl: ControlChannel<WriterControl> | undefined
  if (orders !== undefined) {
    // A bare literal: bundlers find the worker by it.
    writer = new Worker(new URL('../../workers/writer.cjs', import.meta.url), {
      ...inheritedFlags(),
      name: 'bookend-writer',
      resourceLimits: smallYoungGeneration,
      workerData: { isOwnThread: true, shared, bulk: bulk.port2, orders: orders.port2 } satisfies WriterData,
      transferList: [bulk.port2, orders.port2],
    })
    writerControl = new ControlChannel<WriterControl>(writer, 'writer')
  }
  const follower = options.follow ? new FollowerThread(shared, options.flushIntervalMs) : undefined
  const slots = new SlotTable(shared.slots)
  const state = openSharedState(shared.state, 'application')
  const lanes = new LaneTable(shared.lanes)
  const lane = lanes.open(ownerLane, 'application')
  return { shared, state, lanes, lane, slots, reaper, writer, writerControl, follower, bulk: bulk.port1 }
}

/**
 * The writer sleeps in a blocking wait, where it serves no port: a raised word makes it take turns of its event loop
 * for as long as the call takes.
 */
export async function callWriter(
  { state, writerControl }: Pick<StartingThreads, 'state' | 'writerControl'>,
  call: (control: Remote<WriterControl>) => Promise<void>,
): Promise<void> {
  if (writerControl === undefined) return
  state.control.add(1)
  state.writer.ring()
  try {
    await call(writerControl.remote)
  } finally {
    state.control.add(-1)
  }
}
