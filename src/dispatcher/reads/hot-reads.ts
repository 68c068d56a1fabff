/**
 * The application thread's own reads: what is in memory needs no other thread, and no wake-up. They never wait, and never fail: what they
 * do not find goes to a reader thread, as if nobody had asked before.
 *
 * The native part is loaded with the first read, once that is on its way to a reader thread. Where there is none, or the file system of
 * the log cannot say what is in memory, nothing is ever found here. Any other thread that must not wait may have one of its own.
 */
import { loadNowFiles } from '../../memory/read-now.js'
import type { SharedState } from '../../ring/shared-state.js'
import { nodeDisk } from '../../storage/files/disk.js'
import { SegmentFiles } from '../../storage/files/segment-files.js'
import { HotReader, type HotRecord } from '../../storage/hot/hot-reader.js'
import type { ChunkAnswer } from '../../threads/reader/reader.js'
import type { ReaderData } from '../../threads/shared-memory.js'
import type { TurnPace } from './turn-pace.js'

/** From so many on a list is the reader threads': a task for one of them costs as much as some fifty lookups here. */
const leastForReaders = 100

export class HotReads {
  readonly #data: Omit<ReaderData, 'io'>
  readonly #state: SharedState
  #stage: 'new' | 'loading' | 'ready' | 'off' = 'new'
  /** While `ready`. */
  #reader: HotReader | undefined
  #answered = 0
  readonly #pace: TurnPace
  readonly #underWay = new Set<Promise<unknown>>()

  /**
   * @param state of this thread, over `data.shared.state`
   * @param pace of this thread: what is answered at once must not keep the event loop from turning
   */
  constructor(data: Omit<ReaderData, 'io'>, state: SharedState, pace: TurnPace) {
    this.#data = data
    this.#state = state
    this.#pace = pace
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

  /** False: there is nothing to be found here, or so many lookups are better done by reader threads. */
  takes(count: number): boolean {
    return this.#ready() !== undefined && count < leastForReaders
  }

  /**
   * The same for as many as it {@link takes}, in the order of their offsets.
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
    const found = this.#ready()?.findMany(topic, asked)
    if (found === undefined) return offsets.map(() => undefined)
    for (const record of found) if (record !== undefined) this.#answered += 1
    await this.#pace.afterLookups(offsets.length)
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
      const { published, indexed, trim, rewrites } = this.#state
      const bounds = {
        published: () => published.load(),
        indexed: () => indexed.load(),
        trim: () => trim.load(),
        rewrites: () => rewrites.load(),
      }
      this.#reader = new HotReader(now, new SegmentFiles(nodeDisk, shared.directory, segmentBytes, id), bounds)
    })
  }
}
