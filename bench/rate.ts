import type { Figures } from './job.js'

/** Throughput figures of one run. */
export function rateOf(messages: number, bytes: number, elapsedMs: number): Figures {
  const seconds = elapsedMs / 1000
  return { seconds, messages, bytes, messagesPerSecond: messages / seconds, bytesPerSecond: bytes / seconds }
}
