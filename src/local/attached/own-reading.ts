/**
 * What an attached thread reads with. Its windows are plain files, and it loads nothing native: the application may end it between any two
 * instructions, and a native module that is ended while it is being loaded takes the process with it.
 */
import { FileMemory } from '../../memory/file-window.js'
import { openSharedState, type SharedState } from '../../ring/shared-state.js'
import type { LogRead, ReadAnswer } from '../../threads/reader/reader.js'
import { Reading } from '../../threads/reader/reading.js'
import type { Grant } from './protocol.js'

/** Nothing is lost by waiting longer: every retirement and deletion rings. */
const lookMs = 60_000

export class OwnReading {
  readonly #state: SharedState<'reader'>
  readonly #reading: Reading
  #isClosed = false

  constructor({ shared, id, segmentBytes, footers }: Grant) {
    this.#state = openSharedState(shared.state, 'reader')
    this.#reading = new Reading({ shared, id, segmentBytes, footers }, this.#state, new FileMemory())
    void this.#watchDeletions()
  }

  run(task: LogRead): Promise<{ answer: ReadAnswer }> {
    return this.#reading.run(task)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#reading.close()
  }

  /** Gives files back that the reaper has deleted. Ends when it is closed. */
  async #watchDeletions(): Promise<void> {
    for (;;) {
      // Before the looks: many threads sleep on this bell, and it is rung in any case.
      const token = this.#state.retirements.token()
      if (this.#isClosed) return
      this.#reading.dropRetired()
      await this.#state.retirements.waitAsync(token, lookMs)
    }
  }
}
