/** What is read of a stream at once: whole messages, as many as a response takes, those of its source in front of its own. */
import type { StreamState } from './stream-state.js'
import type { Streams } from './streams.js'

export interface StreamPart {
  readonly messages: readonly Uint8Array[]
  /** Position behind the last of them. */
  readonly next: number
}

/** Messages from `position` on, one at least if there is any, until they come to `maxBytes`. */
export async function readPart(
  streams: Streams,
  stream: StreamState,
  position: number,
  maxBytes: number,
): Promise<StreamPart> {
  const messages: Uint8Array[] = []
  let bytes = 0
  let next = position
  for (const { owner, from, to } of await stretches(streams, stream, position)) {
    let isFull = false
    for await (const batch of streams.topics.topic(owner.topic).read({ from, to }).chunks()) {
      batch.forEach((memory, start, end, offset) => {
        isFull ||= messages.length > 0 && bytes + end - start > maxBytes
        if (isFull) return
        messages.push(memory.subarray(start, end))
        bytes += end - start
        next = owner.positionOf(offset + 1)
      })
      if (isFull) return { messages, next }
    }
    // What is left out at the end has expired.
    next = owner.positionOf(to)
  }
  return { messages, next }
}

/** Offsets of a topic. */
interface StreamStretch {
  readonly owner: StreamState
  readonly from: number
  readonly to: number
}

/** Where the messages of the stream stand from `position` on, in its own topic and in those of its sources, each as far as the next one begins. */
async function stretches(streams: Streams, stream: StreamState, position: number): Promise<StreamStretch[]> {
  const found: StreamStretch[] = []
  let end = await streams.topics.endOf(stream)
  for (let owner: StreamState | undefined = stream; owner !== undefined && position < end; ) {
    const begins = owner.fork?.at ?? owner.first
    const from = Math.max(position, begins)
    if (from < end) found.unshift({ owner, from: owner.offsetOf(from), to: owner.offsetOf(end) })
    end = Math.min(end, begins)
    owner = streams.sourceOf(owner)
  }
  return found
}
