/** Requests below `__ds/`: subscriptions, and the keys by which what is sent to webhooks is verified. */
import { HttpError, type HttpRequest, type Reply } from '../exchange.js'
import { rootOf } from '../headers.js'
import { pathOf, topicOf } from '../stream-names.js'
import { globOf } from './glob.js'
import { mostNamed, type StreamSubscription, type SubscriptionConfig } from './subscription.js'
import { SubscriptionError } from './subscription-error.js'
import type { Subscriptions } from './subscriptions.js'
import type { WakeReport } from './wakes.js'
import { refusalOf, type WebhookTargets } from './webhook-address.js'

export interface SubscriptionRequestParts {
  readonly subscriptions: Subscriptions
  /** Where webhooks may be; undefined: there are none. */
  readonly targets: WebhookTargets | undefined
  readonly maxBodyBytes: number
}

/** First part of all paths that are no streams. */
export const controlPrefix = '__ds'

const leaseMs = { least: 1_000, usual: 30_000, most: 600_000 }
const encoder = new TextEncoder()
/** Of a body: what is done with 1,000 streams, the most that a worker is given, has a quarter of it. All its values are made. */
const mostBytes = 1 << 20
/** Who was woken proves it by the token that he was given, and is asked nothing else. */
const byToken = new Set(['callback', 'ack', 'release'])

/** @param path below the base path. True: whoever asks proves by other means that he may, or anybody may */
export function needsNoLeave(path: string): boolean {
  const [, kind, , action = ''] = path.split('/')
  return kind === 'jwks.json' || byToken.has(action)
}

/** @param path below the base path @throws HttpError */
export async function answerControl(
  parts: SubscriptionRequestParts | undefined,
  path: string,
  request: HttpRequest,
): Promise<Reply> {
  const [, kind, encodedId = '', action, ...rest] = path.split('/')
  if (parts === undefined) throw new HttpError(404, 'there are no subscriptions here')
  const { method } = request
  if (kind === 'jwks.json' && encodedId === '') {
    checkMethod(method, ['GET', 'HEAD'])
    const keys = [await parts.subscriptions.signingKey()]
    const headers = { 'content-type': 'application/jwk-set+json', 'cache-control': 'public, max-age=300' }
    return { status: 200, headers, body: encoder.encode(JSON.stringify({ keys })) }
  }
  const id = decoded(encodedId)
  if (kind !== 'subscriptions' || id === '') throw new HttpError(404, 'there is nothing of that name')
  try {
    return await answer(parts, id, action, rest, request)
  } catch (error) {
    if (error instanceof SubscriptionError) return jsonReply(error.status, error.body)
    throw error
  }
}

async function answer(
  parts: SubscriptionRequestParts,
  id: string,
  action: string | undefined,
  rest: readonly string[],
  request: HttpRequest,
): Promise<Reply> {
  const { subscriptions } = parts
  const { method } = request
  if (action === undefined) {
    checkMethod(method, ['GET', 'HEAD', 'PUT', 'DELETE'])
    if (method === 'DELETE') {
      await subscriptions.delete(id)
      return nothing
    }
    const isNew =
      method === 'PUT' && (await subscriptions.create(id, await configIn(parts, request), streamsRootOf(request)))
    return jsonReply(isNew ? 201 : 200, await described(parts, await subscriptions.find(id)))
  }
  if (action === 'streams' && rest.length > 0) {
    checkMethod(method, ['DELETE'])
    await subscriptions.unlink(id, topicIn(decoded(rest.join('/'))))
    return nothing
  }
  if (rest.length > 0) throw new HttpError(404, 'there is nothing of that name')
  checkMethod(method, ['POST'])
  const body = await jsonIn(parts, request)
  switch (action) {
    case 'streams':
      await subscriptions.link(id, topicsIn(body.streams))
      return nothing
    case 'claim':
      if (typeof body.worker !== 'string' || body.worker === '') throw invalid('worker is a text that is not empty')
      return jsonReply(200, await subscriptions.claim(id, body.worker))
    case 'callback':
    case 'ack': {
      const type = action === 'ack' ? 'pull-wake' : 'webhook'
      const next = await subscriptions.report(id, type, reportIn(request, body))
      return jsonReply(200, { ok: true, next_wake: next })
    }
    case 'release':
      await subscriptions.release(id, reportIn(request, body))
      return nothing
    default:
      throw new HttpError(404, 'there is nothing of that name')
  }
}

const nothing: Reply = { status: 204, headers: {} }

function jsonReply(status: number, body: object): Reply {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  return { status, headers, body: encoder.encode(JSON.stringify(body)) }
}

function checkMethod(method: string, allowed: readonly string[]): void {
  if (!allowed.includes(method)) throw new HttpError(405, 'there is no such method here', { allow: allowed.join(', ') })
}

async function described(
  { subscriptions }: SubscriptionRequestParts,
  subscription: StreamSubscription,
): Promise<object> {
  const { id, head } = subscription
  const { config, createdAt, root, retry } = head
  const { type, pattern, webhook, wakeStream, leaseMs, description } = config
  const streams = subscriptions
    .streamsOf(subscription)
    .map(({ path, link_type, acked_offset }) => ({ path, link_type, acked_offset }))
  const signing = webhook && {
    ...{ alg: 'ed25519', kid: (await subscriptions.signingKey()).kid, jwks_url: `${root}/${controlPrefix}/jwks.json` },
  }
  return {
    ...{ id, subscription_id: id, type, pattern, streams },
    webhook: webhook && { url: webhook.url, signing },
    wake_stream: wakeStream === undefined ? null : pathOf(wakeStream),
    ...{ lease_ttl_ms: leaseMs, created_at: createdAt, status: retry === undefined ? 'active' : 'failed', description },
  }
}

/** @throws SubscriptionError */
async function configIn(parts: SubscriptionRequestParts, request: HttpRequest): Promise<SubscriptionConfig> {
  const body = await jsonIn(parts, request)
  const { type, pattern, streams = [], lease_ttl_ms: lease = leaseMs.usual, description } = body
  if (type !== 'webhook' && type !== 'pull-wake') throw invalid('type is "webhook" or "pull-wake"')
  if (!(Number.isInteger(lease) && Number(lease) >= leaseMs.least && Number(lease) <= leaseMs.most))
    throw invalid(`lease_ttl_ms is an integer from ${leaseMs.least} to ${leaseMs.most}`)
  if (description !== undefined && typeof description !== 'string') throw invalid('description is a text')
  const named = [...new Set(topicsIn(streams))].sort()
  if (pattern === undefined && named.length === 0) throw invalid('a subscription has a pattern, or streams')
  return {
    type,
    ...(pattern !== undefined && { pattern: patternIn(pattern) }),
    streams: named,
    ...(type === 'webhook'
      ? { webhook: { url: webhookIn(parts, body.webhook) } }
      : { wakeStream: topicIn(body.wake_stream) }),
    leaseMs: Number(lease),
    ...(description !== undefined && { description }),
  }
}

function patternIn(pattern: unknown): string {
  const text = typeof pattern === 'string' ? trimmed(pattern) : ''
  try {
    if (text !== '') return globOf(text).join('/')
  } catch {
    // Not percent-encoded as it has to be.
  }
  throw invalid('pattern is a path, in which * is a part and ** any number of them')
}

function webhookIn({ targets }: SubscriptionRequestParts, webhook: unknown): string {
  const url = (webhook as { url?: unknown } | undefined)?.url
  if (typeof url !== 'string' || url === '') throw invalid('a webhook has a webhook.url')
  const refusal = targets === undefined ? 'there are no webhooks here' : refusalOf(url, targets)
  if (refusal !== undefined) throw new SubscriptionError('WEBHOOK_URL_REJECTED', refusal)
  return url
}

function topicsIn(streams: unknown): string[] {
  if (!Array.isArray(streams)) throw invalid('streams is an array of paths')
  if (streams.length > mostNamed) throw invalid(`streams has ${mostNamed} paths at most`)
  return streams.map(topicIn)
}

function topicIn(path: unknown): string {
  if (typeof path !== 'string') throw invalid('a stream is named by its path')
  const named = trimmed(path)
  if (named.split('/')[0] === controlPrefix) throw invalid(`${controlPrefix} has no streams`)
  try {
    return topicOf(named)
  } catch (error) {
    throw invalid((error as Error).message)
  }
}

/** @throws SubscriptionError */
function reportIn(request: HttpRequest, { wake_id, generation, acks = [], done }: Record<string, unknown>): WakeReport {
  const [, token] = /^Bearer (\S+)$/.exec(request.header('authorization') ?? '') ?? []
  if (token === undefined) throw new SubscriptionError('TOKEN_INVALID', 'Authorization is "Bearer" and the token')
  if (!Array.isArray(acks)) throw invalid('acks is an array')
  return {
    ...{ token, wakeId: wake_id, generation, isDone: done === true },
    acks: acks.map((ack) => {
      if (typeof ack?.offset !== 'string') throw invalid('an ack has a stream and an offset')
      return [topicIn(ack.stream), ack.offset]
    }),
  }
}

async function jsonIn(
  { maxBodyBytes }: SubscriptionRequestParts,
  request: HttpRequest,
): Promise<Record<string, unknown>> {
  const text = Buffer.from(await request.body(Math.min(maxBodyBytes, mostBytes))).toString()
  let value: unknown
  try {
    value = JSON.parse(text === '' ? '{}' : text)
  } catch {
    // Said below.
  }
  if (typeof value !== 'object' || value === null) throw invalid('the body is a JSON object')
  return value as Record<string, unknown>
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new HttpError(400, 'the path is not percent-encoded as it has to be')
  }
}

/** URL of all streams. */
function streamsRootOf(request: HttpRequest): string {
  const base = request.path.slice(0, request.path.indexOf(`/${controlPrefix}/`))
  return (rootOf(request) ?? 'http://localhost') + base
}

function trimmed(path: string): string {
  return path.replace(/^\/+|\/+$/g, '')
}

function invalid(message: string): SubscriptionError {
  return new SubscriptionError('INVALID_REQUEST', message)
}
