/** A word and how often it occurs. */
export interface WordCount {
  readonly word: string
  readonly count: number
}

/**
 * The most frequent words, most frequent first; equal counts in order of the word, so that runs compare.
 *
 * @param words all counts of a topic, or of several
 * @param limit how many to keep, at least one; meant for a handful
 */
export function topWords(words: ReadonlyMap<string, number>, limit: number): WordCount[] {
  const top: WordCount[] = []
  for (const [word, count] of words) {
    if (top.length === limit && !precedes(count, word, top[limit - 1]!)) continue
    let index = top.length
    while (index > 0 && precedes(count, word, top[index - 1]!)) index--
    top.splice(index, 0, { word, count })
    if (top.length > limit) top.pop()
  }
  return top
}

function precedes(count: number, word: string, other: WordCount): boolean {
  return count > other.count || (count === other.count && word < other.word)
}
