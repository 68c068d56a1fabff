/** One stream of a topic, in order: chunks come from the reader threads or out of the ring, the next one while this one is looked at. */
import type { MessageReader, ReadRange } from '../../engine/engine.js'
import { assert } from '../../errors.js'
import { trimmedError } from '../../failures.js'
import { ChunkCursor } from '../../messages/chunk-cursor.js'
import type { RecordSelection } from '../../messages/selection.js'
import type { ChunkAnswer } from '../../threads/reader/reader.js'

/**
 * The chunk behind another, at its `resume`. Undefined: it is not to be had at once.
 * @param isBorrowed in the memory of the one that was got so before; else in its own
 */
export type ChunksInTurn = (
  offset: number,
  to: number,
  resume: NonNullable<ChunkAnswer['resume']>,
  isBorrowed: boolean,
) => ChunkAnswer | undefined

/** What a reader needs of its topic. */
export interface ChunkSource {
  /** The number comes with the first append. */
  readonly handle: { readonly id: number; readonly name: string }
  /** First readable offset, and offset of the next append, as published at this moment. */
  first(): number
  next(): number
  /**
   * A chunk that begins with the message at `offset`, which is published.
   * @param count how many chunks are wanted: the others may come as its `more`
   * @param selection only records that match are wanted: there may be none of them in the chunk
   */
  chunk(
    offset: number,
    to: number,
    resume: ChunkAnswer['resume'],
    count?: number,
    selection?: RecordSelection,
  ): Promise<ChunkAnswer>
  /** What is read at once, for one reader; undefined: nothing is. */
  chunksInTurn(): ChunksInTurn | undefined
  /** Resolves with a chunk that is there already, in a later turn of the event loop if this one has had its share. */
  paced(chunk: ChunkAnswer): Promise<ChunkAnswer>
  /** Calls back once there is a message at `offset`, or the log closes; returns what stops waiting. */
  whenNext(offset: number, resolve: () => void, reject: (error: unknown) => void): () => void
  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void
}

/** In front of its first record at `from` or above. */
export function cursorOver({ bytes, next, to }: ChunkAnswer, topic: number, from: number): ChunkCursor {
  return new ChunkCursor(bytes, topic, from, to ?? next, to !== undefined, next)
}

/** Chunks asked for at once, at most: 1 MiB is half a millisecond of a reader thread's work, and then it waits for the next task. */
const maxCount = 4
/** Chunks that are left to reader threads behind one that was not to be had at once: so many, and twice as many each time in a row. */
const restChunks = { least: 16, most: 1024 }
/** Bytes a message from which on chunks that are kept are read here: with shorter ones this thread is the busier one as it is. */
const leastReadHere = 512

export class ChunkReader implements MessageReader {
  readonly #source: ChunkSource
  readonly #range: ReadRange
  readonly #selection: RecordSelection | undefined
  #stage: 'new' | 'reading' | 'over' = 'new'
  /** Offset behind the last chunk that was handed out. */
  #offset: number
  #ahead: Promise<ChunkAnswer> | undefined
  /** Whether what is under way has come. */
  #hasCome = false
  /** What has come with the last chunk, and is to be handed out before anything else. */
  #ready: ChunkAnswer[] = []
  /** How many chunks are asked for at once. */
  #count = 1
  #cancelWait: (() => void) | undefined
  /** Where the last chunk ended, for who takes the next one in memory that is used again. */
  #resume: ChunkAnswer['resume']
  #inTurn: ChunksInTurn | undefined
  /** Whether chunks are read by this thread: nothing is asked for ahead then. */
  #readsHere = false
  /** Whether the messages of the last chunk were long. */
  #isOfLong = false
  /** Chunks to come from others before this thread reads again, and how many it will be after the next time it could not. */
  #rest = 0
  #nextRest = restChunks.least

  /** @param selection only what matches is wanted; undefined: everything */
  constructor(source: ChunkSource, range: ReadRange, selection?: RecordSelection) {
    this.#source = source
    this.#range = range
    this.#selection = selection
    this.#offset = range.from
  }

  async next(isBorrowed = false): Promise<ChunkCursor | undefined> {
    if (this.#isOver()) return undefined
    const { handle } = this.#source
    this.#source.checkOpen()
    if (this.#stage === 'new') this.#begin()
    if (isBorrowed && this.#rest === 0) this.#readsHere = this.#inTurn !== undefined
    const here = this.#ready.length > 0 ? this.#ready[0] : this.#chunkInTurn(isBorrowed)
    const chunk = here === undefined ? await this.#arrival() : await this.#source.paced(here)
    if (chunk === undefined || this.#isOver()) return undefined
    this.#source.checkOpen()
    assert(chunk.next > this.#offset && chunk.next <= this.#readableEnd(), 'a chunk ends in the range it was read for')
    const cursor = cursorOver(chunk, handle.id, this.#offset)
    this.#isOfLong = chunk.bytes.length >= leastReadHere * (chunk.next - this.#offset)
    this.#offset = chunk.next
    this.#resume = chunk.resume
    if (this.#rest > 0) this.#rest -= 1
    if (this.#ready.length > 0) this.#ready.shift()
    else this.#askOn(chunk)
    return cursor
  }

  /** The chunk that is under way, or will be once there is something to read. Undefined: the stream has ended. */
  async #arrival(): Promise<ChunkAnswer | undefined> {
    if (this.#ahead === undefined && !(await this.#waitForMore())) {
      this.close()
      return undefined
    }
    if (this.#ahead !== undefined) this.#adapt()
    this.#ahead ??= this.#request(this.#offset, undefined)
    return this.#ahead
  }

  /**
   * Who comes before the chunk can take more than the reader thread makes of one task; who comes later is not to be kept more for. Who
   * comes first with that too would do nothing but wait: what is in memory is then read here, which spares both threads the hand-over.
   */
  #adapt(): void {
    if (this.#hasCome) this.#count = Math.max(1, this.#count >>> 1)
    else if (this.#count < maxCount) this.#count *= 2
    else if (this.#rest === 0 && this.#isOfLong) this.#readsHere = this.#inTurn !== undefined
  }

  #chunkInTurn(isBorrowed: boolean): ChunkAnswer | undefined {
    if (!this.#readsHere || this.#ahead !== undefined || this.#resume === undefined) return undefined
    const end = this.#readableEnd()
    if (end <= this.#offset || this.#offset < this.#source.first()) return undefined
    const chunk = this.#inTurn?.(this.#offset, end, this.#resume, isBorrowed)
    if (chunk !== undefined) {
      this.#nextRest = restChunks.least
      return chunk
    }
    // Others wait for the device, and read ahead of who comes.
    this.#readsHere = false
    this.#rest = this.#nextRest
    this.#nextRest = Math.min(restChunks.most, 2 * this.#nextRest)
    this.#ahead = this.#request(this.#offset, this.#resume)
    return undefined
  }

  /** While a chunk and its followers are looked at, the ones behind them are read. */
  #askOn(chunk: ChunkAnswer): void {
    this.#ready = chunk.more ?? []
    const last = this.#ready.at(-1) ?? chunk
    const isAskedFor = !this.#readsHere && this.#readableEnd() > last.next
    this.#ahead = isAskedFor ? this.#request(last.next, last.resume) : undefined
  }

  close(): void {
    this.#stage = 'over'
    this.#ahead = undefined
    this.#ready = []
    this.#cancelWait?.()
  }

  #begin(): void {
    const { handle } = this.#source
    const first = this.#source.first()
    if (this.#offset < first) throw trimmedError(handle.name, this.#offset, first)
    this.#stage = 'reading'
    if (this.#selection === undefined) this.#inTurn = this.#source.chunksInTurn()
  }

  /** It may change at every await. */
  #isOver(): boolean {
    return this.#stage === 'over'
  }

  /** End of what is published and wanted. */
  #readableEnd(): number {
    return Math.min(this.#range.to, this.#source.next())
  }

  async #waitForMore(): Promise<boolean> {
    const { follow, to } = this.#range
    while (this.#readableEnd() <= this.#offset) {
      if (!follow || this.#offset >= to) return false
      try {
        await new Promise<void>((resolve, reject) => {
          const cancel = this.#source.whenNext(this.#offset, resolve, reject)
          this.#cancelWait = () => {
            cancel()
            resolve()
          }
        })
      } finally {
        this.#cancelWait?.()
        this.#cancelWait = undefined
      }
      if (this.#isOver()) return false
      this.#source.checkOpen()
    }
    return true
  }

  #request(offset: number, resume: ChunkAnswer['resume']): Promise<ChunkAnswer> {
    const request = this.#source.chunk(offset, this.#readableEnd(), resume, this.#count, this.#selection)
    this.#hasCome = false
    // It may fail before anybody asks for it.
    const come = () => {
      if (this.#ahead === request) this.#hasCome = true
    }
    request.then(come, come)
    return request
  }
}
