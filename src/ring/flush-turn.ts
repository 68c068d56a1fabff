/**
 * Whose turn it is to flush the log: two threads may, and never both at once. The kernel tells of a failed flush once a file that is open, and one
 * that was opened behind it hears nothing: who flushed meanwhile, or after, could take what is lost for flushed.
 *
 * Each has a word of its own. It raises that, and *then* looks at the other's: of two that raise theirs at once one sees the other's, or both do.
 * Whoever sees it steps back. Where both do the writer rings the reaper, behind that. A turn in which a flush has failed, or whose thread has died in it, is not
 * given back but by the next thread in its place: so nobody flushes any more.
 */
import type { Loadable, Word } from './word.js'

export class FlushTurn {
  readonly #own: Word
  readonly #other: Loadable

  constructor(own: Word, other: Loadable) {
    this.#own = own
    this.#other = other
  }

  /** False: it is the other one's, the other one has just tried as well, or this one has kept it. */
  tryTake(): boolean {
    if (this.#own.load() !== 0) return false
    this.#own.store(1)
    // Behind the store: see above.
    if (this.#other.load() === 0) return true
    this.#own.store(0)
    return false
  }

  /** Everything that was stored before is visible to whoever takes it. */
  giveBack(): void {
    this.#own.store(0)
  }
}
