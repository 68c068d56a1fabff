/**
 * What stands between a topic and a group with a filter. It looks through the topic in front of the group, where the messages are, and passes
 * in the group's books what does not match; nothing is handed out that it has not looked at.
 *
 * It looks while somebody asks, a chunk ahead of what is handed out, and keeps what it has found for the feed. What cannot be read may match:
 * that is handed out like everything else, and whoever gets it meets the damage.
 */
import type { OffsetRange } from '../../collections/offset-ranges.js'
import type { Filter } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import type { HeaderMatcher } from '../../messages/header-matcher.js'
import type { ChunkAnswer } from '../../threads/reader/reader.js'
import { type ChunkSource, cursorOver } from '../reads/chunk-reader.js'
import { FilteredSource } from './filtered-source.js'
import type { FeedSource } from './group-feed.js'
import type { GroupLedger } from './group-ledger.js'

/** Chunks asked for at a time: of each not much may be left. */
const count = 2
/** Of what it has found so much is kept; the rest is read again when it is handed out. */
const maxKeptBytes = 1 << 20
/** Who only wants to know how far the group is behind has it looked on until so many messages wait for it. */
const maxAhead = 10_000

export interface GroupSieveParts {
  readonly source: ChunkSource & FeedSource
  readonly matcher: HeaderMatcher
  /** The books, while the group is open. */
  books(): GroupLedger | undefined
  pass(generation: number, ranges: readonly OffsetRange[]): void
}

/** A chunk, and the offset from which on it was read. */
interface Looked {
  readonly from: number
  readonly chunk: ChunkAnswer
}

export class GroupSieve implements FeedSource {
  readonly #parts: GroupSieveParts
  readonly #filtered: FilteredSource
  /** Of the books that it works for: after a seek or a removal it begins anew. */
  #books: GroupLedger | undefined
  #generation = -1
  /** Everything below is looked at. */
  #end = 0
  /** Where the last chunk begins that was looked at. */
  #last = 0
  #resume: ChunkAnswer['resume']
  #kept: Looked[] = []
  #keptBytes = 0
  #looking: Promise<void> | undefined

  constructor(parts: GroupSieveParts) {
    this.#parts = parts
    this.#filtered = new FilteredSource(parts.source, parts.matcher)
  }

  /** What the group is given. */
  get filter(): Filter {
    return this.#parts.matcher.filter
  }

  get handle(): FeedSource['handle'] {
    return this.#parts.source.handle
  }

  /** Behind what may be handed out. Who asks wants a message, so it looks on in time. */
  next(): number {
    const books = this.#begin()
    if (books !== undefined && books.next >= this.#last && this.#isMore())
      this.#look().catch(() => {
        // Who waits for what is found there looks again, and hears of it.
      })
    return this.#end
  }

  /** Calls back once something may be handed out, or the log closes; returns what stops waiting. */
  whenNext(resolve: () => void, reject: (error: unknown) => void): () => void {
    const { source } = this.#parts
    let isOver = false
    let cancel: (() => void) | undefined
    const settle = () => {
      if (!isOver) resolve()
    }
    const fail = (error: unknown) => {
      if (!isOver) reject(error)
    }
    const step = (): void => {
      if (isOver) return
      const books = this.#begin()
      if (books === undefined || books.fresh < this.#end) settle()
      else if (this.#isMore()) this.#look().then(step, fail)
      // It is told as well when the log closes: then there is no more, and whoever waits finds out.
      else cancel = source.whenNext(this.#end, () => (this.#isMore() ? step() : settle()), fail)
    }
    step()
    return () => {
      isOver = true
      cancel?.()
    }
  }

  /** Looks at everything that is there now, unless more is found than the group will have done soon. */
  async lookThrough(): Promise<void> {
    const to = this.#parts.source.next()
    for (let books = this.#begin(); books !== undefined; books = this.#begin()) {
      if (this.#end >= to || books.remaining(this.#end) > maxAhead) return
      await this.#look()
    }
  }

  chunk(offset: number, to: number, resume: ChunkAnswer['resume']): Promise<ChunkAnswer> {
    this.#drop(offset)
    const kept = this.#kept.find(({ from, chunk }) => from <= offset && offset < chunk.next)
    return kept === undefined ? this.#filtered.chunk(offset, to, resume) : Promise.resolve(kept.chunk)
  }

  record(offset: number): Promise<{ bytes: Uint8Array; length: number }> {
    return this.#filtered.record(offset)
  }

  #isMore(): boolean {
    return this.#end < this.#parts.source.next()
  }

  /** The books as they are, from where they stand if they are others than before. */
  #begin(): GroupLedger | undefined {
    const books = this.#parts.books()
    if (books === undefined) return undefined
    if (books !== this.#books || books.generation !== this.#generation) {
      this.#books = books
      this.#generation = books.generation
      this.#goTo(books.committed)
      this.#drop(Number.POSITIVE_INFINITY)
      this.#last = this.#end
    }
    // Past what retention has deleted, and what was acknowledged before.
    if (this.#end < books.committed) this.#goTo(books.committed)
    return books
  }

  #goTo(offset: number): void {
    this.#end = offset
    this.#resume = undefined
  }

  /** Looks at the next chunk; whoever asks for it meanwhile waits for the same one. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #lookOnce(): Promise<void> {
    const { source } = this.#parts
    const [generation, books, from] = [this.#generation, this.#books, this.#end]
    const isCurrent = () => {
      this.#begin()
      return this.#books === books && this.#generation === generation && this.#end === from
    }
    let chunk: ChunkAnswer
    try {
      chunk = await source.chunk(from, source.next(), this.#resume, count, this.#parts.matcher)
    } catch (error) {
      if (isCurrent()) this.#stepOver(error)
      return
    }
    if (isCurrent()) this.#pass(chunk)
  }

  #pass(chunk: ChunkAnswer): void {
    const from = this.#end
    const cursor = cursorOver(chunk, this.handle.id, from)
    const passed: OffsetRange[] = []
    let at = from
    while (cursor.next()) {
      if (cursor.offset > at) passed.push({ first: at, end: cursor.offset })
      at = cursor.offset + 1
    }
    if (at < chunk.next) passed.push({ first: at, end: chunk.next })
    this.#keep({ from, chunk })
    this.#last = from
    this.#end = chunk.next
    this.#resume = chunk.resume
    this.#parts.pass(this.#generation, passed)
  }

  /** @throws what is not about the message at {@link #end} */
  #stepOver(error: unknown): void {
    const { code, next } = error as Partial<BookendError>
    if (!(error instanceof BookendError)) throw error
    // What was trimmed the books pass by themselves.
    if (code === 'BOOKEND_TRIMMED') this.#goTo(Math.max(this.#end, this.#parts.source.first()))
    else if (code === 'BOOKEND_CORRUPT')
      this.#goTo(Math.min(this.#parts.source.next(), Math.max(this.#end + 1, next ?? 0)))
    else throw error
  }

  #keep(looked: Looked): void {
    this.#drop(this.#books?.committed ?? 0)
    const { length } = looked.chunk.bytes
    if (length === 0 || this.#keptBytes + length > maxKeptBytes) return
    this.#kept.push(looked)
    this.#keptBytes += length
  }

  /** Gives back what ends at or before the offset. */
  #drop(offset: number): void {
    while (this.#kept.length > 0 && this.#kept[0].chunk.next <= offset) {
      const [{ chunk }] = this.#kept.splice(0, 1)
      this.#keptBytes -= chunk.bytes.length
    }
  }
}
