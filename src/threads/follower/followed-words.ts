/**
 * The words in which a log that is followed is published to the threads of this process, as an owner's writer would. Two threads store into
 * them, each in its turn: the follower's own, and the application's, which takes in by itself what is short and at hand.
 */
import type { SharedState } from '../../ring/shared-state.js'
import type { TurnTaker } from '../../ring/turn-word.js'
import type { WalkStep } from '../../storage/follow/log-walk.js'

export class FollowedWords {
  readonly #state: SharedState<'writer' | 'flusher'>

  readonly #taker: TurnTaker

  /** @param taker the application's thread, or the follower's, which is the writer of this process */
  constructor(state: SharedState<'writer' | 'flusher'>, taker: TurnTaker) {
    this.#state = state
    this.#taker = taker
  }

  /** Everything before is published. */
  get published(): number {
    return this.#state.published.load()
  }

  /** Behind it the words, and those of topics, may be stored into until {@link giveBack}. For a thread that may block. */
  take(): void {
    this.#state.takingIn.take(this.#taker)
    this.#takeOver()
  }

  /** The same for one that must not. False: it is the other one's turn. */
  tryTake(): boolean {
    if (!this.#state.takingIn.tryTake(this.#taker)) return false
    this.#takeOver()
    return true
  }

  giveBack(): void {
    this.#state.takingIn.giveBack(this.#taker)
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
