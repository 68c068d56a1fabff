/** What is indexed of a topic: declarations add up. */
import type { TopicIndex } from '../engine/terms.js'

/** All that either of them names; headers in order, each once. */
export function bothOf(a: TopicIndex | undefined, b: TopicIndex): TopicIndex {
  const headers = [...new Set([...(a?.headers ?? []), ...(b.headers ?? [])])].sort()
  return { keys: a?.keys === true || b.keys === true, headers }
}

/** The one names all that the other does; of nothing nothing is wanted. Whatever is indexed has its times indexed as well. */
export function hasAll(index: TopicIndex | undefined, wanted: TopicIndex | undefined): boolean {
  if (wanted === undefined) return true
  if (index === undefined) return false
  if (wanted.keys === true && index.keys !== true) return false
  return (wanted.headers ?? []).every((name) => index.headers?.includes(name) === true)
}
