/**
 * The owner's eye on those who follow the log from other processes. It tells the writer, by a word, whether anybody does, and calls it
 * whenever somebody has come or files were deleted: the writer then says where the log stands, without an append.
 */
import { maxSleepMs } from '../../limits.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { FollowerFolder } from '../../storage/files/follower-folder.js'
import type { PathWatch } from '../../storage/files/watched-path.js'

export interface FollowerDutyParts {
  state: SharedState<'reaper'>
  folder: FollowerFolder
  /** A clock that never goes back. */
  nowMs(): number
}

/** Where nothing tells of a change in the folder it is looked at this often. */
const unwatchedLookMs = 1_000

export class FollowerDuty {
  readonly #parts: FollowerDutyParts
  #watch: PathWatch | undefined
  /** The folder has changed since it was looked at. */
  #isChanged = true
  #lookedMs = Number.NEGATIVE_INFINITY
  /** Those at work at the last look. */
  #known = new Set<string>()
  #trim: number

  constructor(parts: FollowerDutyParts) {
    this.#parts = parts
    this.#trim = parts.state.trim.load()
  }

  /** For so long at the most nothing has to be done unless the bell rings. */
  get clockMs(): number {
    return this.#watch === undefined ? unwatchedLookMs : maxSleepMs
  }

  /** Comes behind the deletion of files. */
  tend(): void {
    const { state, nowMs } = this.#parts
    const isDue = nowMs() - this.#lookedMs >= this.clockMs
    let mustCall = this.#isChanged || isDue ? this.#look() : false
    const trim = state.trim.load()
    if (trim !== this.#trim) {
      this.#trim = trim
      mustCall = true
    }
    if (mustCall && this.#known.size > 0) this.#call()
  }

  close(): void {
    this.#watch?.close()
    this.#watch = undefined
  }

  /** True: somebody has come. */
  #look(): boolean {
    const { folder, nowMs } = this.#parts
    // Before the look: what changes meanwhile is seen by the next one.
    this.#isChanged = false
    this.#lookedMs = nowMs()
    let alive: string[]
    try {
      folder.make()
      // Anew each time it is due: the folder may be another one under the same name.
      this.close()
      const watch = folder.watch(this.#onChange)
      if (typeof watch !== 'string') this.#watch = watch
      alive = folder.alive()
    } catch (error) {
      // None of the log's own business: whoever is not seen looks by himself.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
      alive = []
    }
    const hasNew = alive.some((name) => !this.#known.has(name))
    this.#known = new Set(alive)
    if (alive.length === 0) this.#leave()
    return hasNew
  }

  #call(): void {
    const { state } = this.#parts
    state.followerCalls.store((state.followerCalls.load() % maxCalls) + 1)
    state.writer.ring()
  }

  #leave(): void {
    const { state } = this.#parts
    if (state.followerCalls.load() === 0) return
    state.followerCalls.store(0)
    state.writer.ring()
  }

  readonly #onChange = (): void => {
    this.#isChanged = true
    this.#parts.state.reaper.ring()
  }
}

/** Within 32 bits; 0 stands for "nobody". */
const maxCalls = 2 ** 30
