/** POST: appends to a stream, closes it, or both. What it depends on is judged and taken note of in one turn of the event loop, so requests cannot come between. */
import { HttpError, type HttpRequest, type Reply } from './exchange.js'
import { type GivenProducer, producerIn, saysClosed } from './headers.js'
import { messagesIn } from './json-messages.js'
import { offsetText } from './offsets.js'
import type { ServerParts } from './server-parts.js'
import { goneMeanwhile } from './stream-registry.js'
import { mediaTypeOf, type StreamChange, type StreamState } from './stream-state.js'

export async function append(parts: ServerParts, topic: string, request: HttpRequest): Promise<Reply> {
  const { registry, limits, followers } = parts
  const producer = producerIn(request)
  const closes = saysClosed(request)
  const body = await request.body(limits.bodyBytes)
  const stream = await registry.find(topic, true)
  if (stream === undefined) throw new HttpError(404, 'there is no such stream')
  if (body.length === 0 && !closes) throw new HttpError(400, 'there is nothing to append')
  const contentType = request.header('content-type')
  if (body.length > 0 && !contentType) throw new HttpError(400, 'a body has a Content-Type')

  if (stream.closed !== undefined) return whenClosed(parts, stream, producer, closes && body.length === 0)
  if (body.length > 0 && mediaTypeOf(contentType ?? '') !== stream.mediaType)
    throw new HttpError(409, `the stream is ${stream.config.contentType}`)
  const messages = body.length === 0 ? [] : stream.isJson ? messagesIn(body) : [body]
  if (body.length > 0 && messages.length === 0) throw new HttpError(400, 'an empty array is nothing to append')
  if (producer !== undefined && isKnown(stream, producer)) return duplicate(parts, stream, producer)
  const seq = request.header('stream-seq')
  if (seq !== undefined && stream.seq !== undefined && Buffer.compare(Buffer.from(seq), Buffer.from(stream.seq)) <= 0)
    throw new HttpError(409, 'Stream-Seq is not above the last one')

  const hasChange = producer !== undefined || seq !== undefined || closes
  const change: StreamChange | undefined = hasChange
    ? { ...(producer && { producer }), ...(seq !== undefined && { seq }), ...(closes && { closed: true }) }
    : undefined
  const end = await registry.write(stream, messages, change)
  // Behind the write: nobody is told of an end that is not there.
  if (closes) followers.tell(topic)
  return {
    status: producer !== undefined && messages.length > 0 ? 200 : 204,
    headers: headersOf(stream, producer, end, closes),
  }
}

function headersOf(
  stream: StreamState,
  producer: GivenProducer | undefined,
  end: number,
  closes: boolean,
): Record<string, string> {
  return {
    'stream-next-offset': offsetText(stream, end),
    ...(closes && { 'stream-closed': 'true' }),
    ...(producer && placeHeaders(stream, producer)),
  }
}

function placeHeaders(stream: StreamState, { id, epoch, seq }: GivenProducer): Record<string, string> {
  const known = stream.producers.get(id)
  return { 'producer-epoch': String(epoch), 'producer-seq': String(known?.epoch === epoch ? known.seq : seq) }
}

/** @returns true: what it sends was written before. @throws HttpError 400, 403, 409 */
function isKnown(stream: StreamState, { id, epoch, seq }: GivenProducer): boolean {
  const known = stream.producers.get(id) ?? { epoch, seq: -1 }
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

/** What is known may be on its way still: it is there, as durably as promised, when this is answered. */
async function duplicate({ registry }: ServerParts, stream: StreamState, producer: GivenProducer): Promise<Reply> {
  await stream.writing
  if (!registry.holds(stream)) throw goneMeanwhile()
  const headers = { ...placeHeaders(stream, producer), ...(stream.closed !== undefined && { 'stream-closed': 'true' }) }
  return { status: 204, headers }
}

/** @param isClose the request asks for nothing else */
async function whenClosed(
  { registry }: ServerParts,
  stream: StreamState,
  producer: GivenProducer | undefined,
  isClose: boolean,
): Promise<Reply> {
  await stream.writing
  if (!registry.holds(stream)) throw goneMeanwhile()
  const end = await registry.endOf(stream)
  const closed = { 'stream-closed': 'true', 'stream-next-offset': offsetText(stream, end) }
  const by = stream.closed?.by
  const isAgain =
    producer !== undefined && by?.id === producer.id && by.epoch === producer.epoch && by.seq === producer.seq
  if (isAgain) return { status: 204, headers: { ...closed, ...placeHeaders(stream, producer) } }
  if (isClose && producer === undefined) return { status: 204, headers: closed }
  throw new HttpError(409, 'the stream is closed', closed)
}
