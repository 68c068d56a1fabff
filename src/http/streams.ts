/** What requests ask of streams that they do not change but for messages: of the registry itself, or in another thread of copies of what it knows. */
import { HttpError } from './exchange.js'
import type { StreamState } from './stream-state.js'
import type { StreamTopics } from './stream-topics.js'

export interface Streams {
  readonly topics: StreamTopics
  /** Undefined: there is none, or it has expired. @param isUse it counts as read or written from now on. @throws HttpError 410 of one that is kept for its forks */
  find(name: string, isUse: boolean): Promise<StreamState | undefined>
  /** What a fork reads in front of its own. */
  sourceOf(stream: StreamState): StreamState | undefined
  /**
   * Appends to a stream that was found in the same turn of the event loop, and that is not closed.
   * @returns position behind the messages
   */
  append(stream: StreamState, messages: readonly Uint8Array[]): Promise<number>
}

export function goneMeanwhile(): HttpError {
  return new HttpError(503, 'the stream cannot be written at the moment: try again', { 'retry-after': '1' })
}
