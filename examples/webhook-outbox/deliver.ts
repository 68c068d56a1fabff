/** The handler: runs in threads of the processor, so a slow endpoint holds up nobody else. */
import type { HandlerContext, MessageBatch } from 'bookend'
import type { WebhookEvent } from './event.js'

/** Posts each message of the batch; what is not taken is thrown, and comes again. */
export default async function deliver(batch: MessageBatch<WebhookEvent>, { signal }: HandlerContext): Promise<void> {
  for (const { topic, offset, value } of batch) {
    const { url, body } = value
    const response = await fetch(url, {
      method: 'POST',
      // Delivery is at least once. The offset names the message for ever, so the receiver can tell what it has seen.
      headers: { 'content-type': 'application/json', 'idempotency-key': `${topic}/${offset}` },
      body: JSON.stringify(body),
      signal,
    })
    await response.arrayBuffer()
    if (!response.ok) throw new Error(`the endpoint answered ${response.status}`)
  }
}
