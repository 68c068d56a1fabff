/** What streams a log has, for who looks at it without serving them. */
import type { Log } from '../log/log.js'
import { json } from '../messages/codec.js'
import { offsetText } from './offsets.js'
import { loadStreams } from './registry-load.js'
import { registryTopic } from './stream-names.js'
import type { StreamRecord } from './stream-state.js'

export interface ServedStream {
  contentType: string
  /** Nothing is appended any more. */
  closed: boolean
  /** It is there for its forks only. */
  deleted: boolean
  ttlSeconds?: number
  expiresAt?: string
  /** Topic of the stream that it is a fork of. */
  source?: string
  /** How many producers it knows. */
  producers: number
  /** As `Stream-Next-Offset` says it. */
  tail: string
}

/** By topic. @param topics those that the log has */
export async function servedStreams(log: Log, topics: readonly string[]): Promise<Map<string, ServedStream>> {
  if (!topics.includes(registryTopic)) return new Map()
  // When they were used is not looked at.
  const clocks = { now: () => 0, nowMs: () => 0 }
  const records = log.topic(registryTopic, { codec: json<StreamRecord>() })
  const { found } = await loadStreams(records, clocks)
  const streams = new Map<string, ServedStream>()
  for (const [topic, stream] of found) {
    const { config, isEnded, isHidden, fork, producers } = stream
    const { next } = await log.topic(topic).bounds()
    streams.set(topic, {
      ...{ ...config, closed: isEnded, deleted: isHidden, ...(fork && { source: fork.source }) },
      ...{ producers: producers.size, tail: offsetText(stream, stream.positionOf(next)) },
    })
  }
  return streams
}
