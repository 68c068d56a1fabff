/**
 * The one place where this thread waits for the workers.
 *
 * Whoever awaits something of theirs keeps a list of its own, and registers here once. As long as anybody waits, one loop sleeps on
 * the bell of its lane; each time it is rung everybody looks for himself at what has been done. So nobody misses a bell that was meant
 * for somebody else, and a worker's failure reaches everybody who waits.
 */
import { BookendError } from '../errors.js'
import { closedError, deviceError } from '../failures.js'
import type { LaneWords } from '../ring/lane-words.js'
import { logEnds, type SharedState, writerState } from '../ring/shared-state.js'
import { BriefWait, turnEnd } from './brief-wait.js'
import type { KeepAlive } from './keep-alive.js'

/** When a {@link Waiter} has to be woken: with the ring's head at some position, or one of these. The lowest of all wins. */
export const wakes = {
  withEveryBatch: 0,
  /** What it waits for is no matter of the ring's head: whoever does it rings in any case. */
  anyway: Number.MAX_SAFE_INTEGER,
  /** It waits for nothing. */
  never: Number.POSITIVE_INFINITY,
} as const

/** The bell is looked at this often even if nobody rings. */
const lookMs = 1_000

/** So few are waited for awake: a look at each batch of a long flight would cut it into short ones. */
const mostQuick = 8

/** Somebody who awaits what workers do. */
export interface Waiter {
  /** Looks at what workers have done, and tells those who waited for it. Takes up nothing new that a failure would have to refuse. */
  settle(): void
  /** What could not be begun before begins now, as far as it can. Called behind everybody's {@link settle}. */
  proceed?(): void
  /** When it has to look again: see {@link wakes}. */
  wakesAt(): number
  /** How much of what it waits for the writer does at once, in some microseconds each. Absent: nothing. */
  readonly quickCount?: number
  /** Whoever waits gets `error`. Nobody comes any more: {@link Watch.failure} is there. */
  refuse(error: Error): void
}

export interface WatchParts {
  state: SharedState
  lane: LaneWords<'application'>
  /** Another thread has opened the log, and ends it. */
  isAttached?: boolean
  directory: string
  /** The process stays alive while something is awaited. */
  keepAlive: KeepAlive
  briefWait?: BriefWait
}

export class Watch {
  readonly #parts: WatchParts
  readonly #waiters: Waiter[] = []
  /** The lowest that the loop was told to be woken at before it fell asleep. */
  #wakesAt: number = wakes.never
  #isRunning = false
  #failure: Error | undefined
  readonly #briefWait: BriefWait

  constructor(parts: WatchParts) {
    this.#parts = parts
    this.#briefWait = parts.briefWait ?? new BriefWait()
  }

  /** For good. In the order of registration they settle, proceed and are refused. */
  register(waiter: Waiter): void {
    this.#waiters.push(waiter)
  }

  /** Why nothing is appended or committed any more. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Called by a waiter behind what it has put into its list. @param wakesAt as {@link Waiter.wakesAt} says it for that */
  begin(wakesAt: number): void {
    if (!this.#isRunning) {
      this.#isRunning = true
      this.#parts.keepAlive.hold()
      void this.#run()
    } else if (wakesAt < this.#wakesAt) {
      this.#mark(wakesAt)
      // The writer may have passed the mark while it was being set.
      this.#parts.lane.bell.ring()
    }
  }

  /** Everybody looks at once at what workers have done. @throws a broken invariant */
  look(): void {
    for (const waiter of this.#waiters) waiter.settle()
    this.checkWorkers()
    for (const waiter of this.#waiters) waiter.proceed?.()
  }

  /** This thread has published something itself: whoever waits for that is told at once, and no bell is rung for it. */
  lookHere(): void {
    if (!this.#isRunning) return
    try {
      this.look()
    } catch (error) {
      this.#refuse(error as Error)
    }
    // The loop goes on sleeping for those who wait still, or again. It ends where there is none.
    setImmediate(() => {
      if (this.#isRunning && this.#lowest() === wakes.never) this.#parts.lane.bell.ring()
    })
  }

  /** Ends everything if a worker has met a failing device. */
  checkWorkers(): void {
    const { state, directory, isAttached } = this.#parts
    const end = state.logEnd.load()
    if (isAttached && end !== logEnds.open) this.fail(endError(end, directory))
    const flushErrno = state.reaperErrno.load()
    if (flushErrno !== 0) this.fail(deviceError(flushErrno, directory))
    else if (state.writerState.load() === writerState.failed)
      this.fail(deviceError(state.writerErrno.load(), directory))
  }

  /** Before something is handed over. @throws the error that ended everything */
  checkWorking(): void {
    if (this.#failure !== undefined) throw this.#failure
    const { state, directory } = this.#parts
    const errno = state.reaperErrno.load()
    if (errno === 0) return
    this.fail(deviceError(errno, directory))
    throw deviceError(errno, directory)
  }

  /** Ends appending and committing: everything pending and everything to come gets `error`. */
  fail(error: BookendError): void {
    if (this.#failure !== undefined) return
    // What is done already is told before the rest is refused.
    for (const waiter of this.#waiters) waiter.settle()
    this.#refuse(error)
  }

  /** Everybody who waits hears of it, whatever there may be left to settle. */
  #refuse(error: Error): void {
    this.#failure ??= error
    for (const waiter of this.#waiters) waiter.refuse(error)
    // The loop ends at once, not at its next look.
    this.#parts.lane.bell.ring()
  }

  #lowest(): number {
    let lowest: number = wakes.never
    for (const waiter of this.#waiters) lowest = Math.min(lowest, waiter.wakesAt())
    return lowest
  }

  #quickCount(): number {
    let count = 0
    for (const { quickCount = 0 } of this.#waiters) count += quickCount
    return count
  }

  /** Sets the ring head at which the writer rings: no later than that, never before the present one, nor far behind the ring's end. */
  #mark(wakesAt: number): void {
    const { lane } = this.#parts
    this.#wakesAt = wakesAt
    lane.wakeHead.store(Math.min(Math.max(wakesAt, lane.ringHead.load()), lane.ringTail.load() + 1))
  }

  /**
   * Until the writer has done something, or for a moment. Whatever it has done is looked at afterwards, with sleep announced. Not for many things:
   * who looked when the first of them is done would hand over the next ones in smaller parts.
   */
  async #waitBriefly(): Promise<void> {
    const { lane, state } = this.#parts
    const head = lane.ringHead.load()
    const done = state.commitDone.load()
    // What this turn of the event loop has to hand over goes first.
    await turnEnd()
    const count = this.#quickCount()
    if (count === 0 || count > mostQuick) return
    this.#briefWait.look(() => lane.ringHead.load() !== head || state.commitDone.load() !== done)
  }

  async #run(): Promise<void> {
    const { lane, keepAlive } = this.#parts
    try {
      for (;;) {
        // Awake: whoever begins to wait need not ring.
        this.#wakesAt = wakes.withEveryBatch
        if (this.#quickCount() > 0 && this.#briefWait.isDue()) await this.#waitBriefly()
        // Armed before the look: what is done after it rings.
        const token = lane.bell.arm()
        const head = lane.ringHead.load()
        this.look()
        this.#mark(this.#lowest())
        // The writer may have passed the mark while it was being set, without a ring. Whatever else is done rings in any case.
        if (lane.ringHead.load() !== head) this.look()
        if (this.#lowest() === wakes.never) break
        await lane.bell.waitAsync(token, lookMs)
      }
    } catch (error) {
      // A broken invariant, met where no caller is told: without this loop nobody who waits would ever hear of anything again.
      this.#refuse(error as Error)
    }
    lane.bell.disarm()
    this.#isRunning = false
    keepAlive.release()
  }
}

/** Why the thread that has opened the log takes no more from this one. */
function endError(end: number, directory: string): BookendError {
  if (end === logEnds.closed) return closedError(directory)
  const role = end === logEnds.writerDied ? 'writer' : 'reaper'
  const message = `the ${role} thread died: the log can be read, but takes no more appends until it is opened again`
  return new BookendError('BOOKEND_WORKER', message)
}
