/**
 * Keeps the event loop alive while something is awaited: shared-memory waits and unreferenced workers do not, and a
 * process must not exit in the middle of `await topic.append(...)`.
 */
import { maxTimerMs } from '../limits.js'

export class KeepAlive {
  #timer: NodeJS.Timeout | undefined
  #holds = 0

  /** One more reason to stay. */
  hold(): void {
    this.#holds += 1
    if (this.#holds > 1) return
    // A timer that never does anything: only its reference counts.
    if (this.#timer === undefined) this.#timer = setInterval(() => {}, maxTimerMs)
    else this.#timer.ref()
  }

  release(): void {
    this.#holds -= 1
    if (this.#holds === 0) this.#timer?.unref()
  }

  async during<T>(work: Promise<T>): Promise<T> {
    this.hold()
    try {
      return await work
    } finally {
      this.release()
    }
  }

  end(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
