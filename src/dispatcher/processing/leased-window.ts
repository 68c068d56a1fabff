/**
 * Messages that a processor holds, and how far each of its lanes has come in them.
 *
 * A lane passes its own messages in order and skips those of other lanes, so what every lane has passed is done: that prefix is
 * acknowledged, each offset once. What is left when all lanes have gone is given back. It may grow at its end while all lanes are
 * inside; the tasks that are under way over it are told so.
 */
import { assert } from '../../errors.js'
import type { HandlerWords } from '../../ring/handler-words.js'
import type { WorkLease } from './work-desk.js'

/** A task under way, and what of it is in the statistics already. */
export interface LaneTask {
  readonly words: HandlerWords
  handled: number
  failed: number
}

export class LeasedWindow {
  readonly lease: WorkLease
  readonly #cursors: number[]
  readonly #tasks: (LaneTask | undefined)[]
  #end: number
  #isOpen = false
  #passed: number
  #lanesInside: number
  /** Attempts that come next, of messages that failed and are still here. */
  readonly #attempts = new Map<number, number>()

  constructor(lease: WorkLease, lanes: number) {
    this.lease = lease
    this.#cursors = new Array<number>(lanes).fill(lease.first)
    this.#tasks = new Array<LaneTask | undefined>(lanes).fill(undefined)
    this.#end = lease.end
    this.#passed = lease.first
    this.#lanesInside = lanes
  }

  /** Everything of the lane below is done. */
  cursor(lane: number): number {
    return this.#cursors[lane]
  }

  /** That of the lease, or further on where the window has grown. */
  get end(): number {
    return this.#end
  }

  get count(): number {
    return this.#end - this.lease.first
  }

  /** It may grow. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  open(): void {
    this.#isOpen = true
  }

  /** More messages are leased, right behind the others. */
  grow(end: number): void {
    assert(this.#isOpen && end > this.#end, 'only an open window grows, and only at its end')
    this.#end = end
    for (const task of this.#tasks) task?.words.extend(end)
  }

  /** It grows no more: its tasks end with it. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    for (const task of this.#tasks) task?.words.close()
  }

  /** The task of that lane that is under way. */
  task(lane: number): LaneTask | undefined {
    return this.#tasks[lane]
  }

  setTask(lane: number, task: LaneTask | undefined): void {
    this.#tasks[lane] = task
  }

  /** How many messages the slowest lane has before it, as far as its task has told. */
  get ahead(): number {
    return this.#end - Math.min(...this.#cursors.map((cursor, lane) => this.#tasks[lane]?.words.progress ?? cursor))
  }

  /** The lane is done below `to`. Returns what all lanes have now passed, and had not before. */
  pass(lane: number, to: number): { first: number; end: number } {
    const end = Math.min(to, this.#end)
    assert(end >= this.#cursors[lane], 'a lane never goes back')
    this.#cursors[lane] = end
    const first = this.#passed
    this.#passed = Math.min(...this.#cursors)
    return { first, end: this.#passed }
  }

  /** The message the only lane stands at is not ours any more. */
  drop(): void {
    assert(this.#cursors.length === 1, 'only a window of one lane can let go of a message')
    this.#cursors[0] += 1
    this.#passed = this.#cursors[0]
  }

  /** The message has failed, and is tried again by us, as this attempt. */
  noteAttempt(offset: number, attempt: number): void {
    this.#attempts.set(offset, attempt)
  }

  /** A lane has nothing more to do here. True: it was the last one. */
  leave(): boolean {
    this.#lanesInside -= 1
    return this.#lanesInside === 0
  }

  /** What nobody has done, with the attempt it comes back as. */
  *rest(): Iterable<{ first: number; end: number; attempt: number }> {
    const { attempt } = this.lease
    const end = this.#end
    let first = this.#passed
    const failed = [...this.#attempts].filter(([offset]) => offset >= first).sort(([a], [b]) => a - b)
    for (const [offset, next] of failed) {
      if (offset > first) yield { first, end: offset, attempt }
      yield { first: offset, end: offset + 1, attempt: next }
      first = offset + 1
    }
    if (first < end) yield { first, end, attempt }
  }
}
