/** A scan module: how many messages there are. */
import type { MessageBatch } from './message-batch.js'

export function map(batch: MessageBatch): number {
  return batch.length
}

export function reduce(a: number, b: number): number {
  return a + b
}
