/** PUT: makes a stream, or finds it made as asked. */
import { HttpError, type HttpRequest, type Reply } from './exchange.js'
import { checkFork, type Fork, forkOf } from './fork-request.js'
import { configIn, rootOf, saysClosed } from './headers.js'
import { messagesIn } from './json-messages.js'
import { offsetText } from './offsets.js'
import type { ChangeParts } from './server-parts.js'
import { mediaTypeOf, type StreamConfig, type StreamState } from './stream-state.js'

/** @param source topic of the stream that it is forked from */
export async function create(
  parts: ChangeParts,
  topic: string,
  request: HttpRequest,
  source: string | undefined,
): Promise<Reply> {
  const { registry, limits } = parts
  const given = configIn(request)
  const isClosed = saysClosed(request)
  checkFork(request)
  const body = await request.body(limits.bodyBytes)
  const type = request.header('content-type') ? given : undefined
  const fork = source === undefined ? undefined : await forkOf(registry, source, type, request, given)
  const config = fork?.config ?? given
  const isJson = mediaTypeOf(config.contentType) === 'application/json'
  const own = body.length === 0 ? [] : isJson ? messagesIn(body, limits.messages) : [body]
  const known = await registry.known(topic, true)
  if (known?.isHidden) throw new HttpError(409, 'the stream was deleted, and is there for its forks only')
  if (known === undefined && registry.count >= limits.streams)
    throw new HttpError(503, `there are ${limits.streams} streams, and that is the most here`, { 'retry-after': '60' })
  const messages = [...(fork?.copied ?? []), ...own]
  const made = known === undefined ? await registry.create(topic, config, messages, isClosed, fork?.point) : undefined
  const stream = made ?? (await registry.find(topic, true))
  if (stream === undefined) throw new HttpError(409, 'the stream was deleted at the same time: try again')
  if (made === undefined && !(isSame(stream, config, isClosed) && isSameFork(stream, fork)))
    throw new HttpError(409, 'there is a stream of another kind', closedHeader(stream))
  const headers = {
    'content-type': stream.config.contentType,
    'stream-next-offset': offsetText(stream, await registry.topics.endOf(stream)),
    ...closedHeader(stream),
  }
  if (made === undefined) return { status: 200, headers }
  return { status: 201, headers: { ...headers, location: (rootOf(request) ?? '') + request.path } }
}

/** Where no offset was named, any will do. */
function isSameFork({ fork }: StreamState, asked: Fork | undefined): boolean {
  if (fork === undefined || asked === undefined) return fork === asked?.point
  const { source, anchor, sub } = asked.point
  return fork.source === source && (!asked.isExact || (fork.anchor === anchor && fork.sub === sub))
}

function isSame({ config, isEnded, mediaType }: StreamState, asked: StreamConfig, isClosed: boolean): boolean {
  return (
    mediaTypeOf(asked.contentType) === mediaType &&
    asked.ttlSeconds === config.ttlSeconds &&
    timeOf(asked) === timeOf(config) &&
    isClosed === isEnded
  )
}

function timeOf({ expiresAt }: StreamConfig): number | undefined {
  return expiresAt === undefined ? undefined : Date.parse(expiresAt)
}

function closedHeader({ isEnded }: StreamState): Record<string, string> {
  return isEnded ? { 'stream-closed': 'true' } : {}
}
