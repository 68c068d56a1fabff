/** The headers by which a dead letter says what it is. They stand beside the message's own, in names that begin with {@link letterPrefix}. */
import type { Extras } from '../engine/terms.js'
import type { Message } from './message.js'
import { ownHeadersOf, retriedOf } from './retried.js'

export const letterPrefix = 'bookend-'

export const letterHeaders = {
  /** Name and text of the error that it was given up for. */
  error: 'bookend-error',
  /** Where the message stood, when it was appended there (ms since the epoch), and who could not handle it. */
  topic: 'bookend-topic',
  offset: 'bookend-offset',
  timestamp: 'bookend-timestamp',
  group: 'bookend-group',
  /** Calls that failed with it; 0: it stands for messages that could not be read, up to `next`. */
  attempts: 'bookend-attempts',
  next: 'bookend-next',
  /** There was no room for the value beside these. */
  value: 'bookend-value',
} as const

/** Why a message was given up. */
export interface GivenUp {
  readonly group: string
  /** Calls that failed with it. */
  readonly attempts: number
  readonly error: Error
}

const encoder = new TextEncoder()
/** Of an error's text in a header: enough to recognise it. */
const maxErrorLength = 1_000

/** A copy of the message that says why. */
export function letterOf(message: Message<Uint8Array>, { group, attempts, error }: GivenUp, maxBytes: number): Letter {
  const { offset, timestamp } = retriedOf(message)
  const headers = {
    ...ownHeadersOf(message),
    ...whyHeaders(message.topic, offset, group, error),
    [letterHeaders.timestamp]: String(timestamp),
    [letterHeaders.attempts]: String(attempts),
  }
  return letterWithin(message.value, message.key, headers, maxBytes)
}

/** Stands for messages that cannot be read, from `first` to before `end`. */
export function damageLetter(topic: string, first: number, end: number, group: string, error: Error): Letter {
  const headers = {
    ...whyHeaders(topic, first, group, error),
    [letterHeaders.next]: String(end),
    [letterHeaders.attempts]: '0',
  }
  return letterWithin(new Uint8Array(0), undefined, headers, Number.POSITIVE_INFINITY)
}

/** To be appended. */
export interface Letter {
  readonly value: Uint8Array
  readonly extras: Extras
}

function whyHeaders(topic: string, offset: number, group: string, error: Error): Record<string, string> {
  return {
    [letterHeaders.error]: `${error.name}: ${error.message}`.slice(0, maxErrorLength),
    [letterHeaders.topic]: topic,
    [letterHeaders.offset]: String(offset),
    [letterHeaders.group]: group,
  }
}

function letterWithin(
  value: Uint8Array,
  key: Uint8Array | undefined,
  headers: Record<string, string>,
  maxBytes: number,
): Letter {
  const encoded = encoder.encode(JSON.stringify(headers))
  if (value.length + (key?.length ?? 0) + encoded.length <= maxBytes)
    return { value, extras: { key, headers: encoded } }
  // The largest messages have no room for more headers. The original still stands where these say.
  const without = { ...headers, [letterHeaders.value]: `left out: ${value.length} bytes` }
  return { value: new Uint8Array(0), extras: { key, headers: encoder.encode(JSON.stringify(without)) } }
}
