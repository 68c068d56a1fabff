/**
 * The messages of a group, by offset: mostly in order, from chunks that come from the reader threads, the next one while
 * this one is handed out; one by one where a message is delivered again.
 *
 * All consumers of a group share one feed, so each chunk is read once.
 */
import type { GroupDesk } from '../dispatcher/groups/group-desk.js'
import type { Engine, EngineTopic } from '../engine/engine.js'
import { ChunkCursor } from '../messages/chunk-cursor.js'
import type { ChunkAnswer } from '../threads/reader/reader.js'

interface Loading {
  /** First offset of the chunk. */
  from: number
  answer: Promise<ChunkAnswer>
}

const feeds = new WeakMap<GroupDesk, GroupFeed>()

/** The feed of the group, the same for every handle on it. */
export function feedOf(engine: Engine, topic: EngineTopic, desk: GroupDesk): GroupFeed {
  const known = feeds.get(desk)
  if (known !== undefined) return known
  const feed = new GroupFeed(engine, topic)
  feeds.set(desk, feed)
  return feed
}

export class GroupFeed {
  readonly #engine: Engine
  readonly #topic: EngineTopic
  #cursor: ChunkCursor | undefined
  /** Offset behind the chunk that the cursor walks; -1 before the first. */
  #end = -1
  #ahead: Loading | undefined
  #entering: Promise<void> | undefined

  constructor(engine: Engine, topic: EngineTopic) {
    this.#engine = engine
    this.#topic = topic
  }

  /**
   * Calls `make` with a cursor that stands on the message, and returns what it makes. Without a promise where the message is at
   * hand. Undefined: it was trimmed away meanwhile.
   */
  message<M>(offset: number, make: (cursor: ChunkCursor) => M): M | Promise<M | undefined> {
    return this.#isAtHand(offset) ? make(this.#cursor as ChunkCursor) : this.#fetch(offset, make)
  }

  /** Moves the cursor to the message if it stands before it in the same chunk. */
  #isAtHand(offset: number): boolean {
    const cursor = this.#cursor
    if (cursor === undefined || offset >= this.#end || offset <= cursor.offset) return false
    try {
      while (cursor.next()) if (cursor.offset === offset) return true
    } catch {
      // The chunk does not hold what it was asked for: each message of it is looked up by itself, which says what is wrong.
      this.#cursor = undefined
    }
    return false
  }

  async #fetch<M>(offset: number, make: (cursor: ChunkCursor) => M): Promise<M | undefined> {
    // Whoever comes first enters the next chunk; those who wait for it go on in the order of their offsets.
    while (this.#entering !== undefined) {
      await this.#entering.catch(() => {})
      if (this.#isAtHand(offset)) return make(this.#cursor as ChunkCursor)
    }
    if (offset >= this.#end) {
      this.#entering = this.#enter(offset).finally(() => {
        this.#entering = undefined
      })
      await this.#entering
      if (this.#isAtHand(offset)) return make(this.#cursor as ChunkCursor)
    }
    const { bytes, length } = await this.#engine.record(this.#topic, offset)
    const cursor = new ChunkCursor(bytes, this.#topic.id, offset, offset + 1)
    return length > 0 && cursor.next() ? make(cursor) : undefined
  }

  async #enter(offset: number): Promise<void> {
    const loading = this.#ahead?.from === offset ? this.#ahead : this.#load(offset)
    this.#ahead = undefined
    const chunk = await loading.answer
    this.#cursor = new ChunkCursor(chunk.bytes, this.#topic.id, offset, chunk.next)
    this.#end = chunk.next
    if (chunk.next < this.#engine.next(this.#topic)) this.#ahead = this.#load(chunk.next, chunk)
  }

  #load(from: number, last?: ChunkAnswer): Loading {
    const answer = this.#engine.chunk(this.#topic, from, this.#engine.next(this.#topic), last?.resume)
    // It may fail before anybody asks for it.
    answer.catch(() => {})
    return { from, answer }
  }
}
