/** The latest message of every key: what a topic comes to where each message replaces those before it with the same key. */
import type { Message } from '../../messages/message.js'

/** What of a topic is needed. */
export interface EntriesSource<T> {
  bounds(): Promise<{ first: number; next: number }>
  read(options: { from: number; to: number; signal?: AbortSignal | undefined }): AsyncIterable<Message<T>>
  getMany(offsets: readonly number[]): Promise<(Message<T> | undefined)[]>
}

/** Messages that are fetched at a time. */
const atOnce = 256

/**
 * Reads what there is when it begins, once, and remembers for each key where its latest message stands; then fetches these, in order of their
 * offsets. A key whose latest message is a tombstone has none.
 */
export async function* latestEntries<T>(topic: EntriesSource<T>, signal?: AbortSignal): AsyncGenerator<Message<T>> {
  const { first, next } = await topic.bounds()
  // One byte a character: no two keys become the same.
  const latest = new Map<string, number>()
  if (first < next) {
    for await (const message of topic.read({ from: first, to: next, signal })) {
      const { key } = message
      if (key === undefined) continue
      const name = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
      // Behind all others: the map keeps the order in which its keys came.
      latest.delete(name)
      if (!message.tombstone) latest.set(name, message.offset)
    }
  }
  let offsets: number[] = []
  const fetched = async () => {
    signal?.throwIfAborted()
    const messages = await topic.getMany(offsets)
    offsets = []
    // What was trimmed or has expired meanwhile is no entry any more.
    return messages.filter((message) => message !== undefined)
  }
  for (const offset of latest.values()) {
    offsets.push(offset)
    if (offsets.length === atOnce) yield* await fetched()
  }
  if (offsets.length > 0) yield* await fetched()
}
