/** What requests say in their headers, checked. @throws HttpError 400 */
import { isInCalendar } from '../log/calendar.js'
import { HttpError, type RequestHead } from './exchange.js'
import type { ProducerPlace, StreamConfig } from './stream-state.js'

const digits = /^\d+$/
const plainInteger = /^(0|[1-9]\d*)$/
const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+/
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$/

export interface GivenProducer extends ProducerPlace {
  readonly id: string
}

/** Of headers that are kept with the stream, in characters: a name, a number, a type, a time. */
const mostKept = 256

/** A header that is kept with the stream. @throws HttpError 400: it is too long for that */
export function keptHeader(request: RequestHead, name: string): string | undefined {
  const value = request.header(name)
  if (value !== undefined && value.length > mostKept)
    throw new HttpError(400, `${name} has at most ${mostKept} characters here`)
  return value
}

/** Scheme and host, as whoever asks has named them: behind a proxy the server does not know its own address. */
export function rootOf(request: RequestHead): string | undefined {
  const host = request.header('host')
  const scheme = request.header('x-forwarded-proto')?.split(',', 1)[0].trim() === 'https' ? 'https' : 'http'
  return host === undefined ? undefined : `${scheme}://${host}`
}

/** Any other value is as if it were not there. */
export function saysClosed(request: RequestHead): boolean {
  return request.header('stream-closed')?.toLowerCase() === 'true'
}

export function configIn(request: RequestHead): StreamConfig {
  const given = keptHeader(request, 'content-type')?.trim() ?? ''
  const contentType = mediaType.test(given) ? given : 'application/octet-stream'
  const [ttl, expiresAt] = [request.header('stream-ttl'), keptHeader(request, 'stream-expires-at')]
  if (ttl !== undefined && expiresAt !== undefined)
    throw new HttpError(400, 'Stream-TTL and Stream-Expires-At say the same in two ways: give one of them')
  if (ttl !== undefined && !(plainInteger.test(ttl) && Number.isSafeInteger(Number(ttl))))
    throw new HttpError(400, 'Stream-TTL is a number of seconds in plain digits')
  const isTime = (text: string) => rfc3339.test(text) && isInCalendar(text) && !Number.isNaN(Date.parse(text))
  if (expiresAt !== undefined && !isTime(expiresAt))
    throw new HttpError(400, 'Stream-Expires-At is a time as in RFC 3339')
  return {
    contentType,
    ...(ttl !== undefined && { ttlSeconds: Number(ttl) }),
    ...(expiresAt !== undefined && { expiresAt }),
  }
}

/** Undefined: the request is no producer's. */
export function producerIn(request: RequestHead): GivenProducer | undefined {
  const [id, epoch, seq] = ['producer-id', 'producer-epoch', 'producer-seq'].map((name) => keptHeader(request, name))
  if (id === undefined && epoch === undefined && seq === undefined) return undefined
  if (id === undefined || epoch === undefined || seq === undefined)
    throw new HttpError(400, 'Producer-Id, Producer-Epoch and Producer-Seq come together')
  if (id === '') throw new HttpError(400, 'Producer-Id is not empty')
  return { id, epoch: integer('Producer-Epoch', epoch), seq: integer('Producer-Seq', seq) }
}

function integer(name: string, text: string): number {
  const value = digits.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new HttpError(400, `${name} is an integer from 0 to 2^53 - 1`)
  return value
}
