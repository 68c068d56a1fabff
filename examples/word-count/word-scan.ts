import type { MessageBatch } from 'bookend'
import { increase, WordTable } from './word-table.js'

/** What a scan brings back; it crosses threads by structured clone, so it is plain data. */
export interface WordCounts {
  messages: number
  bytes: number
  /** Every distinct word with its exact count: leaving rare ones out here would make sums over ranges wrong. */
  words: Map<string, number>
}

/**
 * Counts the words of one batch. Runs in a reader thread, beside the data.
 *
 * @param batch messages of one topic, one line each
 */
export function map(batch: MessageBatch): WordCounts {
  const table = new WordTable()
  let bytes = 0
  batch.forEach((data, start, end) => {
    bytes += end - start
    table.add(data, start, end)
  })
  return { messages: batch.length, bytes, words: table.counts() }
}

/**
 * Joins the counts of two neighbouring ranges. Both arguments are used up: the smaller map goes into the larger one,
 * so the work follows the rarer words and not the whole vocabulary again for every batch.
 */
export function reduce(a: WordCounts, b: WordCounts): WordCounts {
  const [larger, smaller] = a.words.size >= b.words.size ? [a.words, b.words] : [b.words, a.words]
  for (const [word, count] of smaller) increase(larger, word, count)
  return { messages: a.messages + b.messages, bytes: a.bytes + b.bytes, words: larger }
}
