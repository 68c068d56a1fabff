import type { Log } from 'bookend'
import type { Difference } from './difference.js'
import type { Ingested } from './ingest.js'
import type { Phase } from './progress.js'
import { topWords, type WordCount } from './top-words.js'
import type { WordCounts } from './word-scan.js'
import { increase } from './word-table.js'

const SCAN_MODULE = new URL('./word-scan.js', import.meta.url)

/** What the scan of one topic found, over all messages the topic holds. */
export interface TopicCounts {
  readonly topicName: string
  readonly messages: number
  readonly bytes: number
  readonly words: number
  readonly distinctWords: number
  readonly top: WordCount[]
}

/** All topics together. */
export interface CountResult {
  readonly topics: TopicCounts[]
  readonly messages: number
  readonly bytes: number
  readonly words: number
  readonly distinctWords: number
  readonly top: WordCount[]
  readonly elapsedMs: number
  readonly differences: Difference[]
}

/** How to count. */
export interface CountOptions {
  readonly topCount: number
  /** Scans under way at a time: many topics are too small to keep every reader busy. */
  readonly concurrency: number
  readonly signal: AbortSignal
  readonly phase: Phase
}

/**
 * Counts the words of every topic in the reader threads.
 *
 * @param log to scan
 * @param ingested which topics, in the order of the result
 */
export async function countWords(
  log: Log,
  ingested: readonly Ingested[],
  { topCount, concurrency, signal, phase }: CountOptions,
): Promise<CountResult> {
  const startedAt = performance.now()
  const overall = new Map<string, number>()
  const topics = new Array<TopicCounts>(ingested.length)

  const scanTopic = async (index: number): Promise<void> => {
    const { topicName, next } = ingested[index]!
    // A topic is created by its first message: an empty source has none to scan.
    const counts = next > 0 ? await log.topic(topicName).scan<WordCounts>(SCAN_MODULE) : noCounts()
    let words = 0
    for (const [word, count] of counts.words) {
      words += count
      increase(overall, word, count)
    }
    topics[index] = {
      topicName,
      messages: counts.messages,
      bytes: counts.bytes,
      words,
      distinctWords: counts.words.size,
      top: topWords(counts.words, topCount),
    }
    phase.advance(counts.bytes, counts.messages)
  }

  let claimed = 0
  const lane = async (): Promise<void> => {
    while (claimed < ingested.length) {
      signal.throwIfAborted()
      await scanTopic(claimed++)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, lane))

  return {
    topics,
    messages: topics.reduce((sum, topic) => sum + topic.messages, 0),
    bytes: topics.reduce((sum, topic) => sum + topic.bytes, 0),
    words: topics.reduce((sum, topic) => sum + topic.words, 0),
    distinctWords: overall.size,
    top: topWords(overall, topCount),
    elapsedMs: performance.now() - startedAt,
    differences: ingested.flatMap((expected, index) => difference(expected, topics[index]!)),
  }
}

/** A topic that was empty before this run must scan as exactly what was ingested; of older ones the sizes are unknown. */
function difference({ topicName, source, first, next, bytes }: Ingested, counted: TopicCounts): Difference[] {
  if (first > 0 || (counted.messages === next && counted.bytes === bytes)) return []
  const reason = `the scan saw ${counted.messages} messages and ${counted.bytes} bytes, not ${next} and ${bytes}`
  return [{ topicName, source: source.name, reason }]
}

function noCounts(): WordCounts {
  return { messages: 0, bytes: 0, words: new Map() }
}
