/**
 * How a message travels. What JetStream stores as its payload is key, headers and value, one behind the other, as a frame of the local log holds
 * them; a header of the server says how long the first two are, where there are any. So whatever may stand in a key or a header may stand
 * there, and the limit of a message is one number. A message with neither is its value, as anybody reads it.
 */
import { headers, type Msg, type MsgHdrs } from '@nats-io/transport-node'
import type { Extras, Payload } from '../../engine/terms.js'
import type { LooseMessage } from '../../messages/chunk-builder.js'

const partsHeader = 'Bookend-Parts'
const noKey = '-'

/** A message as it is published. */
export interface Outgoing {
  /** The caller's no more: it may use its buffer again at once. */
  readonly payload: Uint8Array
  /** Undefined: the payload is the value. */
  readonly parts: string | undefined
}

const encoder = new TextEncoder()

export function outgoing(given: Payload, extras: Extras | undefined): Outgoing {
  const value = typeof given === 'string' ? encoder.encode(given) : given
  // Not by slice(), which of a Buffer makes a view of the same memory.
  if (extras === undefined) return { payload: value === given ? new Uint8Array(value) : value, parts: undefined }
  const { key, headers: said } = extras
  const keyBytes = key?.length ?? 0
  const valueStart = keyBytes + (said?.length ?? 0)
  const payload = new Uint8Array(valueStart + value.length)
  if (key !== undefined) payload.set(key)
  if (said !== undefined) payload.set(said, keyBytes)
  payload.set(value, valueStart)
  return { payload, parts: `${key === undefined ? noKey : keyBytes},${valueStart - keyBytes}` }
}

export function headersOf({ parts }: Outgoing): MsgHdrs {
  const made = headers()
  if (parts !== undefined) made.set(partsHeader, parts)
  return made
}

/** The message at that offset, out of what the server stored. Its parts are views of `payload`. */
export function incoming(offset: number, time: number, payload: Uint8Array, said: MsgHdrs | undefined): LooseMessage {
  const parts = said?.get(partsHeader)
  if (parts === undefined || parts === '') return { offset, time, value: payload, extras: undefined }
  const [keyPart, headersPart] = parts.split(',')
  const keyBytes = keyPart === noKey ? 0 : Number(keyPart)
  const valueStart = keyBytes + Number(headersPart)
  const key = keyPart === noKey ? undefined : payload.subarray(0, keyBytes)
  const stored = valueStart > keyBytes ? payload.subarray(keyBytes, valueStart) : undefined
  return { offset, time, value: payload.subarray(valueStart), extras: { key, headers: stored } }
}

/** What the subject for the answer says of a message that a consumer was given. */
export interface Delivered {
  readonly offset: number
  /** Ms since the epoch. */
  readonly time: number
  /** How often the server has given it away, this time included. */
  readonly attempt: number
  /** Counts what the consumer was given; begins at 1 with each seek. */
  readonly number: number
}

/** `$JS.ACK.[domain.account.]stream.consumer.attempt.sequence.number.time.pending[.token]` */
export function deliveredOf({ reply = '' }: Msg): Delivered {
  const tokens = reply.split('.')
  const at = tokens.length === 9 ? 4 : 6
  return {
    attempt: Number(tokens[at]),
    offset: Number(tokens[at + 1]) - 1,
    number: Number(tokens[at + 2]),
    // Nanoseconds are beyond what numbers hold exactly: their last six digits are cut off as text.
    time: Number(tokens[at + 3].slice(0, -6)),
  }
}
