/**
 * The words in which a log that is followed is published to the threads of this process, as an owner's writer would. Two threads store into
 * them, each in its turn: the follower's own, and the application's, which takes in by itself what is short and at hand.
 */
import type { SharedState } from '../../ring/shared-state.js'
import type { WalkStep } from '../../storage/follow/log-walk.js'

export class FollowedWords {
  readonly #state: SharedState<'writer' | 'flusher'>

  constructor(state: SharedState<'writer' | 'flusher'>) {
    this.#state = state
  }

  /** Everything before is published. */
  get published(): number {
    return this.#state.published.load()
  }

  /** Behind it the words, and those of topics, may be stored into until {@link giveBack}. For a thread that may block. */
  take(): void {
    this.#state.takingIn.take()
    this.#takeOver()
  }

  /** The same for one that must not. False: it is the other one's turn. */
  tryTake(): boolean {
    if (!this.#state.takingIn.tryTake()) return false
    this.#takeOver()
    return true
  }

  giveBack(): void {
    this.#state.takingIn.giveBack()
  }

  /**
   * Publishes a step. What it says of topics comes behind that: whoever sees a message of a topic finds the log reaching as far.
   * @param records how many of its records were not known before
   */
  publish({ position, time }: Pick<WalkStep, 'position' | 'time'>, records: number): void {
    const { publishedRecords, publishedTime, published, durable } = this.#state
    publishedRecords.store(publishedRecords.load() + records)
    publishedTime.store(Math.max(publishedTime.load(), time))
    published.store(position)
    // Nothing is written here, so nothing is to be flushed.
    durable.store(position)
  }

  #takeOver(): void {
    const { publishedRecords, publishedTime, published, durable } = this.#state
    for (const cell of [publishedRecords, publishedTime, published, durable]) cell.takeOver()
  }
}
