/** GET: what is there, at once; or, with `live`, what comes. */
import { type CatchUp, catchUp } from './catch-up.js'
import { cursorAfter } from './cursors.js'
import { HttpError, type HttpRequest, type Reply } from './exchange.js'
import { arrayOf } from './json-messages.js'
import { offsetText, positionIn } from './offsets.js'
import { readPart } from './parts.js'
import type { ServerParts } from './server-parts.js'
import { eventStream } from './sse.js'
import { isSame, type StreamState } from './stream-state.js'

export async function read(parts: ServerParts, stream: StreamState, request: HttpRequest): Promise<Reply> {
  const { query } = request
  const live = query.get('live')
  const asked = query.getAll('offset')
  if (asked.length > 1) throw new HttpError(400, 'there is one offset')
  if (live !== null && live !== 'long-poll' && live !== 'sse') throw new HttpError(400, 'live is long-poll or sse')
  if (live !== null && asked.length === 0) throw new HttpError(400, `live=${live} needs an offset`)
  const [text = '-1'] = asked
  const end = await parts.topics.endOf(stream)
  const from = text === '-1' ? stream.start : text === 'now' ? end : positionIn(stream, text, end)
  if (live === 'sse') return eventStream(parts, stream, from, request)
  if (live === 'long-poll') return longPoll(parts, stream, from, request)
  if (text === 'now') {
    const headers = { ...headersOf(stream), ...placeOf(stream, end, true), 'cache-control': 'no-store' }
    return { status: 200, headers, body: bodyOf(stream, []) }
  }
  const part = await catchUp(parts.streams, stream, from, end, parts.limits.responseBytes)
  return answer(stream, from, part, await parts.topics.endOf(stream), request)
}

async function longPoll(parts: ServerParts, found: StreamState, from: number, request: HttpRequest): Promise<Reply> {
  const { followers, clocks, longPollMs, streams, topics } = parts
  const cursor = { 'stream-cursor': cursorAfter(request.query.get('cursor') ?? undefined, clocks.now()) }
  const deadlineMs = clocks.nowMs() + longPollMs
  let seat: ReturnType<typeof followers.seat> | undefined
  try {
    for (let stream = found; ; ) {
      const part = await readPart(parts.streams, stream, from, parts.limits.responseBytes)
      if (part.messages.length > 0) {
        const { messages, next } = part
        const read = { next, body: bodyOf(stream, messages) }
        const reply = answer(stream, from, read, await topics.endOf(stream), request)
        return { ...reply, headers: { ...reply.headers, ...cursor } }
      }
      const leftMs = deadlineMs - clocks.nowMs()
      const empty = { ...placeOf(stream, part.next, true), ...cursor, 'cache-control': 'no-store' }
      if (stream.isEnded || leftMs <= 0) return { status: 204, headers: empty }
      parts.checkFollowers()
      seat ??= followers.seat(topics.topic(stream.topic), request.signal)
      if ((await seat.wait(stream.offsetOf(part.next), leftMs)) === 'end') return { status: 204, headers: empty }
      const again = await streams.find(stream.topic, true)
      if (!isSame(stream, again)) throw new HttpError(404, 'the stream is gone')
      stream = again
    }
  } finally {
    seat?.close()
  }
}

/** @param end of the stream, asked for behind the part */
function answer(stream: StreamState, from: number, { next, body }: CatchUp, end: number, request: HttpRequest): Reply {
  const isWhole = next >= end
  const isEnd = isWhole && stream.isEnded
  const etag = `"${offsetText(stream, from)}:${offsetText(stream, next)}${isEnd ? ':c' : ''}"`
  // What ends before the stream does is never another; what ends with it has to be asked for again.
  const caching = isWhole ? 'no-cache' : 'max-age=60, stale-while-revalidate=300'
  const headers = { ...headersOf(stream), ...placeOf(stream, next, isWhole), etag, 'cache-control': caching }
  if (request.header('if-none-match') === etag) return { status: 304, headers: { etag, 'cache-control': caching } }
  return { status: 200, headers, body }
}

/** Whoever makes a stream says what it is of: a page that is opened as such is nobody's, and runs nothing, though it comes from the server of an application. */
export function headersOf(stream: StreamState): Record<string, string> {
  return { 'content-type': stream.config.contentType, 'content-security-policy': 'sandbox' }
}

/** @param isWhole there is nothing behind `position` now */
export function placeOf(stream: StreamState, position: number, isWhole: boolean): Record<string, string> {
  return {
    'stream-next-offset': offsetText(stream, position),
    ...(isWhole && { 'stream-up-to-date': 'true' }),
    ...(isWhole && stream.isEnded && { 'stream-closed': 'true' }),
  }
}

function bodyOf(stream: StreamState, messages: readonly Uint8Array[]): Uint8Array {
  return stream.isJson ? arrayOf(messages) : messages.length === 1 ? messages[0] : Buffer.concat(messages)
}
