import type { Log } from 'bookend'
import { ByteDigest, endsLine } from './byte-digest.js'
import type { Difference } from './difference.js'
import type { Ingested } from './ingest.js'
import type { Phase } from './progress.js'

/** Reading everything back: how much, how fast, and whether it is what went in. */
export interface ReadBackResult {
  readonly messages: number
  readonly bytes: number
  readonly elapsedMs: number
  readonly differences: Difference[]
}

/** How to read back. */
export interface ReadBackOptions {
  readonly signal: AbortSignal
  readonly phase: Phase
}

interface TopicReadBack {
  readonly messages: number
  readonly bytes: number
  readonly reason: string | undefined
}

/**
 * Reads what this run appended, topic after topic, and compares it with what the sources were.
 *
 * @param log to read from
 * @param ingested what went in
 */
export async function readBack(
  log: Log,
  ingested: readonly Ingested[],
  options: ReadBackOptions,
): Promise<ReadBackResult> {
  const startedAt = performance.now()
  const differences: Difference[] = []
  let messages = 0
  let bytes = 0
  for (const expected of ingested) {
    if (expected.next === expected.first) continue
    const topic = await readTopic(log, expected, options)
    messages += topic.messages
    bytes += topic.bytes
    if (topic.reason !== undefined) {
      differences.push({ topicName: expected.topicName, source: expected.source.name, reason: topic.reason })
    }
  }
  return { messages, bytes, elapsedMs: performance.now() - startedAt, differences }
}

async function readTopic(log: Log, expected: Ingested, { signal, phase }: ReadBackOptions): Promise<TopicReadBack> {
  const digest = new ByteDigest()
  let offset = expected.first
  let lineEnds = 0
  let bytes = 0
  let gap: string | undefined
  const stream = log.topic(expected.topicName).read({ from: expected.first, to: expected.next, signal })
  for await (const batch of stream.batches()) {
    let batchBytes = 0
    for (const message of batch) {
      if (message.offset !== offset) gap ??= `offset ${message.offset} came where ${offset} was due`
      offset++
      digest.update(message.value)
      if (endsLine(message.value)) lineEnds++
      batchBytes += message.value.length
    }
    bytes += batchBytes
    phase.advance(batchBytes, batch.length)
  }
  const messages = offset - expected.first
  return { messages, bytes, reason: gap ?? difference(expected, messages, lineEnds, digest) }
}

/**
 * Equal bytes and equally many messages could still be cut apart at other places. That there are as many messages that
 * end in a line feed as there were lines rules it out: every line feed is then the last byte of its message.
 */
function difference(expected: Ingested, messages: number, lineEnds: number, digest: ByteDigest): string | undefined {
  const { sha256, bytes } = digest.finish()
  const expectedMessages = expected.next - expected.first
  if (messages !== expectedMessages) return `${messages} messages, not ${expectedMessages}`
  if (bytes !== expected.bytes) return `${bytes} bytes, not ${expected.bytes}`
  if (sha256 !== expected.sha256) return `SHA-256 ${sha256}, not ${expected.sha256}`
  if (lineEnds !== expected.lineEnds) return `${lineEnds} messages end a line, not ${expected.lineEnds}`
  return undefined
}
