/**
 * What an engine hands over, looked at before the application sees it: whichever engine it is, an answer to another question than the one
 * that was asked ends here. That a chunk holds its messages is the cursor's to see, see `messages/`.
 *
 * Nothing in here makes a promise: what is at hand stays at hand.
 */
import type { EngineLease } from '../engine/group-seat.js'
import type { Bounds, GroupPosition } from '../engine/terms.js'
import { assert } from '../errors.js'
import type { ChunkCursor, RecordPlace } from '../messages/chunk-cursor.js'

/** A record that was looked up; undefined stands for one that is not there. */
export function assertAsked(record: RecordPlace | undefined, offset: number): void {
  assert(record === undefined || record.offset === offset, 'a lookup finds the message that was asked for')
}

/** One answer for each offset, in their order. */
export function assertAllAsked(records: readonly (RecordPlace | undefined)[], offsets: readonly number[]): void {
  assert(records.length === offsets.length, 'a lookup answers for every offset')
  for (let index = 0; index < offsets.length; index++) assertAsked(records[index], offsets[index])
}

/** The next chunk of a stream that has come to `offset` and ends before `to`. */
export function assertChunk(chunk: ChunkCursor, offset: number, to: number): void {
  assert(chunk.expected === offset, 'a chunk begins with the message that was asked for')
  assert(chunk.end > offset && chunk.end <= to, 'a chunk holds messages of its range, and one at least')
}

/** A message that a consumer is given. */
export function assertLeased(record: RecordPlace, lease: EngineLease): void {
  assert(record.offset === lease.offset, 'a consumer is given the message that its lease is for')
}

export function assertOffset(offset: number): void {
  assert(Number.isSafeInteger(offset) && offset >= 0, 'offsets are integers from 0')
}

export function assertBounds({ first, next }: Bounds): void {
  assertOffset(first)
  assertOffset(next)
  assert(first <= next, 'a topic begins before it ends')
}

export function assertPosition({ committed, next, lag }: GroupPosition): void {
  assertOffset(committed)
  assert(committed <= next && lag >= 0 && lag <= next - committed, 'a group lags by messages that it has not seen')
}
