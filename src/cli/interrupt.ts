/** Ending a long verb by Ctrl-C in order: what it has begun is put away, and the cursor is there again. */
import { exitStatus, Failure } from './failure.js'

/** @param work is to reject with the signal's reason once it fires */
export async function withInterrupt<R>(work: (signal: AbortSignal) => Promise<R>): Promise<R> {
  const interrupt = new AbortController()
  const onSignal = () => interrupt.abort(new Failure('interrupted', exitStatus.interrupted))
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  try {
    return await work(interrupt.signal)
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

/** For work that has no end of its own: there Ctrl-C is how it ends, and no failure. */
export async function untilInterrupt(isEndless: boolean, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  try {
    await withInterrupt(work)
  } catch (error) {
    if (!isEndless || !(error instanceof Failure) || error.status !== exitStatus.interrupted) throw error
  }
}
