/**
 * Reads that the reaper answers because no reader thread can: the last one has died, and a new one takes some tens of milliseconds.
 *
 * Through plain files, so that nothing is mapped here that somebody would have to retire; and nothing is kept for long.
 */
import { FileMemory } from '../../memory/file-window.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { LogRead } from '../reader/reader.js'
import { Reading } from '../reader/reading.js'
import type { ReaderData } from '../shared-memory.js'

/** Open files of deleted segments keep their space: they are closed when nobody has asked for this long. */
const leaveAfterMs = 1_000

export class StandIn {
  readonly #data: Omit<ReaderData, 'io'>
  readonly #state: SharedState
  #reading: Reading | undefined
  #leaving: NodeJS.Timeout | undefined

  constructor(data: Omit<ReaderData, 'io'>, state: SharedState) {
    this.#data = data
    this.#state = state
  }

  /** See {@link Reading.run}. */
  run(task: LogRead): ReturnType<Reading['run']> {
    this.#reading ??= new Reading(this.#data, this.#state, new FileMemory())
    clearTimeout(this.#leaving)
    this.#leaving = setTimeout(() => this.#leave(), leaveAfterMs).unref()
    return this.#reading.run(task)
  }

  #leave(): void {
    this.#reading?.close()
    this.#reading = undefined
  }
}
