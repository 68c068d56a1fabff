/** One stream of a topic, in order: chunks come from the reader threads or out of the ring, the next one while this one is looked at. */
import type { MessageReader, ReadRange } from '../../engine/engine.js'
import { assert } from '../../errors.js'
import { trimmedError } from '../../failures.js'
import { ChunkCursor } from '../../messages/chunk-cursor.js'
import type { ChunkAnswer } from '../../threads/reader/reader.js'

/** What a reader needs of its topic. */
export interface ChunkSource {
  /** The number comes with the first append. */
  readonly handle: { readonly id: number; readonly name: string }
  /** First readable offset, and offset of the next append, as published at this moment. */
  first(): number
  next(): number
  /** A chunk that begins with the message at `offset`, which is published. */
  chunk(offset: number, to: number, resume: ChunkAnswer['resume']): Promise<ChunkAnswer>
  /** Calls back once there is a message at `offset`, or the log closes; returns what stops waiting. */
  whenNext(offset: number, resolve: () => void, reject: (error: unknown) => void): () => void
  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void
}

export class ChunkReader implements MessageReader {
  readonly #source: ChunkSource
  readonly #range: ReadRange
  #stage: 'new' | 'reading' | 'over' = 'new'
  /** Offset behind the last chunk that was handed out. */
  #offset: number
  #ahead: Promise<ChunkAnswer> | undefined
  #cancelWait: (() => void) | undefined

  constructor(source: ChunkSource, range: ReadRange) {
    this.#source = source
    this.#range = range
    this.#offset = range.from
  }

  async next(): Promise<ChunkCursor | undefined> {
    if (this.#isOver()) return undefined
    const { handle } = this.#source
    this.#source.checkOpen()
    if (this.#stage === 'new') this.#begin()
    if (this.#ahead === undefined && !(await this.#waitForMore())) {
      this.close()
      return undefined
    }
    this.#ahead ??= this.#request(undefined)
    const chunk = await this.#ahead
    if (this.#isOver()) return undefined
    this.#source.checkOpen()
    assert(chunk.next > this.#offset && chunk.next <= this.#readableEnd(), 'a chunk ends in the range it was read for')
    const cursor = new ChunkCursor(chunk.bytes, handle.id, this.#offset, chunk.next)
    this.#offset = chunk.next
    this.#ahead = this.#readableEnd() > this.#offset ? this.#request(chunk.resume) : undefined
    return cursor
  }

  close(): void {
    this.#stage = 'over'
    this.#ahead = undefined
    this.#cancelWait?.()
  }

  #begin(): void {
    const { handle } = this.#source
    const first = this.#source.first()
    if (this.#offset < first) throw trimmedError(handle.name, this.#offset, first)
    this.#stage = 'reading'
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

  #request(resume: ChunkAnswer['resume']): Promise<ChunkAnswer> {
    const request = this.#source.chunk(this.#offset, this.#readableEnd(), resume)
    // It may fail before anybody asks for it.
    request.catch(() => {})
    return request
  }
}
