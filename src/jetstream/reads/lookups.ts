/** Single messages by offset, and the offset of a time. Any replica answers; where it knows of nothing, the leader is asked. */
import type { StoredMsg } from '@nats-io/jetstream'
import { chunkOf } from '../../messages/chunk-builder.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import { apiCodeOf } from '../server/link.js'
import type { TopicStream } from '../server/topic-stream.js'
import { incoming } from '../server/wire.js'

/** Requests under way at a time. */
const maxUnderWay = 64
const streamNotFound = 10059
const messageNotFound = 10037

export interface LookupCounters {
  /** Messages that the replica that was asked did not know. */
  staleReads: number
}

/** In the order of `offsets`; undefined: not written, or trimmed away. */
export async function recordsAt(
  stream: TopicStream,
  offsets: readonly number[],
  counters: LookupCounters,
): Promise<(RecordPlace | undefined)[]> {
  // What is outside is not asked for one by one; and what was trimmed may still be with a replica.
  const { link, topic } = stream
  const { first, next } = await stream.bounds()
  const found = new Array<RecordPlace | undefined>(offsets.length).fill(undefined)
  let index = 0
  const worker = async () => {
    while (index < offsets.length) {
      const mine = index++
      const offset = offsets[mine]
      if (offset < first || offset >= next) continue
      found[mine] = await link.trying(`reading topic "${topic}"`, () => recordAt(stream, offset, counters))
    }
  }
  await Promise.all(Array.from({ length: Math.min(maxUnderWay, offsets.length) }, worker))
  return found
}

async function recordAt(
  stream: TopicStream,
  offset: number,
  counters: LookupCounters,
): Promise<RecordPlace | undefined> {
  const request = { seq: offset + 1 }
  let message = await ask(stream, (jsm) => jsm.direct.getMessage(stream.name, request))
  if (message === undefined) {
    message = await ask(stream, (jsm) => jsm.streams.getMessage(stream.name, request))
    if (message !== undefined) counters.staleReads += 1
  }
  if (message === undefined) {
    // It was there. A node that thinks it leads, and does not, may not know of it.
    if (offset >= (await stream.bounds()).first)
      throw new Error(`message ${offset} is not known where it was asked for`)
    return undefined
  }
  const cursor = chunkOf([incoming(offset, message.time.getTime(), message.data, message.header)])
  cursor.next()
  return cursor
}

/** First offset stored at or after that time, ms since the epoch; the next offset if there is none. */
export async function offsetAt(stream: TopicStream, time: number): Promise<number> {
  const { first, next } = await stream.bounds()
  if (first === next || time > maxTime) return next
  if (time <= 0) return first
  const request = { start_time: new Date(Math.ceil(time)) }
  const message = await ask(stream, (jsm) => jsm.direct.getMessage(stream.name, request))
  return message === undefined ? next : Math.max(first, message.seq - 1)
}

/** The end of the year 9999: the servers read no date with more digits. */
const maxTime = 253_402_300_799_999

async function ask(
  { link, topic }: TopicStream,
  work: (jsm: TopicStream['link']['jsm']) => Promise<StoredMsg | null>,
): Promise<StoredMsg | undefined> {
  try {
    return (await link.trying(`reading topic "${topic}"`, () => work(link.jsm))) ?? undefined
  } catch (error) {
    const code = apiCodeOf(error)
    if (code === messageNotFound || code === streamNotFound) return undefined
    throw error
  }
}
