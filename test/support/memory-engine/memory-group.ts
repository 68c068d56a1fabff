/** A group whose books are two sets and a list. */
import type {
  EngineGroup,
  EngineLease,
  EngineProcessor,
  SubscribeOptions,
  Subscription,
} from '../../../src/engine/group-seat.js'
import type { Filter, GroupInfo, GroupPosition } from '../../../src/engine/terms.js'
import { otherFilterError } from '../../../src/failures.js'
import type { RecordPlace } from '../../../src/messages/chunk-cursor.js'
import { HeaderMatcher, isSameFilter } from '../../../src/messages/header-matcher.js'
import type { MemoryTopic } from './memory-topic.js'

/** A message that somebody is given. */
interface Taken {
  readonly offset: number
  readonly attempt: number
}

/** A message that comes again. */
interface Returned extends Taken {
  readonly dueMs: number
}

interface Books {
  readonly done: Set<number>
  returned: Returned[]
  /** Nothing at or above this was ever given away. */
  fresh: number
  skipped: number
}

function booksFrom(fresh: number, skipped: number): Books {
  return { done: new Set(Array.from({ length: fresh }, (_, offset) => offset)), returned: [], fresh, skipped }
}

export class MemoryGroup implements EngineGroup {
  readonly name: string
  readonly topic: MemoryTopic
  /** Undefined while the group does not exist. */
  #books: Books | undefined
  /** Raised by seek and remove: what was given away before means nothing. */
  #generation = 0
  #removals = 0
  #matcher: HeaderMatcher | undefined
  /** Who waits, in the order of asking: true once it is served, or has given up. Told whether it is its turn: out of turn it only ends. */
  readonly #row: ((isTurn: boolean) => boolean)[] = []
  /** Those who have asked and are not closed. */
  readonly seats = new Set<object>()

  constructor(name: string, topic: MemoryTopic) {
    this.name = name
    this.topic = topic
    topic.onChange.add(() => this.serve())
  }

  get removals(): number {
    return this.#removals
  }

  get exists(): boolean {
    return this.#books !== undefined
  }

  get generation(): number {
    return this.#generation
  }

  subscribe<D extends object>(
    make: (record: RecordPlace, lease: EngineLease) => D,
    options: SubscribeOptions,
  ): Subscription<D> {
    return new MemorySeat(this, make, options)
  }

  filter(filter: Filter): void {
    const known = this.#matcher?.filter
    if (known !== undefined && isSameFilter(known, filter)) return
    if (known !== undefined || this.seats.size > 0) throw otherFilterError(this.topic.name, this.name, known)
    this.#matcher = new HeaderMatcher(filter)
  }

  open(from: 'first' | 'next'): void {
    this.#books ??= booksFrom(this.topic[from], 0)
  }

  /** The lowest of those that come again and are due, otherwise the next new one. */
  take(): Taken | undefined {
    const books = this.#refreshed()
    if (books === undefined) return undefined
    const nowMs = performance.now()
    const due = books.returned.filter(({ dueMs }) => dueMs <= nowMs).sort((a, b) => a.offset - b.offset)[0]
    if (due !== undefined) {
      books.returned.splice(books.returned.indexOf(due), 1)
      return due
    }
    while (books.done.has(books.fresh)) books.fresh += 1
    if (books.fresh >= this.topic.next) return undefined
    return { offset: books.fresh++, attempt: 1 }
  }

  acknowledge(generation: number, offset: number): void {
    if (generation === this.#generation) this.#books?.done.add(offset)
  }

  giveBack(generation: number, returned: Returned): void {
    if (generation !== this.#generation) return
    this.#books?.returned.push(returned)
    const delayMs = returned.dueMs - performance.now()
    if (delayMs > 0) setTimeout(() => this.serve(), Math.ceil(delayMs) + 1).unref()
    this.serve()
  }

  ask(serve: (isTurn: boolean) => boolean): void {
    this.#row.push(serve)
    this.serve()
  }

  serve(): void {
    while (this.#row.length > 0 && this.#row[0](true)) this.#row.shift()
    for (const ask of this.#row.slice(1)) ask(false)
  }

  isDone(offset: number): boolean {
    const books = this.#refreshed()
    return books !== undefined && (offset < this.#committed(books) || books.done.has(offset))
  }

  async info(): Promise<GroupInfo> {
    const { committed, lag } = await this.position()
    const { name, topic, seats } = this
    return { topic: topic.name, name, committed, lag, consumers: seats.size, processors: [] }
  }

  async position(): Promise<GroupPosition> {
    const { first, next } = this.topic
    const books = this.#refreshed()
    if (books === undefined) return { ...this.#unused(first, next), skipped: 0 }
    const committed = this.#committed(books)
    const lag = Array.from({ length: next - committed }, (_, index) => committed + index).filter(
      (offset) => !books.done.has(offset),
    ).length
    return { committed, next, lag, skipped: books.skipped }
  }

  #unused(first: number, next: number): { committed: number; next: number; lag: number } {
    const offsets = Array.from({ length: next - first }, (_, index) => first + index)
    const left = offsets.filter((offset) => this.#isWanted(offset))
    return { committed: left[0] ?? next, next, lag: left.length }
  }

  async peek(): Promise<number | undefined> {
    const { first, next } = this.topic
    const books = this.#refreshed()
    if (books === undefined) {
      const { committed } = this.#unused(first, next)
      return committed < next ? committed : undefined
    }
    const nowMs = performance.now()
    const due = books.returned.filter(({ dueMs }) => dueMs <= nowMs).map(({ offset }) => offset)
    let fresh = books.fresh
    while (books.done.has(fresh)) fresh += 1
    const lowest = Math.min(...due, fresh)
    return lowest < next ? lowest : undefined
  }

  async seek(to: number): Promise<void> {
    this.open('first')
    this.#generation += 1
    this.#books = booksFrom(to, this.#books?.skipped ?? 0)
    this.serve()
  }

  async remove(): Promise<void> {
    this.#removals += 1
    this.#generation += 1
    this.#books = undefined
    this.#matcher = undefined
    this.seats.clear()
    this.serve()
  }

  process(): EngineProcessor {
    throw new Error('not supported: nobody asks')
  }

  #isWanted(offset: number): boolean {
    if (this.topic.hasExpired(offset)) return false
    return this.#matcher?.matches(this.topic.place(offset)) ?? true
  }

  #committed({ done }: { done: Set<number> }): number {
    let committed = this.topic.first
    while (done.has(committed)) committed += 1
    return committed
  }

  /** The books past what was trimmed. */
  #refreshed(): Books | undefined {
    const books = this.#books
    if (books === undefined) return undefined
    const { first } = this.topic
    for (let offset = 0; offset < first; offset++) {
      if (books.done.has(offset)) continue
      books.done.add(offset)
      books.skipped += 1
    }
    books.fresh = Math.max(books.fresh, first)
    for (let offset = first; offset < this.topic.next; offset++) if (!this.#isWanted(offset)) books.done.add(offset)
    books.returned = books.returned.filter(({ offset }) => !books.done.has(offset))
    return books
  }
}

class MemorySeat<D extends object> implements Subscription<D> {
  readonly #group: MemoryGroup
  readonly #make: (record: RecordPlace, lease: EngineLease) => D
  readonly #options: SubscribeOptions
  readonly #removals: number
  readonly #held = new Set<MemoryLease>()
  /** Calls that wait for a free place: they do not stand in the row of the group. */
  readonly #parked: (() => void)[] = []
  /** What is taken, and not handed out yet. */
  #lookups = 0
  #isClosed = false

  constructor(group: MemoryGroup, make: (record: RecordPlace, lease: EngineLease) => D, options: SubscribeOptions) {
    this.#group = group
    this.#make = make
    this.#options = options
    this.#removals = group.removals
    options.signal?.addEventListener('abort', () => this.close(), { once: true })
  }

  get isOpen(): boolean {
    return !this.#isClosed && this.#group.removals === this.#removals
  }

  next(deadlineMs: number, signal: AbortSignal | undefined): Promise<D | undefined> {
    const { engine } = this.#group.topic
    if (!this.#isClosed) this.#group.seats.add(this)
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined
      let isOver = false
      let isLookingUp = false
      const end = (settle: () => void) => {
        isOver = true
        clearTimeout(timer)
        signal?.removeEventListener('abort', look)
        engine.onClose.delete(look)
        settle()
        return true
      }
      const attempt = (isTurn: boolean): boolean => {
        if (isOver) return true
        if (signal?.aborted) return end(() => reject(signal.reason))
        if (!this.isOpen) return end(() => resolve(undefined))
        if (!engine.isOpen) return end(() => rejectClosed(engine, reject))
        if (!isTurn) return false
        this.#group.open(this.#options.from)
        if (this.#held.size + this.#lookups >= this.#options.prefetch) {
          this.#parked.push(() => this.#group.ask(attempt))
          return true
        }
        const taken = this.#group.take()
        if (taken === undefined) return false
        lookUp(taken, this.#group.generation)
        return true
      }
      /** A message is there a turn later, as from a disk: meanwhile anything may happen to it, and to who has asked. */
      const lookUp = (taken: Taken, generation: number) => {
        isLookingUp = true
        this.#lookups += 1
        setImmediate(() => {
          isLookingUp = false
          this.#lookups -= 1
          const isWanted = generation === this.#group.generation && !this.#group.isDone(taken.offset)
          const isAsked = signal?.aborted !== true && this.isOpen && engine.isOpen
          if (isWanted && isAsked) end(() => this.#give(taken, resolve, reject))
          // Not its fault: the same attempt, for whoever asks next.
          else if (isWanted) this.#group.giveBack(generation, { ...taken, dueMs: 0 })
          if (!isOver) ask()
          this.#look()
        })
      }
      const ask = () => {
        this.#group.ask(attempt)
        if (isOver || deadlineMs === Number.POSITIVE_INFINITY) return
        clearTimeout(timer)
        timer = setTimeout(giveUp, Math.max(0, Math.ceil(deadlineMs - performance.now())))
      }
      const giveUp = () => {
        if (!isOver && !isLookingUp) end(() => resolve(undefined))
        look()
      }
      const look = () => this.#look()
      signal?.addEventListener('abort', look)
      engine.onClose.add(look)
      ask()
    })
  }

  close(): void {
    this.#isClosed = true
    this.#group.seats.delete(this)
    for (const lease of [...this.#held]) lease.giveBack(0)
    this.#look()
  }

  #look(): void {
    for (const ask of this.#parked.splice(0)) ask()
    this.#group.serve()
  }

  #give({ offset, attempt }: Taken, resolve: (delivery: D) => void, reject: (error: unknown) => void): void {
    const { ackTimeoutMs } = this.#options
    const lease = new MemoryLease(this.#group, this.#held, () => this.#look(), ackTimeoutMs, offset, attempt)
    try {
      resolve(this.#make(this.#group.topic.place(offset), lease))
    } catch (error) {
      lease.giveBack(0, attempt)
      reject(error)
    }
  }
}

class MemoryLease implements EngineLease {
  readonly offset: number
  readonly attempt: number
  readonly #group: MemoryGroup
  readonly #held: Set<MemoryLease>
  readonly #onFree: () => void
  readonly #timeoutMs: number
  readonly #generation: number
  #timer: NodeJS.Timeout | undefined

  constructor(
    group: MemoryGroup,
    held: Set<MemoryLease>,
    onFree: () => void,
    timeoutMs: number,
    offset: number,
    attempt: number,
  ) {
    this.offset = offset
    this.attempt = attempt
    this.#group = group
    this.#held = held
    this.#onFree = onFree
    this.#timeoutMs = timeoutMs
    this.#generation = group.generation
    held.add(this)
    this.extend()
  }

  async acknowledge(): Promise<void> {
    this.#release()
    this.#group.topic.engine.checkOpen()
    this.#group.acknowledge(this.#generation, this.offset)
  }

  giveBack(delayMs: number, attempt = this.attempt + 1): void {
    if (!this.#release()) return
    this.#group.giveBack(this.#generation, { offset: this.offset, attempt, dueMs: performance.now() + delayMs })
  }

  extend(): void {
    clearTimeout(this.#timer)
    if (this.#held.has(this) && this.#timeoutMs !== Number.POSITIVE_INFINITY)
      this.#timer = setTimeout(() => this.giveBack(0), this.#timeoutMs).unref()
  }

  /** False: it was not held any more. */
  #release(): boolean {
    clearTimeout(this.#timer)
    const wasHeld = this.#held.delete(this)
    // A place is free.
    if (wasHeld) queueMicrotask(this.#onFree)
    return wasHeld
  }
}

function rejectClosed(engine: { checkOpen(): void }, reject: (error: unknown) => void): void {
  try {
    engine.checkOpen()
  } catch (error) {
    reject(error)
  }
}
