/**
 * A message that failed, and was acknowledged and scheduled anew in one transaction, says in its headers what it was: so its attempts are counted over restarts, and who
 * it is stays known. The headers come off again with a dead letter that is brought back.
 */
import type { Extras } from '../engine/terms.js'
import { partsOf, type RecordPlace } from './chunk-cursor.js'
import { type Message, StoredMessage } from './message.js'

const names = {
  /** Calls that failed with it. */
  attempts: 'bookend-retry-attempts',
  /** Where it stood first, and when it was appended there, ms since the epoch. */
  offset: 'bookend-retry-offset',
  timestamp: 'bookend-retry-timestamp',
} as const
const all: readonly string[] = Object.values(names)

/** What a message was before it was scheduled anew. */
export interface Retried {
  /** 0: it is here for the first time. */
  readonly attempts: number
  readonly offset: number
  readonly timestamp: number
}

/** Only its headers are looked at. */
const nowhere = { topic: '', decode: undefined }
const encoder = new TextEncoder()

/** Of a message as it comes. */
export function retriedOf({ offset, timestamp, headers }: Pick<Message, 'offset' | 'timestamp' | 'headers'>): Retried {
  const [attempts, at, since] = [headers?.[names.attempts], headers?.[names.offset], headers?.[names.timestamp]].map(
    Number,
  )
  const isKnown = [attempts, at, since].every((value) => Number.isSafeInteger(value) && value >= 0)
  return isKnown ? { attempts, offset: at, timestamp: since } : { attempts: 0, offset, timestamp }
}

/** How often it has failed before it came here. Costs a look where it has no headers, or none of these. */
export function failedBefore(place: RecordPlace): number {
  const { keyEnd, valueStart } = partsOf(place.words, place.frame)
  if (valueStart - keyEnd < names.attempts.length) return 0
  const { buffer, byteOffset } = place.bytes
  const headers = Buffer.from(buffer, byteOffset + keyEnd, valueStart - keyEnd)
  return headers.includes(names.attempts) ? retriedOf(new StoredMessage(nowhere, place)).attempts : 0
}

/** Key and headers of the message that comes in its place. */
export function retryExtras(message: Message, attempts: number): Extras {
  const { offset, timestamp } = retriedOf(message)
  const headers = {
    ...message.headers,
    [names.attempts]: String(attempts),
    [names.offset]: String(offset),
    [names.timestamp]: String(timestamp),
  }
  return { key: message.key, headers: encoder.encode(JSON.stringify(headers)) }
}

/** As it was appended first. */
export function ownHeadersOf({ headers }: Pick<Message, 'headers'>): Record<string, string> | undefined {
  if (headers?.[names.attempts] === undefined) return headers
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !all.includes(name)))
}
