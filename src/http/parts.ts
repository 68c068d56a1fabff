/** What is read of a stream at once for who follows it: whole messages, those of its source in front of its own. What is there already, however much, is `catch-up`. */
import type { StreamState } from './stream-state.js'
import type { Streams } from './streams.js'

export interface StreamPart {
  readonly messages: readonly Uint8Array[]
  /** Position behind the last of them. */
  readonly next: number
}

/** What a message is taken for before one was read: too long rather than too short, which would read far more than is asked for. */
export const unknownBytes = 16 << 10
/** A follower has that much of it in memory, at most. */
const mostBytes = 1 << 20
/** And so many: each takes its time, however short it is, and they are put together at once. */
const mostMessages = 1 << 15
/** Less room than that share of a part is not worth another read. */
const leastShare = 1 / 8

/**
 * Messages from `position` on, one at least if there is any, until they come to `maxBytes`, or 1 MiB, or 32,768. Of all who ask for the same while it is being read
 * one reads: those that follow a stream are woken together, and get the very same part.
 */
export async function readPart(
  streams: Streams,
  stream: StreamState,
  position: number,
  wantedBytes: number,
): Promise<StreamPart> {
  const maxBytes = Math.min(wantedBytes, mostBytes)
  const end = await streams.topics.endOf(stream)
  if (position >= end) return { messages: [], next: position }
  const key = `${position} ${end} ${maxBytes}`
  let reading = stream.reading.get(key)
  if (reading === undefined) {
    reading = readAlone(streams, stretches(streams, stream, position, end), position, maxBytes)
    stream.reading.set(key, reading)
    const isOver = () => stream.reading.delete(key)
    reading.then(isOver, isOver)
  }
  return reading
}

async function readAlone(
  streams: Streams,
  found: readonly StreamStretch[],
  position: number,
  maxBytes: number,
): Promise<StreamPart> {
  const messages: Uint8Array[] = []
  let bytes = 0
  let next = position
  for (const { owner, from, to } of found) {
    for (let at = from; at < to; ) {
      const room = maxBytes - bytes
      const left = mostMessages - messages.length
      if (left === 0 || (messages.length > 0 && room < maxBytes * leastShare)) return { messages, next }
      // As many as there is room for, by the length of those before: what is read beyond is read in vain.
      const end = Math.min(to, at + Math.min(left, Math.ceil(room / (owner.messageBytes ?? unknownBytes))))
      const [count, before] = [messages.length, bytes]
      let isFull = false
      for await (const batch of streams.topics.topic(owner.topic).read({ from: at, to: end }).chunks()) {
        batch.forEach((memory, start, end, offset) => {
          isFull ||= messages.length > 0 && bytes + end - start > maxBytes
          if (isFull) return
          messages.push(memory.subarray(start, end))
          bytes += end - start
          next = owner.positionOf(offset + 1)
        })
        if (isFull) break
      }
      if (messages.length > count) owner.messageBytes = Math.max(1, (bytes - before) / (messages.length - count))
      if (isFull) return { messages, next }
      at = end
      // What is left out at the end has expired.
      next = owner.positionOf(at)
    }
  }
  return { messages, next }
}

/** Offsets of a topic. */
export interface StreamStretch {
  readonly owner: StreamState
  readonly from: number
  readonly to: number
}

/** Where the messages of the stream stand from `position` to `before`, in its own topic and in those of its sources, each as far as the next one begins. */
export function stretches(streams: Streams, stream: StreamState, position: number, before: number): StreamStretch[] {
  const found: StreamStretch[] = []
  let end = before
  for (let owner: StreamState | undefined = stream; owner !== undefined && position < end; ) {
    const begins = owner.fork?.at ?? owner.first
    const from = Math.max(position, begins)
    if (from < end) found.unshift({ owner, from: owner.offsetOf(from), to: owner.offsetOf(end) })
    end = Math.min(end, begins)
    owner = streams.sourceOf(owner)
  }
  return found
}
