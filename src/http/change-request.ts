/** Requests that change what is known of a stream, and those about subscriptions, in the thread that has the registry. */
import { appendChange } from './append-request.js'
import { create } from './create-request.js'
import { HttpError, type Reply } from './exchange.js'
import type { ChangeParts, ChangeRequest } from './server-parts.js'
import { answerControl } from './subscriptions/requests.js'

/** @throws HttpError, BookendError */
export async function answerChange(
  parts: ChangeParts,
  { topic, control, source, request }: ChangeRequest,
): Promise<Reply> {
  if (control !== undefined) return answerControl(parts.subscriptions, control, request)
  if (request.method === 'PUT') return create(parts, topic, request, source)
  if (request.method === 'POST') return appendChange(parts, topic, request)
  const { registry, followers } = parts
  const stream = await registry.find(topic, false)
  if (stream === undefined || !(await registry.delete(stream))) throw new HttpError(404, 'there is no such stream')
  followers.tell(topic)
  return { status: 204, headers: {} }
}
