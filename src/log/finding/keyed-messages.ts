/** The messages of a topic that have one key, part by part. */
import { abortable } from '../../abortable.js'
import type { Engine, EngineTopic, KeyedRange } from '../../engine/engine.js'
import { unexpired } from '../../messages/expiry.js'
import { type Message, type MessageSource, StoredMessage } from '../../messages/message.js'

/** Which messages with a key. */
export interface KeyOptions {
  /** First offset, or a time; the oldest readable message unless said. */
  from?: number | Date
  /** End, exclusive, as an offset or a time; the next offset at the time of the call unless said. */
  to?: number | Date
  /** The most that are wanted; 100 unless said. */
  limit?: number
  /** The newest first, unless this is false. */
  reverse?: boolean
  /** Ends the iteration with its reason. */
  signal?: AbortSignal
}

/** So many are looked for at a time. */
const maxPart = 100

/** @param begin says where, once somebody asks */
export async function* keyedMessages<T>(
  engine: Engine,
  topic: EngineTopic,
  source: MessageSource<T>,
  key: Uint8Array,
  begin: () => Promise<KeyedRange>,
  signal: AbortSignal | undefined,
): AsyncIterableIterator<Message<T>> {
  let range = await abortable(signal, begin())
  for (let left = range.max; left > 0 && range.from < range.to; ) {
    signal?.throwIfAborted()
    engine.checkOpen()
    const part = await abortable(signal, topic.keyed(key, { ...range, max: Math.min(left, maxPart) }))
    for (const record of part.records) {
      if (unexpired(record) === undefined) continue
      yield new StoredMessage(source, record)
      left -= 1
    }
    range = { ...range, from: part.from, to: part.to }
  }
}
