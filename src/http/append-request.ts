/** POST: appends to a stream, closes it, or both. What it depends on is judged and taken note of in one turn of the event loop, so requests cannot come between. */
import { HttpError, type HttpRequest, type Reply } from './exchange.js'
import { type GivenProducer, keptHeader, producerIn, saysClosed } from './headers.js'
import { messagesIn } from './json-messages.js'
import { offsetText } from './offsets.js'
import { isKnown, placeHeaders, whoGoesFor } from './producers.js'
import type { ChangeParts, ServerParts } from './server-parts.js'
import type { StreamRegistry } from './stream-registry.js'
import { mediaTypeOf, type StreamChange, type StreamState } from './stream-state.js'
import { goneMeanwhile } from './streams.js'

export function append(parts: ServerParts, topic: string, request: HttpRequest): Promise<Reply> {
  const changes = producerIn(request) !== undefined || request.header('stream-seq') !== undefined || saysClosed(request)
  return changes ? parts.change({ topic, source: undefined, request }) : appendMessages(parts, topic, request)
}

/** Messages and nothing else: in any thread. */
async function appendMessages(parts: ServerParts, topic: string, request: HttpRequest): Promise<Reply> {
  const { streams, topics, limits } = parts
  const body = await request.body(limits.bodyBytes)
  const stream = await streams.find(topic, true)
  if (stream === undefined) throw new HttpError(404, 'there is no such stream')
  if (body.length === 0) throw new HttpError(400, 'there is nothing to append')
  checkTyped(request)
  if (stream.closed !== undefined) {
    await stream.writing
    if (!stream.isEnded) throw goneMeanwhile()
    throw closedError(stream, await topics.endOf(stream))
  }
  const end = await streams.append(stream, messagesFor(stream, body, request, limits))
  return { status: 204, headers: headersOf(stream, undefined, end, false) }
}

/** With a producer, a number that rises, or the end of the stream: in the thread of the registry. */
export async function appendChange(parts: ChangeParts, topic: string, request: HttpRequest): Promise<Reply> {
  const { registry, limits, followers, clocks } = parts
  const producer = producerIn(request)
  const closes = saysClosed(request)
  const body = await request.body(limits.bodyBytes)
  const stream = await registry.find(topic, true)
  if (stream === undefined) throw new HttpError(404, 'there is no such stream')
  if (body.length === 0 && !closes) throw new HttpError(400, 'there is nothing to append')
  if (body.length > 0) checkTyped(request)

  if (stream.closed !== undefined) return whenClosed(registry, stream, producer, closes && body.length === 0)
  const messages = body.length === 0 ? [] : messagesFor(stream, body, request, limits)
  if (producer !== undefined && isKnown(stream, producer)) return duplicate(registry, stream, producer)
  const seq = keptHeader(request, 'stream-seq')
  if (seq !== undefined && stream.seq !== undefined && Buffer.compare(Buffer.from(seq), Buffer.from(stream.seq)) <= 0)
    throw new HttpError(409, 'Stream-Seq is not above the last one')

  const forgotten = producer && whoGoesFor(stream, producer, limits.producers, clocks.now())
  const change: StreamChange = {
    ...(producer && { producer }),
    ...(forgotten !== undefined && { forgotten }),
    ...(seq !== undefined && { seq }),
    ...(closes && { closed: true }),
  }
  const end = await registry.write(stream, messages, change)
  // Behind the write: nobody is told of an end that is not there.
  if (closes) followers.tell(topic)
  return {
    status: producer !== undefined && messages.length > 0 ? 200 : 204,
    headers: headersOf(stream, producer, end, closes),
  }
}

/** @throws HttpError 400 */
function checkTyped(request: HttpRequest): void {
  if (!request.header('content-type')) throw new HttpError(400, 'a body has a Content-Type')
}

/** @throws HttpError 400, 409, 413 */
function messagesFor(
  stream: StreamState,
  body: Uint8Array,
  request: HttpRequest,
  limits: ChangeParts['limits'],
): readonly Uint8Array[] {
  if (mediaTypeOf(request.header('content-type') ?? '') !== stream.mediaType)
    throw new HttpError(409, `the stream is ${stream.config.contentType}`)
  const messages = stream.isJson ? messagesIn(body, limits.messages) : [body]
  if (messages.length === 0) throw new HttpError(400, 'an empty array is nothing to append')
  return messages
}

function closedError(stream: StreamState, end: number): HttpError {
  return new HttpError(409, 'the stream is closed', {
    'stream-closed': 'true',
    'stream-next-offset': offsetText(stream, end),
  })
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

/** What is known may be on its way still: it is there, as durably as promised, when this is answered. */
async function duplicate(registry: StreamRegistry, stream: StreamState, producer: GivenProducer): Promise<Reply> {
  await stream.writing
  if (!registry.holds(stream)) throw goneMeanwhile()
  const headers = { ...placeHeaders(stream, producer), ...(stream.closed !== undefined && { 'stream-closed': 'true' }) }
  return { status: 204, headers }
}

/** @param isClose the request asks for nothing else */
async function whenClosed(
  registry: StreamRegistry,
  stream: StreamState,
  producer: GivenProducer | undefined,
  isClose: boolean,
): Promise<Reply> {
  await stream.writing
  if (!registry.holds(stream)) throw goneMeanwhile()
  const end = await registry.topics.endOf(stream)
  const error = closedError(stream, end)
  const closed = error.headers
  const by = stream.closed?.by
  const isAgain =
    producer !== undefined && by?.id === producer.id && by.epoch === producer.epoch && by.seq === producer.seq
  if (isAgain) return { status: 204, headers: { ...closed, ...placeHeaders(stream, producer) } }
  if (isClose && producer === undefined) return { status: 204, headers: closed }
  throw error
}
