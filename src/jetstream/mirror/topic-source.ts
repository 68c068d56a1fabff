/** A topic of an open log as something to copy. */
import type { Topic } from '../../log/topic.js'
import type { CopySource } from './copier.js'

export function sourceOf(topic: Topic<Uint8Array>, what: string): CopySource {
  return {
    what,
    bounds: () => topic.bounds(),
    follow: (from, signal) => topic.read({ from, follow: true, signal }).batches(),
  }
}
