/** A process module with work to do: one SHA-256 a message. */
import { createHash } from 'node:crypto'
import type { MessageBatch } from 'bookend'

export default function sha256(batch: MessageBatch): void {
  for (const message of batch) createHash('sha256').update(message.value).digest()
}
