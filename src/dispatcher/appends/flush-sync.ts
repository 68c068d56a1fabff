/**
 * `flushSync`: the one call that blocks this thread, for an exit handler. It hears of no worker's death while it is blocked, and
 * cannot replace one: so it looks for itself, and does not wait for ever without progress.
 */
import type { Durability } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import { noSpaceError } from '../../failures.js'
import { isTaskAlive } from '../../memory/thread-task.js'
import type { RingProducer } from '../../ring/append-ring.js'
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
  ring: RingProducer
  intake: Pick<FrameIntake, 'publish' | 'heldCount'>
  commits: Pick<GroupCommits, 'settle' | 'handOver' | 'isUnwritten' | 'isFlushed' | 'requestFlush'>
  watch: Pick<Watch, 'look' | 'checkWorkers' | 'checkWorking' | 'failure'>
  directory: string
}

/** @throws as an awaited append; `BOOKEND_WORKER` if a thread that it needs has died, or nothing moves for a long time */
export function flushSync(parts: FlushSyncParts, level: Durability): void {
  const { ring, state, intake, commits, watch, directory } = parts
  try {
    // Before what may throw for lack of space: groups need none.
    blockUntil(state, 'writer', () => {
      watch.checkWorkers()
      commits.settle()
      commits.handOver()
      return !commits.isUnwritten
    })
    intake.publish()
    blockUntil(state, 'writer', () => {
      watch.checkWorking()
      watch.look()
      intake.publish()
      state.writer.ringIfAsleep()
      if (intake.heldCount === 0 && ring.usedBytes === 0) return true
      if (state.writerState.load() === writerState.noSpace) throw noSpaceError(state.writerErrno.load(), directory)
      return false
    })
    if (level === 'process') return
    const position = state.published.load()
    state.flushRequest.add(1)
    commits.requestFlush()
    state.reaper.ring()
    blockUntil(state, 'reaper', () => {
      watch.checkWorkers()
      if (watch.failure !== undefined) throw watch.failure
      return state.durable.load() >= position && commits.isFlushed
    })
    watch.look()
  } finally {
    // The watching loop may have been asleep under this one: let it look, and announce its own sleep again.
    state.dispatcher.disarm()
    state.dispatcher.ring()
  }
}

/** @param who does what is waited for */
function blockUntil(state: SharedState, who: 'writer' | 'reaper', isDone: () => boolean): void {
  state.wakeHead.store(state.ringHead.load())
  let progress = -1
  let progressMs = performance.now()
  for (;;) {
    const token = state.dispatcher.arm()
    // Before the look at what they have done: it may have been their last.
    const isWriterDead = state.writerState.load() === writerState.died || !isTaskAlive(state.writerTask.load())
    const isReaperDead = !isTaskAlive(state.reaperTask.load())
    if (isDone()) return
    if (isWriterDead) throw deadError('writer')
    const now = state.ringHead.load() + state.durable.load() + state.commitDone.load()
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
    state.dispatcher.wait(token, lookMs)
  }
}

function deadError(role: 'writer' | 'reaper'): BookendError {
  const hint = role === 'writer' ? '' : ': another takes its place once this thread is free, so await flush() instead'
  return new BookendError('BOOKEND_WORKER', `flushSync: the ${role} thread has died${hint}`)
}
