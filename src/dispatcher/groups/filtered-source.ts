/** The messages of a topic that match a filter, for the feed of a group: chunks without the others, and single records that are none of them. */
import { ChunkCursor } from '../../messages/chunk-cursor.js'
import type { HeaderMatcher } from '../../messages/header-matcher.js'
import type { ChunkAnswer } from '../../threads/reader/reader.js'
import type { FeedSource } from './group-feed.js'

export class FilteredSource implements FeedSource {
  readonly #source: FeedSource
  readonly #matcher: HeaderMatcher

  constructor(source: FeedSource, matcher: HeaderMatcher) {
    this.#source = source
    this.#matcher = matcher
  }

  get handle(): FeedSource['handle'] {
    return this.#source.handle
  }

  next(): number {
    return this.#source.next()
  }

  chunk(offset: number, to: number, resume: ChunkAnswer['resume'], count?: number): Promise<ChunkAnswer> {
    return this.#source.chunk(offset, to, resume, count, this.#matcher)
  }

  /** Of length 0 also where it does not match: a processor has given it back, with others that do. */
  async record(offset: number): Promise<{ bytes: Uint8Array; length: number }> {
    const found = await this.#source.record(offset)
    const cursor = new ChunkCursor(found.bytes, this.handle.id, offset, offset + 1)
    return found.length > 0 && cursor.next() && !this.#matcher.matches(cursor) ? none : found
  }
}

const none = { bytes: new Uint8Array(0), length: 0 }
