import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'bookend'
import { type CountResult, countWords } from './count-words.js'
import { type IngestResult, ingest } from './ingest.js'
import { readerThreads } from './memory-report.js'
import { type Phase, startPhase } from './progress.js'
import { type ReadBackResult, readBack } from './read-back.js'
import type { FoundSources, Source } from './sources.js'
import { TopicNames } from './topic-names.js'
import { type TtlResult, waitOutTtl } from './ttl-wait.js'

/** What to do, and with which log. */
export interface JobOptions {
  /** Undefined: a fresh one, removed at the end unless `isKept`. */
  readonly directory: string | undefined
  readonly isKept: boolean
  readonly ttlMs: number
  readonly readers: number | undefined
  /** Undefined: as the log was created, or Bookend's default. */
  readonly segmentBytes: number | undefined
  readonly topCount: number
  readonly signal: AbortSignal
}

/** Everything the summary tells. */
export interface JobReport {
  readonly found: FoundSources
  readonly directory: string
  readonly isRemoved: boolean
  readonly readers: number
  readonly ingest: IngestResult
  readonly count: CountResult
  readonly readBack: ReadBackResult
  readonly ttl: TtlResult
}

/**
 * A message fits well into the smallest segment and a ring of the default size; a longer line becomes several messages.
 */
const MAX_LINE_BYTES = 256 * 1024
const SCANS_PER_READER = 4

/**
 * Opens a log, ingests, counts, reads back, waits out the TTL and closes the log again, whatever happens.
 *
 * @param found the input
 */
export async function runJob(found: FoundSources, options: JobOptions): Promise<JobReport> {
  const isRemoved = options.directory === undefined && !options.isKept
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'bookend-word-count-')))
  try {
    return { found, directory, isRemoved, ...(await runOn(directory, found.sources, options)) }
  } finally {
    if (isRemoved) await rm(directory, { recursive: true, force: true })
  }
}

async function runOn(
  directory: string,
  sources: readonly Source[],
  options: JobOptions,
): Promise<Omit<JobReport, 'found' | 'directory' | 'isRemoved'>> {
  const { signal, ttlMs } = options
  const log = await open(directory, {
    mapTtlMs: ttlMs,
    ...(options.readers === undefined ? {} : { readers: options.readers }),
    ...(options.segmentBytes === undefined ? {} : { segmentBytes: options.segmentBytes }),
  })
  try {
    const readers = readerThreads(log, options.readers)
    const names = new TopicNames()
    const assignments = sources.map((source) => ({ source, topicName: names.nameFor(source.name) }))

    const ingestResult = await during('ingest', diskBytes(sources), (phase) =>
      ingest(log, assignments, { maxLineBytes: MAX_LINE_BYTES, signal, phase }),
    )
    const { ingested, bytes } = ingestResult
    const concurrency = SCANS_PER_READER * readers
    const count = await during('count', bytes, (phase) =>
      countWords(log, ingested, { topCount: options.topCount, concurrency, signal, phase }),
    )
    const readBackResult = await during('read back', bytes, (phase) => readBack(log, ingested, { signal, phase }))
    const ttl = await during('wait TTL', undefined, (phase) => waitOutTtl(log, ttlMs, phase, signal))
    return { readers, ingest: ingestResult, count, readBack: readBackResult, ttl }
  } finally {
    await log.close()
  }
}

async function during<R>(
  label: string,
  totalBytes: number | undefined,
  work: (phase: Phase) => Promise<R>,
): Promise<R> {
  const phase = startPhase(label, totalBytes)
  try {
    return await work(phase)
  } finally {
    phase.end()
  }
}

function diskBytes(sources: readonly Source[]): number | undefined {
  let total = 0
  for (const { bytes } of sources) {
    if (bytes === undefined) return undefined
    total += bytes
  }
  return total
}
