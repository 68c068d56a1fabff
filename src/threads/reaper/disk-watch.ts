/** How full the file system is, looked at from time to time, and what that means by the watermarks of the log. */
import { diskLookMs } from '../../limits.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { DiskWatermarks } from '../../storage/life/retention.js'

const noSpaceErrno = 28

export interface DiskWatchParts {
  state: SharedState<'reaper'>
  diskWatermarks: DiskWatermarks
  /** The part of the file system that is in use, 0 to 1. */
  diskUse(): number
  now(): number
}

export class DiskWatch {
  readonly #parts: DiskWatchParts
  /** There are watermarks: else nothing is looked at. */
  readonly isNeeded: boolean
  #use = 0
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(parts: DiskWatchParts) {
    this.#parts = parts
    this.isNeeded = Object.values(parts.diskWatermarks).some((at) => at !== undefined)
  }

  isAbove(watermark: keyof DiskWatermarks): boolean {
    const at = this.#parts.diskWatermarks[watermark]
    return at !== undefined && this.#use >= at
  }

  /** Something has been deleted. */
  lookSoon(): void {
    this.#lookedAt = Number.NEGATIVE_INFINITY
  }

  /** Looks if it is time to, and has the writer refuse appends or take them again. */
  tend(): void {
    const { state, diskUse, now } = this.#parts
    // A clock that was put back must not stop the looking.
    if (!this.isNeeded || Math.abs(now() - this.#lookedAt) < diskLookMs) return
    this.#lookedAt = now()
    this.#use = diskUse()
    const refused = this.isAbove('refuseAppendsAt') ? noSpaceErrno : 0
    if (state.refuseErrno.load() === refused) return
    state.refuseErrno.store(refused)
    state.writer.ring()
  }
}
