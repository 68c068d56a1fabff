/**
 * The application thread's own reads: what is in memory needs no other thread, and no wake-up. They never wait, and never fail: what they
 * do not find goes to a reader thread, as if nobody had asked before.
 *
 * The native part is loaded with the first read, once that is on its way to a reader thread. Where there is none, or the file system of
 * the log cannot say what is in memory, nothing is ever found here. Any other thread that must not wait may have one of its own.
 */
import { loadNowFiles, type Target } from '../../memory/read-now.js'
import type { SharedState } from '../../ring/shared-state.js'
import { nodeDisk } from '../../storage/files/disk.js'
import { SegmentFiles } from '../../storage/files/segment-files.js'
import { HotReader } from '../../storage/hot/hot-reader.js'
import type { HotRecord } from '../../storage/hot/record-slabs.js'
import type { ChunkAnswer } from '../../threads/reader/reader.js'
import type { ReaderData } from '../../threads/shared-memory.js'
import type { ChunksInTurn } from './chunk-reader.js'
import type { TurnPace } from './turn-pace.js'

/** From so many on a list is shared with the reader threads: a task for one of them costs as much as some fifty lookups here. */
const leastToShare = 100
/** What else this thread has to do for each record of a list, those of the readers too, as a share of a lookup. */
const ownWork = 0.5
/** Lookups between two looks at whether the event loop should turn. */
const lookupsAtOnce = 256

export class HotReads {
  readonly #data: Omit<ReaderData, 'io'>
  readonly #state: SharedState
  #stage: 'new' | 'loading' | 'ready' | 'off' = 'new'
  /** While `ready`. */
  #reader: HotReader | undefined
  #answered = 0
  readonly #pace: TurnPace
  readonly #readers: number
  readonly #underWay = new Set<Promise<unknown>>()

  /**
   * @param state of this thread, over `data.shared.state`
   * @param pace of this thread: what is answered at once must not keep the event loop from turning
   * @param readers threads that look up as well
   */
  constructor(data: Omit<ReaderData, 'io'>, state: SharedState, pace: TurnPace, readers: number) {
    this.#data = data
    this.#state = state
    this.#pace = pace
    this.#readers = readers
  }

  /** Records and chunks that were found here. */
  get answered(): number {
    return this.#answered
  }

  /**
   * A promise where this turn of the event loop has had its share.
   * @param offset of a record that is published, and not trimmed
   */
  record(topic: number, offset: number): HotRecord | Promise<HotRecord> | undefined {
    const record = this.#ready()?.find(topic, offset)
    if (record === undefined) return undefined
    this.#answered += 1
    return this.#pace.afterLookups(1)?.then(() => record) ?? record
  }

  /** How many of a list are to be looked up here, so that this thread and the readers are done at about the same time. */
  shareOf(count: number): number {
    if (this.#ready() === undefined) return 0
    return count < leastToShare ? count : Math.floor(count / (this.#readers + 1 + ownWork))
  }

  /**
   * The same for several, in the order of their offsets.
   * @param first readable offset, and `next` one to be appended: what is not between them is not looked for
   */
  records(topic: number, offsets: readonly number[], first: number, next: number): Promise<(HotRecord | undefined)[]> {
    const work = this.#records(topic, offsets, first, next)
    const settle = () => this.#underWay.delete(work)
    this.#underWay.add(work)
    work.then(settle, settle)
    return work
  }

  /** A short chunk for who has just come; otherwise as a reader thread answers. */
  chunk(topic: number, offset: number, to: number): ChunkAnswer | undefined {
    const chunk = this.#ready()?.chunk(topic, offset, to)
    if (chunk !== undefined) this.#answered += 1
    return chunk
  }

  /** For one reader of a topic: the chunks behind the first. */
  chunksInTurn(topic: number): ChunksInTurn {
    let memory: Target | undefined
    return (offset, to, resume, isBorrowed) => {
      const reader = this.#ready()
      if (reader === undefined) return undefined
      if (isBorrowed) memory ??= reader.target()
      const chunk = reader.chunkBehind(resume, topic, offset, to, isBorrowed ? memory : undefined)
      if (chunk !== undefined) this.#answered += 1
      return chunk
    }
  }

  /** Files of deleted segments keep their space until they are closed. Without a call it is seen within a second. */
  dropDeleted(): void {
    this.#reader?.dropDeleted()
  }

  /** Resolves when nobody is being answered, and whoever was has gone on. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
  }

  /** Gives all files back. Nothing is found any more. */
  async close(): Promise<void> {
    this.#stage = 'off'
    const reader = this.#reader
    this.#reader = undefined
    await reader?.close()
  }

  async #records(
    topic: number,
    offsets: readonly number[],
    first: number,
    next: number,
  ): Promise<(HotRecord | undefined)[]> {
    const asked = offsets.map((offset) => (offset < first || offset >= next ? -1 : offset))
    const found: (HotRecord | undefined)[] = []
    while (found.length < asked.length) {
      const some = asked.slice(found.length, found.length + lookupsAtOnce)
      const records = this.#ready()?.findMany(topic, some) ?? some.map(() => undefined)
      for (const record of records) {
        if (record !== undefined) this.#answered += 1
        found.push(record)
      }
      await this.#pace.afterLookups(some.length)
    }
    return found
  }

  #ready(): HotReader | undefined {
    if (this.#stage === 'new') this.#load()
    const reader = this.#reader
    if (reader === undefined || reader.isSupported) return reader
    void this.close()
    return undefined
  }

  #load(): void {
    this.#stage = 'loading'
    // Some milliseconds, beside the reader thread that answers meanwhile.
    setImmediate(() => {
      if (this.#stage !== 'loading') return
      const now = loadNowFiles()
      this.#stage = now === undefined ? 'off' : 'ready'
      if (now === undefined) return
      const { shared, id, segmentBytes } = this.#data
      const { published, indexed, trim } = this.#state
      const bounds = {
        published: () => published.load(),
        indexed: () => indexed.load(),
        trim: () => trim.load(),
      }
      this.#reader = new HotReader(now, new SegmentFiles(nodeDisk, shared.directory, segmentBytes, id), bounds)
    })
  }
}
