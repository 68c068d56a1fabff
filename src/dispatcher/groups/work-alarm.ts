/**
 * Tells a desk when there may be something for who waits at it: the topic has its next message, or one that was given back falls due.
 * While it is not set it sleeps on nothing.
 */
import { maxTimerMs } from '../../limits.js'

export interface WorkAlarmParts {
  /** Calls back once the topic has a message at `offset`, or the log closes; returns what stops waiting. */
  whenNext(offset: number, resolve: () => void, reject: (error: unknown) => void): () => void
  onWork(): void
  /** There will be no more messages. */
  onFailure(error: unknown): void
}

export class WorkAlarm {
  readonly #parts: WorkAlarmParts
  /** Set while a message is waited for. */
  #cancelWait: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #timerDueMs = Number.POSITIVE_INFINITY

  constructor(parts: WorkAlarmParts) {
    this.#parts = parts
  }

  /**
   * Where it waits for a message already, it goes on waiting for that.
   * @param offset of the message to wait for
   * @param dueMs when something that was given back falls due, as `performance.now()`; Infinity: nothing will
   */
  set(offset: number, dueMs: number): void {
    this.#setTimer(dueMs)
    if (this.#cancelWait !== undefined) return
    // Either may be called at once, before there is what cancels it: a wait that is over must not stand here as one that lasts.
    let isOver = false
    const end = () => {
      isOver = true
      this.#cancelWait = undefined
    }
    const wake = () => {
      end()
      queueMicrotask(this.#parts.onWork)
    }
    const fail = (error: unknown) => {
      end()
      this.#parts.onFailure(error)
    }
    const cancel = this.#parts.whenNext(offset, wake, fail)
    if (!isOver) this.#cancelWait = cancel
  }

  /** Another message is the next one from now on. */
  forgetMessage(): void {
    this.#cancelWait?.()
    this.#cancelWait = undefined
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#timerDueMs = Number.POSITIVE_INFINITY
    this.forgetMessage()
  }

  #setTimer(dueMs: number): void {
    if (dueMs === this.#timerDueMs) return
    clearTimeout(this.#timer)
    this.#timerDueMs = dueMs
    if (dueMs === Number.POSITIVE_INFINITY) return
    // A millisecond more than asked for: timers may fire early.
    const delayMs = Math.max(1, Math.ceil(dueMs - performance.now()) + 1)
    this.#timer = setTimeout(this.#onTimer, Math.min(delayMs, maxTimerMs))
  }

  readonly #onTimer = (): void => {
    this.#timerDueMs = Number.POSITIVE_INFINITY
    this.#parts.onWork()
  }
}
