/** What is read of a stream at once: whole messages, as many as a response takes. */
import type { Topic } from '../log/topic.js'

export interface StreamPart {
  readonly messages: readonly Uint8Array[]
  /** Behind the last of them. */
  readonly next: number
}

/** Messages of `[from, to)`, one at least if there is any, until they come to `maxBytes`. */
async function readPart(topic: Topic<Uint8Array>, from: number, to: number, maxBytes: number): Promise<StreamPart> {
  const messages: Uint8Array[] = []
  let bytes = 0
  let next = from
  let isFull = false
  for await (const batch of topic.read({ from, to }).chunks()) {
    batch.forEach((memory, start, end, offset) => {
      isFull ||= messages.length > 0 && bytes + end - start > maxBytes
      if (isFull) return
      messages.push(memory.subarray(start, end))
      bytes += end - start
      next = offset + 1
    })
    if (isFull) break
  }
  // What is left out at the end has expired.
  return { messages, next: isFull ? next : to }
}

/** The same of what is there now. */
export async function partFrom(topic: Topic<Uint8Array>, from: number, maxBytes: number): Promise<StreamPart> {
  const { next } = await topic.bounds()
  return from >= next ? { messages: [], next: from } : readPart(topic, from, next, maxBytes)
}
