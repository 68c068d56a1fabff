/** What becomes of an atomic group, for who has begun something with it. One of the two is called, once, before its caller hears of it. */
import type { TransactionAnswer } from '../../engine/terms.js'

export interface GroupOutcome<T> {
  /**
   * It is published; where the device is awaited, that is still to come.
   * @param offsets of its messages, in the order in which they were given: its own
   * @returns what the caller is answered
   */
  written(offsets: number[]): T
  /** Nothing was written. */
  refused(): void
}

const nothingBegun = (): void => {}

export const allOffsets: GroupOutcome<TransactionAnswer> = {
  written: (offsets) => ({ offsets }),
  refused: nothingBegun,
}
