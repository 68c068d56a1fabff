import type { Log, Topic } from 'bookend'
import { ByteDigest, endsLine, type Fingerprint } from './byte-digest.js'
import { LineSplitter } from './lines.js'
import type { Phase } from './progress.js'
import { readSource } from './source-reader.js'
import type { Source } from './sources.js'

/** A source and the topic it goes to. */
export interface Assignment {
  readonly source: Source
  readonly topicName: string
}

/** What one source put into its topic: the offsets `[first, next)`, and how to recognise it when it is read back. */
export interface Ingested extends Fingerprint {
  readonly source: Source
  readonly topicName: string
  /** What the topic held before: 0 unless the log is an older one. */
  readonly first: number
  readonly next: number
  readonly lineEnds: number
}

/** Ingesting all sources: what came of each, and where the time went. */
export interface IngestResult {
  readonly ingested: Ingested[]
  readonly messages: number
  readonly bytes: number
  readonly elapsedMs: number
  /** The part spent handing lines to the log and waiting for it, without reading, splitting and hashing the input. */
  readonly appendMs: number
}

/** How to ingest. */
export interface IngestOptions {
  readonly maxLineBytes: number
  readonly signal: AbortSignal
  readonly phase: Phase
}

/**
 * Appends every line of every source as one message, and waits until all are published.
 *
 * @param log to write to
 * @param assignments in the order to ingest them
 */
export async function ingest(
  log: Log,
  assignments: readonly Assignment[],
  options: IngestOptions,
): Promise<IngestResult> {
  const startedAt = performance.now()
  const ingested: Ingested[] = []
  const stopwatch = { appendMs: 0 }
  for (const assignment of assignments) ingested.push(await ingestSource(log, assignment, options, stopwatch))
  const flushedFrom = performance.now()
  await log.flush()
  const endedAt = performance.now()
  return {
    ingested,
    messages: ingested.reduce((sum, { first, next }) => sum + next - first, 0),
    bytes: ingested.reduce((sum, { bytes }) => sum + bytes, 0),
    elapsedMs: endedAt - startedAt,
    appendMs: stopwatch.appendMs + endedAt - flushedFrom,
  }
}

async function ingestSource(
  log: Log,
  { source, topicName }: Assignment,
  { maxLineBytes, signal, phase }: IngestOptions,
  stopwatch: { appendMs: number },
): Promise<Ingested> {
  const topic = log.topic(topicName)
  const { next: first } = await topic.bounds()
  const splitter = new LineSplitter(maxLineBytes)
  // The chunks are hashed as they come, before anything is cut: a mistake in cutting would show, too.
  const digest = new ByteDigest()
  let messages = 0
  let lineEnds = 0

  const append = async (lines: readonly Uint8Array[]): Promise<void> => {
    const appendFrom = performance.now()
    await offerAll(topic, lines)
    stopwatch.appendMs += performance.now() - appendFrom
    messages += lines.length
    for (const line of lines) if (endsLine(line)) lineEnds++
  }

  for await (const { bytes, consumedBytes } of readSource(source, signal)) {
    digest.update(bytes)
    const lines = splitter.push(bytes)
    await append(lines)
    phase.advance(consumedBytes, lines.length)
    signal.throwIfAborted()
  }
  await append(splitter.end())
  return { source, topicName, first, next: first + messages, lineEnds, ...digest.finish() }
}

/** The fast path: no promise per message, only one where the ring is full. */
async function offerAll(topic: Topic<Uint8Array>, lines: readonly Uint8Array[]): Promise<void> {
  for (const line of lines) {
    while (!topic.offer(line)) await topic.ready()
  }
}
