/** Server-sent events: what is there and what comes, until the stream is closed, the client goes, or it is time for another connection. */
import { cursorAfter, cursorSince } from './cursors.js'
import type { HttpRequest, Reply } from './exchange.js'
import { arrayOf } from './json-messages.js'
import { offsetText } from './offsets.js'
import { readPart, type StreamPart } from './parts.js'
import type { ServerParts } from './server-parts.js'
import { isSame, type StreamState } from './stream-state.js'

const encoder = new TextEncoder()
const lineEnd = /\r\n|\r|\n/

export function eventStream(parts: ServerParts, stream: StreamState, from: number, request: HttpRequest): Reply {
  parts.checkFollowers()
  const isText = stream.isJson || stream.mediaType.startsWith('text/')
  const headers = {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    ...(!isText && { 'stream-sse-data-encoding': 'base64' }),
  }
  return { status: 200, headers, body: events(parts, stream, from, request, isText) }
}

async function* events(
  parts: ServerParts,
  found: StreamState,
  from: number,
  request: HttpRequest,
  isText: boolean,
): AsyncGenerator<Uint8Array> {
  const { clocks, followers, streams, topics, limits, longPollMs } = parts
  const seat = followers.seat(topics.topic(found.topic), request.signal)
  const endMs = clocks.nowMs() + limits.sseMs
  let cursor = cursorAfter(request.query.get('cursor') ?? undefined, clocks.now())
  let stream = found
  try {
    for (let position = from; ; ) {
      const part = await readPart(streams, stream, position, limits.responseBytes)
      position = part.next
      const isWhole = position >= (await topics.endOf(stream))
      const isEnd = isWhole && stream.isEnded
      cursor = cursorSince(cursor, clocks.now())
      yield eventsOf(stream, part, { cursor, isWhole, isEnd }, isText)
      if (isEnd || request.signal.aborted) return
      const leftMs = endMs - clocks.nowMs()
      // Every event says where to go on: whoever is sent away comes back with that.
      if (leftMs <= 0) return
      if (!isWhole) continue
      if ((await seat.wait(stream.offsetOf(position), Math.min(leftMs, longPollMs))) === 'end') return
      const again = await streams.find(stream.topic, true)
      if (!isSame(stream, again)) return
      stream = again
    }
  } finally {
    seat.close()
  }
}

/** Where a follower stands behind a part. */
interface Standing {
  readonly cursor: string
  readonly isWhole: boolean
  readonly isEnd: boolean
}

/** Made once of a part, however many followers get it: all that go on alike behind it. */
const madeEvents = new WeakMap<StreamPart, Standing & { readonly bytes: Uint8Array }>()

function eventsOf(stream: StreamState, part: StreamPart, standing: Standing, isText: boolean): Uint8Array {
  const { cursor, isWhole, isEnd } = standing
  const made = madeEvents.get(part)
  if (made?.cursor === cursor && made.isWhole === isWhole && made.isEnd === isEnd) return made.bytes
  const control = {
    streamNextOffset: offsetText(stream, part.next),
    ...(!isEnd && { streamCursor: cursor }),
    ...(isWhole && { upToDate: true }),
    ...(isEnd && { streamClosed: true }),
  }
  const data = part.messages.length === 0 ? '' : event('data', dataOf(stream, part.messages, isText))
  const bytes = encoder.encode(data + event('control', JSON.stringify(control)))
  madeEvents.set(part, { ...standing, bytes })
  return bytes
}

function dataOf(stream: StreamState, messages: readonly Uint8Array[], isText: boolean): string {
  const bytes = Buffer.from(stream.isJson ? arrayOf(messages) : Buffer.concat(messages))
  return bytes.toString(isText ? 'utf8' : 'base64')
}

/** Each line by itself: nothing in the data is taken for an event. A space in front of one would be taken away, so another stands before it. */
function event(name: string, data: string): string {
  const lines = data.split(lineEnd).map((line) => `data:${line.startsWith(' ') ? ' ' : ''}${line}\n`)
  return `event: ${name}\n${lines.join('')}\n`
}
