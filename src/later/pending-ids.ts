/**
 * Under which ids messages wait, for whoever asks: read out of the log at the first question, and noted from then on. What is cancelled is told, what is delivered is seen by its
 * place.
 */
import type { DueEntry } from './due-order.js'

/** A message that waits, and its id. */
export interface PendingId {
  readonly topic: string
  readonly id: string
  readonly entry: DueEntry
}

export interface PendingIdsParts {
  /** What waits in the log, and has an id. */
  read(): AsyncIterable<PendingId>
  /** False: it is delivered, or is about to be. */
  isWaiting(entry: DueEntry): boolean
}

/** When twice as many are known, those are left out that wait no more. */
const fewIds = 1_000

export class PendingIds {
  readonly #parts: PendingIdsParts
  /** Undefined: nobody has asked yet. */
  #known: Map<string, DueEntry> | undefined
  #reading: Promise<void> | undefined
  /** Numbers of what was cancelled while the log was read. */
  #cancelled: Set<number> | undefined
  #kept = fewIds

  constructor(parts: PendingIdsParts) {
    this.#parts = parts
  }

  /** False: what comes need not be noted. */
  get isAsked(): boolean {
    return this.#known !== undefined
  }

  /** The last that was scheduled under it, and not cancelled. @throws what reading the log throws */
  async get(topic: string, id: string): Promise<DueEntry | undefined> {
    this.#reading ??= this.#read()
    await this.#reading
    return this.#known?.get(nameOf({ topic, id }))
  }

  /** It is scheduled. */
  note({ entry, ...named }: PendingId): void {
    const known = this.#known
    if (known === undefined) return
    known.set(nameOf(named), entry)
    if (known.size <= 2 * this.#kept) return
    for (const [name, each] of known) if (!this.#parts.isWaiting(each)) known.delete(name)
    this.#kept = Math.max(fewIds, known.size)
  }

  /** It is cancelled, or delivered. */
  forget({ entry, ...named }: PendingId): void {
    this.#cancelled?.add(entry.id)
    const name = nameOf(named)
    if (this.#known?.get(name)?.id === entry.id) this.#known.delete(name)
  }

  async #read(): Promise<void> {
    // From here on what comes is noted, so that nothing is missed between.
    const known = new Map<string, DueEntry>()
    this.#known = known
    this.#cancelled = new Set()
    try {
      for await (const { entry, ...named } of this.#parts.read()) {
        const name = nameOf(named)
        if (!known.has(name) && !this.#cancelled.has(entry.id)) known.set(name, entry)
      }
      this.#kept = Math.max(fewIds, known.size)
    } catch (error) {
      this.#known = undefined
      this.#reading = undefined
      throw error
    } finally {
      this.#cancelled = undefined
    }
  }
}

function nameOf({ topic, id }: Pick<PendingId, 'topic' | 'id'>): string {
  return `${topic}/${id}`
}
