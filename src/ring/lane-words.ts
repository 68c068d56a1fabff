/**
 * The words of a lane: one thread that appends, with a ring of its own (append-ring.ts).
 *
 * Lane 0 is the thread that opened the log.
 */
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
  flushedTo: position('reaper'),
  bell: bell('application'),
}

/** The words of a lane as a thread has them that plays the roles `R`; with none, to look at. */
export type LaneWords<R extends Role = never> = WordsOf<typeof table, R>

export const ownerLane = 0

export function allocateLanes(): SharedArrayBuffer {
  return new SharedArrayBuffer(tableBytes(table))
}

/** The calling thread's accessors over the words of one lane. @param _roles what it is to that lane */
export function openLane<R extends Role = never>(
  shared: SharedArrayBuffer,
  lane: number,
  ..._roles: R[]
): LaneWords<R> {
  return openWords(table, shared, lane * tableBytes(table))
}
