/** What a PUT with `Stream-Forked-From` makes: where it leaves its source, and what of a message is copied there. */
import { HttpError, type RequestHead } from './exchange.js'
import { positionIn } from './offsets.js'
import { readPart } from './parts.js'
import type { StreamRegistry } from './stream-registry.js'
import { type ForkPoint, mediaTypeOf, type StreamConfig, type StreamState } from './stream-state.js'

export interface Fork {
  readonly config: StreamConfig
  readonly point: ForkPoint
  /** The beginning of a message. */
  readonly copied: readonly Uint8Array[]
  /** The offset was named. */
  readonly isExact: boolean
}

/** @throws HttpError 400 */
export function checkFork(request: RequestHead): void {
  if (request.header('stream-forked-from') === undefined && request.header('stream-fork-sub-offset') !== undefined)
    throw new HttpError(400, 'Stream-Fork-Sub-Offset needs Stream-Forked-From')
}

/** @param asked what the request says by itself. @throws HttpError 400, 404, 409, 410 */
export async function forkOf(
  registry: StreamRegistry,
  topic: string,
  asked: StreamConfig | undefined,
  request: RequestHead,
  own: Pick<StreamConfig, 'ttlSeconds' | 'expiresAt'>,
): Promise<Fork> {
  const [text, subText = '0'] = [request.header('stream-fork-offset'), request.header('stream-fork-sub-offset')]
  if (!/^(0|[1-9]\d{0,14})$/.test(subText))
    throw new HttpError(400, 'Stream-Fork-Sub-Offset is a number in plain digits')
  const source = await registry.known(topic, true)
  if (source === undefined) throw new HttpError(404, 'there is no such source')
  if (source.isHidden) throw new HttpError(409, 'the source was deleted, and is there for its forks only')
  if (asked !== undefined && mediaTypeOf(asked.contentType) !== source.mediaType)
    throw new HttpError(409, `the source is ${source.config.contentType}`)
  const end = await registry.topics.endOf(source)
  const anchor = text === undefined ? end : positionIn(source, text, end)
  const sub = Number(subText)
  const { at, copied } = await refined(registry, source, anchor, sub, end)
  const expires = own.ttlSeconds === undefined && own.expiresAt === undefined ? source.config : own
  const { ttlSeconds, expiresAt } = expires
  const config = {
    contentType: asked?.contentType ?? source.config.contentType,
    ...(ttlSeconds !== undefined && { ttlSeconds }),
    ...(expiresAt !== undefined && { expiresAt }),
  }
  return { config, point: { source: topic, at, start: source.start, anchor, sub }, copied, isExact: text !== undefined }
}

/** So many messages behind the offset; of what is no JSON so many bytes of the one that stands there. */
async function refined(
  registry: StreamRegistry,
  source: StreamState,
  anchor: number,
  sub: number,
  end: number,
): Promise<{ at: number; copied: Uint8Array[] }> {
  if (sub === 0) return { at: anchor, copied: [] }
  const beyond = new HttpError(400, 'Stream-Fork-Sub-Offset leads beyond what was appended there')
  if (source.isJson) {
    if (anchor + sub > end) throw beyond
    return { at: anchor + sub, copied: [] }
  }
  const [message] = anchor < end ? (await readPart(registry, source, anchor, 1)).messages : []
  if (message === undefined || sub > message.length) throw beyond
  return sub === message.length ? { at: anchor + 1, copied: [] } : { at: anchor, copied: [message.slice(0, sub)] }
}
