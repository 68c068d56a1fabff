/** The words of a lane, one row of the table of lanes: see lane-table.ts. */
import { bell, openWords, position, type Role, tableBytes, type WordsOf } from './word-table.js'

const table = {
  /** Ring bytes handed over. */
  ringTail: position('application'),
  /** Ring bytes taken: their frames are published (or cancelled) and their space is free. */
  ringHead: position('writer'),
  /** Awaited frames between `ringHead` and here were refused for lack of space. */
  cancelledTo: position('writer'),
  /** The writer rings the thread's bell once the ring head has reached this. */
  wakeHead: position('application'),
  /** Somebody waits for the device with frames before this ring position: see flush-way.ts. */
  flushWished: position('application'),
  /** Frames before this ring position are on the device. */
  flushedTo: position('flusher'),
  bell: bell('application'),
}

/** The words of a lane as a thread has them that plays the roles `R`; with none, to look at. */
export type LaneWords<R extends Role = never> = WordsOf<typeof table, R> & {
  /** Which lane. */
  readonly number: number
}

export const laneBytes = tableBytes(table)

/** @param rowsAt where the rows of all lanes begin, in bytes. @param _roles what the calling thread is to the lane */
export function openLaneAt<R extends Role = never>(
  shared: SharedArrayBuffer,
  rowsAt: number,
  number: number,
  ..._roles: R[]
): LaneWords<R> {
  const words = openWords<typeof table, R>(table, shared, rowsAt + number * laneBytes)
  return { number, ...words }
}
