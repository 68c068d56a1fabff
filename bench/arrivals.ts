/**
 * Messages that are due at a fixed rate, whatever happened to the ones before: an open system. Each is timed from the moment it
 * was due, not from the moment it could be sent, so that a stall counts for all who had to wait behind it. Timing from the
 * send instead ("coordinated omission") would count a stall once, however many it held up.
 */
import { monotonicUs } from './due-time.js'

/** What a schedule needs of time: passed in, so that tests have a clock of their own. */
export interface Clock {
  nowUs(): number
  /** Lets everything else run once. */
  turn(): Promise<void>
}

/** Turns the event loop without sleeping: a timer is a millisecond late, which would be most of what is measured. */
export const realClock: Clock = { nowUs: monotonicUs, turn: () => new Promise((resolve) => setImmediate(resolve)) }

/**
 * Calls `send` for each message as soon as it is due, and settles when the last was sent.
 * @param send gets the number of the message and when it was due
 */
export async function sendOnSchedule(
  messages: number,
  ratePerSecond: number,
  send: (index: number, dueUs: number) => void,
  clock: Clock = realClock,
): Promise<void> {
  const intervalUs = 1e6 / ratePerSecond
  const startUs = clock.nowUs() + intervalUs
  for (let index = 0; index < messages; ) {
    // All that are due by now, late ones included: the schedule does not wait for anybody.
    for (const now = clock.nowUs(); index < messages && startUs + index * intervalUs <= now; index++) {
      send(index, startUs + index * intervalUs)
    }
    await clock.turn()
  }
}
