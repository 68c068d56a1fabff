/**
 * `flushSync`: the one call that blocks this thread, for an exit handler. It hears of no worker's death while it is blocked, and
 * cannot replace one: so it looks for itself, and does not wait for ever without progress.
 */
import type { Durability } from '../../engine/terms.js'
import { assert, BookendError } from '../../errors.js'
import { noSpaceError } from '../../failures.js'
import { isTaskAlive } from '../../memory/thread-task.js'
import type { RingProducer } from '../../ring/append-ring.js'
import { type LaneTable, ownerLane } from '../../ring/lane-table.js'
import type { LaneWords } from '../../ring/lane-words.js'
import { type SharedState, writerState } from '../../ring/shared-state.js'
import type { GroupCommits } from '../groups/group-commits.js'
import type { Watch } from '../watch.js'
import type { FrameIntake } from './frame-intake.js'

/** Ceiling of one wait: it looks again at least this often. */
const lookMs = 20
const patienceMs = 60_000
/** Where the reaper is dead and the writer may be waiting for it. */
const orphanPatienceMs = 1_000

export interface FlushSyncParts {
  state: SharedState
  lanes: LaneTable
  lane: LaneWords<'application'>
  ring: RingProducer
  intake: Pick<FrameIntake, 'publish' | 'heldCount' | 'writeMark'>
  /** Nothing is left to be flushed, of what went through the ring and of what did not. */
  isFlushed(): boolean
  /** None where groups are another thread's. */
  commits: Pick<GroupCommits, 'settle' | 'handOver' | 'isUnwritten' | 'isFlushed' | 'wishFlush'> | undefined
  watch: Pick<Watch, 'look' | 'checkWorkers' | 'checkWorking' | 'failure'>
  directory: string
}

/**
 * Of what this thread has handed over; in the thread that opened the log, of what all have.
 * @throws as an awaited append; `BOOKEND_WORKER` if a thread that it needs has died, or nothing moves for a long time
 */
export function flushSync(parts: FlushSyncParts, level: Durability): void {
  const { ring, state, lanes, lane, intake, commits, watch, directory } = parts
  const tails = lane.number === ownerLane ? lanes.tails() : []
  try {
    // Before what may throw for lack of space: groups need none.
    if (commits !== undefined)
      blockUntil(parts, 'writer', () => {
        watch.checkWorkers()
        commits.settle()
        commits.handOver()
        return !commits.isUnwritten
      })
    intake.publish()
    blockUntil(parts, 'writer', () => {
      watch.checkWorking()
      watch.look()
      intake.publish()
      state.writer.ringIfAsleep()
      if (intake.heldCount === 0 && ring.usedBytes === 0 && lanes.areTaken(tails)) return true
      if (state.writerState.load() === writerState.noSpace) throw noSpaceError(state.writerErrno.load(), directory)
      return false
    })
    if (level === 'process') return
    if (!parts.isFlushed()) {
      const isMarked = intake.writeMark()
      assert(isMarked, 'an empty ring has room')
      intake.publish()
    }
    commits?.wishFlush()
    state.reaper.ring()
    blockUntil(parts, 'reaper', () => {
      watch.checkWorkers()
      if (watch.failure !== undefined) throw watch.failure
      return lane.flushedTo.load() >= ring.tail && (commits?.isFlushed ?? true)
    })
    watch.look()
  } finally {
    // The watching loop may have been asleep under this one: let it look, and announce its own sleep again.
    lane.bell.disarm()
    lane.bell.ring()
  }
}

/** @param who does what is waited for */
function blockUntil({ state, lane }: FlushSyncParts, who: 'writer' | 'reaper', isDone: () => boolean): void {
  lane.wakeHead.store(lane.ringHead.load())
  let progress = -1
  let progressMs = performance.now()
  for (;;) {
    const token = lane.bell.arm()
    // Before the look at what they have done: it may have been their last.
    const isWriterDead = state.writerState.load() === writerState.died || !isTaskAlive(state.writerTask.load())
    const isReaperDead = !isTaskAlive(state.reaperTask.load())
    if (isDone()) return
    if (isWriterDead) throw deadError('writer')
    const positions = state.published.load() + state.durable.load()
    const now = positions + lane.ringHead.load() + lane.flushedTo.load() + state.commitDone.load()
    const idleMs = performance.now() - progressMs
    if (now !== progress) {
      progress = now
      progressMs = performance.now()
    } else if (isReaperDead) {
      // Without a reaper the writer goes on until it needs a segment.
      if (who === 'reaper' || idleMs > orphanPatienceMs) throw deadError('reaper')
    } else if (idleMs > patienceMs) {
      throw new BookendError('BOOKEND_WORKER', 'flushSync: no progress for a minute, a worker thread must have died')
    }
    lane.bell.wait(token, lookMs)
  }
}

function deadError(role: 'writer' | 'reaper'): BookendError {
  const hint = role === 'writer' ? '' : ': another takes its place once this thread is free, so await flush() instead'
  return new BookendError('BOOKEND_WORKER', `flushSync: the ${role} thread has died${hint}`)
}
