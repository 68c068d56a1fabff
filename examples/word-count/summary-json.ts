import type { JobReport } from './job.js'
import { differencesOf } from './summary.js'
import { isReleased } from './ttl-wait.js'

/**
 * The summary a program reads: all topics, plain numbers, units in the names.
 *
 * @param report of a finished job
 */
export function summaryAsJson(report: JobReport): string {
  const { found, directory, isRemoved, readers, ingest, count, readBack, ttl } = report
  const rate = (work: { messages: number; bytes: number }, elapsedMs: number) => ({
    messages: work.messages,
    bytes: work.bytes,
    elapsedMs,
    messagesPerSecond: elapsedMs > 0 ? (work.messages * 1000) / elapsedMs : 0,
  })
  const differences = differencesOf(report)
  const summary = {
    input: {
      sources: found.sources.length,
      binaryFilesLeftOut: found.binaryCount,
      filesBeyondLimits: found.beyondLimitCount,
    },
    log: { directory, isRemoved, segments: ttl.after.segments ?? null, readerThreads: readers },
    messages: ingest.messages,
    bytes: ingest.bytes,
    ingest: { ...rate(ingest, ingest.elapsedMs), appendMs: ingest.appendMs },
    scan: rate(count, count.elapsedMs),
    readBack: rate(readBack, readBack.elapsedMs),
    isEqual: differences.length === 0,
    differences,
    words: count.words,
    distinctWords: count.distinctWords,
    top: count.top,
    topics: count.topics.map(({ topicName, ...counts }, index) => {
      const { source, first, next, sha256 } = ingest.ingested[index]!
      return { name: topicName, source: source.name, first, next, sha256, ...counts }
    }),
    ttl: { ...ttl, isReleased: isReleased(ttl) ?? null },
  }
  return `${JSON.stringify(summary, null, 2)}\n`
}
