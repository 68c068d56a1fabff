/**
 * Producers of a stream: what is known of one decides whether a post is written, was written before, or is refused. They are known as long as the stream is, and only where there are as many as there
 * may be, one that has not written for a week goes for one that is new.
 */
import { HttpError } from './exchange.js'
import type { GivenProducer } from './headers.js'
import type { ProducerPlace, StreamState } from './stream-state.js'

/** What the protocol recommends where producers are let go at all. */
const idleMs = 7 * 24 * 60 * 60 * 1_000
/** Nobody asks for a day later what may be otherwise in a minute. */
const mostRetrySeconds = 3_600

/** @returns true: what it sends was written before. @throws HttpError 400, 403, 409 */
export function isKnown(stream: StreamState, { id, epoch, seq }: GivenProducer): boolean {
  const known: ProducerPlace = stream.producers.get(id) ?? { epoch, seq: -1 }
  if (epoch < known.epoch)
    throw new HttpError(403, 'a later epoch of this producer has begun', { 'producer-epoch': String(known.epoch) })
  if (epoch > known.epoch) {
    if (seq !== 0) throw new HttpError(400, 'an epoch begins with Producer-Seq 0')
    return false
  }
  if (seq > known.seq + 1) {
    const expected = String(known.seq + 1)
    const headers = { 'producer-expected-seq': expected, 'producer-received-seq': String(seq) }
    throw new HttpError(409, `what comes before is missing: Producer-Seq ${expected} is next`, headers)
  }
  return seq <= known.seq
}

/**
 * Who has to go for it: undefined, if nobody has. To be asked in the turn in which that is written.
 * @param now wall clock
 * @throws HttpError 429: there is nobody who may go
 */
export function whoGoesFor(
  { producers }: StreamState,
  { id }: GivenProducer,
  maxProducers: number,
  now: number,
): string | undefined {
  if (producers.size < maxProducers || producers.has(id)) return undefined
  // They stand in the order in which they wrote last.
  const [[longest, { at }]] = producers
  const leftMs = at + idleMs - now
  if (leftMs <= 0) return longest
  const text = `the stream has ${maxProducers} producers, and that is the most here: one that has not written for seven days would go for a new one`
  throw new HttpError(429, text, { 'retry-after': String(Math.min(mostRetrySeconds, Math.ceil(leftMs / 1_000))) })
}

export function placeHeaders(stream: StreamState, { id, epoch, seq }: GivenProducer): Record<string, string> {
  const known = stream.producers.get(id)
  return { 'producer-epoch': String(epoch), 'producer-seq': String(known?.epoch === epoch ? known.seq : seq) }
}
