/**
 * What is scheduled and not delivered, in the order in which it comes due: the nearest in a heap, what does not fit in there in sorted runs, of each a page in memory.
 *
 * Invariants: every record of `.later` from `tail` on whose place lies behind the mark is in the heap, every other one in a run of the last manifest; a place may be
 * in both, and counts once. So `tail` never passes a record that is under way.
 *
 * One call at a time of those that return promises; {@link add} may come in between.
 */
import { Heap } from '../collections/heap.js'
import type { EngineTopic } from '../engine/engine.js'
import { encodeNumbers, entriesPerPage, entryNumbers, runNumbers } from '../format/due-layout.js'
import { DueHeap } from './due-heap.js'
import {
  comparePlaces,
  type DueEntry,
  type DuePlace,
  dueStart,
  isBefore,
  isOutOfTurn,
  isSamePlace,
} from './due-order.js'
import { DueRun, encodeRun, numbersAt, type RunPlace, UnreadableRun } from './due-run.js'
import { entriesFrom, type OnDamage } from './later-walk.js'

/** What is kept in memory. */
export interface PendingLimits {
  /** Entries; more of them go into a run. Infinity: nothing is written. Sorting so many as usual takes some ms. */
  readonly inMemory: number
  /** Of a run. */
  readonly perPage: number
}

const usualLimits: PendingLimits = { inMemory: 16_384, perPage: entriesPerPage }
/** A run of which so many times more records were delivered than are left is written anew: it holds back what else the log has from its time. */
const worthCarrying = 4
/** So many times more records than fit into memory are read at open. */
const longTail = 4

export interface LaterTopics {
  readonly later: EngineTopic
  readonly due: EngineTopic
}

/** What {@link PendingEntries.take} has found. */
export interface Due {
  /** To be delivered, in this order. */
  readonly entries: DueEntry[]
  /** Up to here nothing is left in the order; undefined: nothing was passed. */
  readonly mark: DuePlace | undefined
}

export class PendingEntries {
  readonly #topics: LaterTopics
  readonly #limits: PendingLimits
  readonly #heap = new DueHeap()
  /** Out of turn: by the time at which they are due. */
  readonly #behind = new Heap<DueEntry>((a, b) => a.due < b.due || (a.due === b.due && a.id < b.id))
  /** Oldest first. */
  #runs: DueRun[] = []
  /** Those with entries left. */
  readonly #tops = new Heap<DueRun>((a, b) => isBefore(a.next ?? dueStart, b.next ?? dueStart))
  #tail = 0
  /** Behind the last record that was added. */
  #end = 0
  /** The last manifest names a run that is over. */
  #hasEndedRuns = false
  #isTorn = false

  private constructor(topics: LaterTopics, limits: PendingLimits) {
    this.#topics = topics
    this.#limits = limits
  }

  /**
   * As it stands in the log.
   * @param mark all up to there is delivered
   */
  static async load(
    topics: LaterTopics,
    mark: DuePlace,
    onDamage: OnDamage,
    limits = usualLimits,
  ): Promise<PendingEntries> {
    const pending = new PendingEntries(topics, limits)
    await pending.#loadRuns(mark).catch((error) => {
      if (!(error instanceof UnreadableRun)) throw error
      onDamage(error)
      // All of it is in `.later` as well.
      pending.#setRuns([])
      pending.#tail = 0
    })
    await pending.#loadTail(mark, onDamage)
    return pending
  }

  get isFull(): boolean {
    return this.#heap.length >= this.#limits.inMemory
  }

  /** Whoever opened the log now would have many records to read that are delivered, for one that waits. */
  get isTailLong(): boolean {
    return this.#end - this.#tail > this.#limits.inMemory * longTail
  }

  /** @param before as for {@link spill} */
  async shortenTail(before: number): Promise<void> {
    const oldest = this.#oldest(before)
    if (before - oldest > this.#limits.inMemory) return this.spill(before)
    const { next } = await this.#topics.due.bounds()
    await this.#store([], this.#living(), oldest, next)
  }

  /** How many entries are in memory, those of runs left out. */
  get inMemory(): number {
    return this.#heap.length + this.#behind.length
  }

  add(entry: DueEntry): void {
    this.#end = Math.max(this.#end, entry.at + 1)
    if (!isOutOfTurn(entry)) {
      this.#heap.push(entry)
      return
    }
    if (!entry.isCancel) {
      this.#behind.push(entry)
      return
    }
    const left = [...this.#behind].filter(({ id }) => id !== entry.id)
    this.#behind.clear()
    for (const each of left) this.#behind.push(each)
  }

  /** The time at which something is due next; Infinity: nothing is. */
  get nextDue(): number {
    const next = this.#tops.peek()?.next?.order ?? Number.POSITIVE_INFINITY
    return Math.min(next, this.#heap.leastOrder, this.#behind.peek()?.due ?? Number.POSITIVE_INFINITY)
  }

  /** A message with that number waits, out of turn. */
  hasOutOfTurn(id: number): boolean {
    return [...this.#behind].some((entry) => entry.id === id)
  }

  /**
   * What is due at `time`, at most `max` of it, without what was cancelled.
   * @throws what reading throws, {@link UnreadableRun} among it: {@link isTorn} from then on
   */
  async take(time: number, max: number): Promise<Due> {
    try {
      return await this.#taken(time, max)
    } catch (error) {
      this.#isTorn = true
      throw error
    }
  }

  /** Some of it is in nobody's hands: all has to be loaded again. */
  get isTorn(): boolean {
    return this.#isTorn
  }

  async #taken(time: number, max: number): Promise<Due> {
    const entries: DueEntry[] = []
    let mark: DuePlace | undefined
    while (entries.length < max) {
      const least = this.#least()
      const behind = this.#behind.peek()
      if (behind !== undefined && behind.due <= time && (least === undefined || behind.due <= least.order)) {
        this.#behind.pop()
        entries.push(behind)
        continue
      }
      if (least === undefined || least.order > time) break
      let record: DueEntry | undefined
      let isCancelled = false
      for (let each = this.#least(); each !== undefined && isSamePlace(each, least); each = this.#least()) {
        if (each.isCancel) isCancelled = true
        else record = each
        const loading = this.#pass(each)
        if (loading !== undefined) await loading
      }
      // Undefined: that of a message that was delivered out of turn.
      if (record !== undefined && !isCancelled) entries.push(record)
      mark = least
    }
    return { entries, mark }
  }

  /**
   * What is in memory goes into a run. @param before all records of `.later` below are in here, and what is appended from now on is not below
   * @throws what appending throws; nothing has changed then
   */
  async spill(before: number): Promise<void> {
    const sorted = this.#heap.sortedBelow(before)
    if (sorted.length === 0) return
    const since = this.#heap.lowestAt(before)
    // What is out of turn is in no run.
    const tail = [...this.#behind].reduce((least, { at }) => Math.min(least, at), before)
    const { perPage } = this.#limits
    const messages = encodeRun(sorted, perPage)
    const { next } = await this.#topics.due.bounds()
    const place = { fences: next, pages: messages.length - 1, since }
    await this.#store(messages, [...this.#living(), place], tail, next)
    const run = DueRun.start(this.#topics.due, place, sorted.slice(0, perPage * entryNumbers))
    // What has come meanwhile stands behind.
    this.#heap.dropBelow(before)
    this.#setRuns([...this.#runs, run])
  }

  /** True: {@link carry} would free much of the log. */
  get isWorthCarrying(): boolean {
    const [oldest] = this.#living()
    if (oldest === undefined || !Number.isFinite(this.#limits.inMemory)) return false
    const run = this.#runs.find(({ place }) => place === oldest)
    const end = this.#living()[1]?.since ?? this.#tail
    return run !== undefined && run.pagesLeft * this.#limits.perPage * worthCarrying <= end - oldest.since
  }

  /**
   * The oldest run ends: what is left of it is written anew, and is in memory.
   * @param copy appends a record once more. @returns its offset; undefined: it is not there
   */
  async carry(mark: DuePlace, copy: (entry: DueEntry) => Promise<number | undefined>): Promise<void> {
    const run = this.#runs.find(({ next }) => next !== undefined)
    if (run === undefined) return
    const left = await DueRun.behind(this.#topics.due, run.place, mark)
    for (let entry = left.next; entry !== undefined; ) {
      const place: DueEntry = entry
      let kept: DueEntry = place
      for (; entry !== undefined && isSamePlace(entry, place); entry = left.next) {
        // What is cancelled is not needed, and its cancellation is: the record may stand in another run as well.
        if (entry.isCancel) kept = entry
        await left.advance()
      }
      const at = await copy(kept)
      // Where copying fails later on it is there twice, in one place.
      if (at !== undefined) this.add({ ...kept, at })
    }
    this.#setRuns(this.#runs.filter((each) => each !== run))
    this.#hasEndedRuns = true
  }

  /** Records of `.later` below are needed by nobody, and messages of `.due` below `due`. @param before as for {@link spill} */
  async lowest(before: number): Promise<{ later: number; due: number }> {
    const runs = this.#living()
    if (this.#hasEndedRuns || runs.length < this.#runs.length) {
      const { next } = await this.#topics.due.bounds()
      // What could not be delivered is in memory, perhaps out of a run that is over.
      await this.#store([], runs, Math.min(this.#tail, this.#oldest(before)), next)
      this.#runs = this.#runs.filter(({ place }) => runs.includes(place))
      this.#hasEndedRuns = false
    }
    const { next } = await this.#topics.due.bounds()
    let later = this.#oldest(before)
    for (const { since } of runs) later = Math.min(later, since)
    // The last message is the manifest.
    return { later, due: runs.reduce((least, { fences }) => Math.min(least, fences), Math.max(0, next - 1)) }
  }

  /** The lowest offset of a record in memory. */
  #oldest(before: number): number {
    return [...this.#behind].reduce((least, { at }) => Math.min(least, at), this.#heap.lowestAt(before))
  }

  /** Runs that have entries left, oldest first. */
  #living(): RunPlace[] {
    return this.#runs.filter(({ next }) => next !== undefined).map(({ place }) => place)
  }

  /** @param at the offset that the first of the messages gets */
  async #store(messages: readonly Uint8Array[], runs: readonly RunPlace[], tail: number, at: number): Promise<void> {
    const manifest = [tail, ...runs.flatMap(({ fences, pages, since }) => [fences, pages, since])]
    const all = [...messages, encodeNumbers(manifest)]
    await this.#topics.due.appendMany(all, undefined, 'process', { expectedOffset: at })
    this.#tail = tail
  }

  async #loadRuns(mark: DuePlace): Promise<void> {
    const { due } = this.#topics
    const { first, next } = await due.bounds()
    if (next === first) return
    const [tail, ...numbers] = await numbersAt(due, next - 1)
    if (numbers.length % runNumbers !== 0 || !Number.isSafeInteger(tail)) throw new UnreadableRun('it is no manifest')
    const places: RunPlace[] = []
    for (let at = 0; at < numbers.length; at += runNumbers)
      places.push({ fences: numbers[at], pages: numbers[at + 1], since: numbers[at + 2] })
    this.#tail = tail
    this.#setRuns(await Promise.all(places.map((place) => DueRun.behind(due, place, mark))))
  }

  async #loadTail(mark: DuePlace, onDamage: OnDamage): Promise<void> {
    for await (const entry of entriesFrom(this.#topics.later, this.#tail, onDamage)) {
      if (comparePlaces(entry, mark) <= 0) continue
      this.add(entry)
      // All that is in there was walked.
      if (this.isFull) await this.spill(entry.at + 1)
    }
  }

  #setRuns(runs: DueRun[]): void {
    this.#runs = runs
    this.#tops.clear()
    for (const run of runs) if (run.next !== undefined) this.#tops.push(run)
  }

  #least(): DueEntry | undefined {
    const inRun = this.#tops.peek()?.next
    const inHeap = this.#heap.peek()
    if (inRun === undefined || inHeap === undefined) return inRun ?? inHeap
    return isBefore(inRun, inHeap) ? inRun : inHeap
  }

  /** @param least what {@link #least} has said. @returns a promise where a page has to be read for it */
  #pass(least: DueEntry): Promise<void> | undefined {
    const run = this.#tops.peek()
    if (run?.next !== least) {
      this.#heap.pop()
      return undefined
    }
    this.#tops.pop()
    const keep = () => {
      if (run.next !== undefined) this.#tops.push(run)
    }
    const loading = run.advance()
    if (loading !== undefined) return loading.then(keep)
    keep()
    return undefined
  }
}
