/**
 * The messages of a group, by offset: mostly in order, from chunks that come from the reader threads, the next one while
 * this one is handed out; one by one where a message is delivered again.
 *
 * All consumers of a group share one feed, so each chunk is read once.
 */
import { assert } from '../../errors.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import { ChunkCursor } from '../../messages/chunk-cursor.js'
import type { ChunkAnswer } from '../../threads/reader/reader.js'
import { type ChunkSource, cursorOver } from '../reads/chunk-reader.js'
import type { Lease } from './lease.js'

/** What a feed needs of its topic. */
export interface FeedSource extends Pick<ChunkSource, 'handle' | 'next' | 'chunk'> {
  /** One record, as a chunk; of length 0 if it was trimmed meanwhile, or is none of the group's. */
  record(offset: number): Promise<{ bytes: Uint8Array; length: number }>
}

interface Loading {
  /** First offset of the chunk. */
  from: number
  answer: Promise<ChunkAnswer>
  /** It has come. */
  chunk: ChunkAnswer | undefined
}

/** Makes what a consumer is given. */
export type MakeDelivery<D> = (record: RecordPlace, lease: Lease) => D

export class GroupFeed {
  readonly #source: FeedSource
  readonly #passExpired: () => Promise<unknown>
  #cursor: ChunkCursor | undefined
  /** Offset behind the chunk that the cursor walks; -1 before the first. */
  #end = -1
  #ahead: Loading | undefined
  #entering: Promise<void> | undefined
  /** How many messages are being fetched: of the chunk at hand, it may be. */
  #fetching = 0

  /** @param passExpired has the group pass what has expired, of what it comes to next */
  constructor(source: FeedSource, passExpired: () => Promise<unknown> = async () => {}) {
    this.#source = source
    this.#passExpired = passExpired
  }

  /**
   * Calls `make` with the first message of the lease, and returns what it makes. Without a promise where the message is at hand.
   * Undefined: it was trimmed away meanwhile, or has expired.
   */
  message<D>(lease: Lease, make: MakeDelivery<D>): D | Promise<D | undefined> {
    const isAtHand = this.#isAtHand(lease.first) || this.#isAhead(lease.first)
    return isAtHand ? make(this.#cursor as ChunkCursor, lease) : this.#fetch(lease, make)
  }

  /** Enters the next chunk if the message is its first, it has come, and nobody is left who waits for one before it. */
  #isAhead(offset: number): boolean {
    const ahead = this.#ahead
    if (ahead?.chunk === undefined || ahead.from !== offset || this.#fetching > 0) return false
    this.#ahead = undefined
    this.#walk(ahead.chunk, offset)
    return this.#isAtHand(offset)
  }

  /** Moves the cursor to the message if it stands before it in the same chunk. */
  #isAtHand(offset: number): boolean {
    const cursor = this.#cursor
    if (cursor === undefined || offset >= this.#end || offset <= cursor.offset) return false
    try {
      while (cursor.next()) if (cursor.offset >= offset) return cursor.offset === offset
    } catch {
      // The chunk does not hold what it was asked for: each message of it is looked up by itself, which says what is wrong.
      this.#cursor = undefined
    }
    return false
  }

  async #fetch<D>(lease: Lease, make: MakeDelivery<D>): Promise<D | undefined> {
    this.#fetching += 1
    try {
      return await this.#fetched(lease, make)
    } finally {
      this.#fetching -= 1
    }
  }

  async #fetched<D>(lease: Lease, make: MakeDelivery<D>): Promise<D | undefined> {
    const offset = lease.first
    // Whoever comes first enters the next chunk; those who wait for it go on in the order of their offsets.
    while (this.#entering !== undefined) {
      await this.#entering.catch(() => {})
      if (this.#isAtHand(offset)) return make(this.#cursor as ChunkCursor, lease)
    }
    if (offset >= this.#end) {
      this.#entering = this.#enter(offset).finally(() => {
        this.#entering = undefined
      })
      await this.#entering
      if (this.#isAtHand(offset)) return make(this.#cursor as ChunkCursor, lease)
    }
    const { bytes, length } = await this.#source.record(offset)
    const cursor = new ChunkCursor(bytes, this.#source.handle.id, offset, offset + 1)
    if (length > 0 && cursor.next()) return make(cursor, lease)
    // What follows has often expired as well: all of it at once, and not message by message.
    if (length > 0) await this.#passExpired()
    return undefined
  }

  async #enter(offset: number): Promise<void> {
    const loading = this.#ahead?.from === offset ? this.#ahead : this.#load(offset)
    this.#ahead = undefined
    this.#walk(await loading.answer, offset)
  }

  /** @param offset of its first message */
  #walk(chunk: ChunkAnswer, offset: number): void {
    assert(chunk.next > offset && chunk.next <= this.#source.next(), 'a chunk ends in the range it was read for')
    this.#cursor = cursorOver(chunk, this.#source.handle.id, offset)
    this.#end = chunk.next
    if (chunk.next < this.#source.next()) this.#ahead = this.#load(chunk.next, chunk)
  }

  #load(from: number, last?: ChunkAnswer): Loading {
    const answer = this.#source.chunk(from, this.#source.next(), last?.resume)
    const loading: Loading = { from, answer, chunk: undefined }
    answer.then(
      (chunk) => {
        loading.chunk = chunk
      },
      // It may fail before anybody asks for it.
      () => {},
    )
    return loading
  }
}
