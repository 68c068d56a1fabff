/**
 * Whether the active segment is mapped: where most of what is appended is short, it is copied into a mapping, whose pages are
 * faulted in ahead; long batches go past it by writes, and need no mapping at all.
 */
import { quietMsToMap, shortBatchesToMap, storedShareToMap } from '../../limits.js'

export class MappingChoice {
  readonly #mapsAlways: boolean
  /** See {@link storedShareToMap}. */
  #mayMap = true
  /** Short batches since the last long one, and their bytes in the active segment. */
  #shortBatches = 0
  #shortBytes = 0

  /** @param mapsAlways whatever is appended: the pages of the active segment are to be locked in memory */
  constructor(mapsAlways: boolean) {
    this.#mapsAlways = mapsAlways
  }

  get mayMap(): boolean {
    return this.#mayMap
  }

  /** The same of the next segment, where the active one was written up to `relative`. */
  mayMapNext(relative: number): boolean {
    return this.#mapsAlways || this.#shortBytes >= relative * storedShareToMap
  }

  /** A short batch is about to be stored. */
  noteShort(bytes: number): void {
    this.#shortBatches += 1
    this.#shortBytes += bytes
    this.#mayMap ||= this.#shortBatches >= shortBatchesToMap
  }

  noteLong(): void {
    this.#shortBatches = 0
  }

  /** The log goes on in the next segment; the one that is left was written up to `relative`. */
  enterNext(relative: number): void {
    this.#mayMap = this.mayMapNext(relative)
    this.#shortBytes = 0
  }

  /** True if nothing has been appended for so long that what comes next is probably short: it is to be mapped now. */
  isQuietNow(idleMs: number): boolean {
    if (this.#mayMap || Math.abs(idleMs) < quietMsToMap) return false
    this.#mayMap = true
    return true
  }
}
