/**
 * Where a processor gets its messages: a seat in what this process has of the group.
 *
 * The order of a topic, or of its keys, cannot be left to the servers alone. A message that was lost on its way, or that a process held
 * which has died, comes again later, behind others. So where the next message at hand does not follow the last one, nothing is taken until
 * it is known that what is missing between them is done, or held here by somebody else.
 */
import type { WorkBooks, WorkDesk } from '../../dispatcher/processing/work-desk.js'
import type { ProcessOrder } from '../../engine/group-seat.js'
import { type LooseMessage, onlyTopic } from '../../messages/chunk-builder.js'
import type { Seat } from '../groups/demand.js'
import type { GroupShare } from '../groups/group-share.js'
import type { HeldMessage } from '../groups/leased-messages.js'
import { HeldRun } from './held-run.js'

/** What a desk needs of its group. */
export interface DeskHost {
  readonly topic: string
  readonly group: string
  /** False once the log closes. */
  readonly isOpen: boolean
  /** How far the group is by what the servers say. */
  committed(): Promise<number>
  /** Met where nobody waits for it. */
  onError(what: string, error: unknown): void
}

/** Asked for ahead of a processor at work; and behind a message that is missing no more than that is asked for quickly. */
const ahead = 1_024
/** What goes to a thread in one piece holds no more than this, and one message. */
const runBytes = 1 << 20
/** While a message is missing, or others are to acknowledge theirs, the servers are asked again and again, first soon and then this seldom. */
const lookAgainMs = { first: 5, longest: 250 }
/** Of what it takes. */
const holder = { release() {} }

type Stage = 'new' | 'open' | 'closed'

export class ShareDesk implements WorkDesk, Seat {
  readonly isConsumer = false
  readonly topic: { readonly id: number; readonly name: string }
  readonly name: string
  readonly ledger: WorkBooks
  readonly #share: GroupShare
  readonly #host: DeskHost
  readonly #isOrdered: boolean
  /** What it works on. */
  readonly #runs = new Set<HeldRun>()
  #stage: Stage = 'new'
  #removals = 0
  #waiting = 0
  /** In order: what is at or below this offset may be taken, in that generation. */
  #nextInOrder = 0
  #generation = -1
  #looking: Promise<void> | undefined
  #pauseMs: number = lookAgainMs.first

  constructor(share: GroupShare, host: DeskHost, order: ProcessOrder) {
    this.topic = { id: onlyTopic, name: host.topic }
    this.name = host.group
    this.#share = share
    this.#host = host
    this.#isOrdered = order !== 'none'
    this.ledger = {
      get generation() {
        return share.books.generation
      },
      get committed() {
        return share.books.committed
      },
      remaining: () => share.atHand,
    }
  }

  get changes(): Set<() => void> {
    return this.#share.books.changes
  }

  get needsOpen(): boolean {
    return this.#stage !== 'open' || this.#share.removals !== this.#removals
  }

  /** Nothing is asked for ahead of a processor that rests. */
  get room(): number {
    return this.#waiting > 0 || this.#runs.size > 0 ? ahead : 0
  }

  async open(from: 'first' | 'next'): Promise<void> {
    await this.#share.open(from)
    await this.#learn()
    if (this.#stage === 'closed') return
    this.#stage = 'open'
    this.#removals = this.#share.removals
    this.#share.enter(this)
  }

  /** One of the messages that it works on; undefined: it does so no more, since somebody went back. */
  held(offset: number): LooseMessage | undefined {
    for (const run of this.#runs) {
      const message = run.message(offset)
      if (message !== undefined) return message
    }
    return undefined
  }

  /** The processor has ended. */
  close(): void {
    this.#stage = 'closed'
    this.#share.leave(this)
    this.#share.serve()
  }

  takeInTurn(max: number): HeldRun | undefined {
    return this.#share.isAsked ? undefined : this.#take(max)
  }

  request(max: number): { lease: Promise<HeldRun | undefined>; cancel(): boolean } {
    let end: ((run: HeldRun | undefined) => void) | undefined
    const lease = new Promise<HeldRun | undefined>((resolve, reject) => {
      this.#waiting += 1
      const isOver = () => end === undefined
      const finish = (settle: () => void) => {
        if (isOver()) return
        end = undefined
        this.#waiting -= 1
        settle()
      }
      end = (run) => finish(() => resolve(run))
      const attempt = () => {
        if (isOver()) return true
        if (this.needsOpen || !this.#host.isOpen) end?.(undefined)
        else {
          const run = this.#take(max)
          if (run !== undefined) end?.(run)
        }
        return isOver()
      }
      // It may have been closed by a failure; and it looks at all who ask.
      this.#share.open('first').then(
        () => this.#share.serve(),
        (error) => finish(() => reject(error)),
      )
      this.#share.ask(attempt)
    })
    const cancel = () => {
      if (end === undefined) return false
      end(undefined)
      this.#share.serve()
      return true
    }
    return { lease, cancel }
  }

  /** What comes is taken when a thread is free for it: it travels with its task. */
  extend({ onOver }: { onOver(): void }): () => void {
    onOver()
    return () => {}
  }

  async acknowledge(run: HeldRun, first: number, end: number): Promise<void> {
    const done = this.#settle(run, first, end)
    const { generation } = run
    await Promise.all(done.map(({ message, reply }) => this.#share.acknowledge(generation, message.offset, reply)))
  }

  giveBack(run: HeldRun, first: number, end: number, attempt: number, delayMs: number): void {
    const given = this.#settle(run, first, end)
    // They come first again.
    if (run.generation === this.#generation) this.#nextInOrder = Math.min(this.#nextInOrder, first)
    for (const held of given) {
      if (delayMs > 0) this.#share.giveBack(run.generation, held, attempt, delayMs)
      // Now, not a turn later: until it is at hand it counts as taken, and what follows it could be taken before it.
      else this.#share.putBack(run.generation, held, attempt)
    }
  }

  #settle(run: HeldRun, first: number, end: number): readonly HeldMessage[] {
    const settled = run.settle(first, end)
    if (run.isSettled) this.#runs.delete(run)
    return settled
  }

  /** Asks the servers until everything below is done: others may do some of it, and say so to them alone. */
  async untilCommitted(target: number): Promise<void> {
    const isOver = () => this.#stage === 'closed' || this.#share.books.committed >= target
    for (let pauseMs = lookAgainMs.first; !isOver(); pauseMs = longer(pauseMs)) {
      await this.#learn().catch((error) => this.#host.onError(`the position of group "${this.name}"`, error))
      if (!isOver()) await pause(pauseMs)
    }
  }

  async #learn(): Promise<void> {
    const { generation } = this.#share.books
    this.#share.books.raise(generation, await this.#host.committed())
  }

  #take(max: number): HeldRun | undefined {
    const { generation } = this.#share.books
    if (generation !== this.#generation) this.#beginAnew(generation)
    const lowest = this.#share.peek()
    if (lowest === undefined || !this.#mayTake(lowest)) return undefined
    const messages: HeldMessage[] = []
    let bytes = 0
    for (let next = this.#share.peek(); next !== undefined && messages.length < max; next = this.#share.peek()) {
      const last = messages.at(-1)
      if (last !== undefined) {
        if (next.attempt !== last.attempt || bytes > runBytes) break
        if (this.#isOrdered && next.message.offset !== last.message.offset + 1) break
      }
      if (this.#share.take(holder) === undefined) break
      bytes += next.message.value.length
      messages.push(next)
    }
    if (messages.length === 0) return undefined
    // What is missing next is another message.
    this.#pauseMs = lookAgainMs.first
    const run = new HeldRun(generation, messages)
    this.#runs.add(run)
    this.#nextInOrder = Math.max(this.#nextInOrder, run.end)
    return run
  }

  /** A seek has its own beginning, and what was held before means nothing. */
  #beginAnew(generation: number): void {
    this.#generation = generation
    this.#nextInOrder = this.#share.books.committed
    this.#runs.clear()
  }

  #mayTake({ message: { offset } }: HeldMessage): boolean {
    if (!this.#isOrdered) return true
    const known = Math.max(this.#nextInOrder, this.#share.books.committed)
    let taken = known
    while (taken < offset && this.#share.isTaken(taken)) taken += 1
    if (taken >= offset) return true
    this.#looking ??= this.#lookBelow(offset).finally(() => {
      this.#looking = undefined
      this.#share.serve()
    })
    return false
  }

  /** Is what is missing below done, or with somebody in here? Then it may be taken; else it is looked again, a little later. */
  async #lookBelow(offset: number): Promise<void> {
    const { generation } = this.#share.books
    try {
      await this.#share.books.acksSettled()
      const isAllHere = await this.#share.hasAllGiven(offset)
      if (!isAllHere) await this.#learn()
      if (generation !== this.#share.books.generation || generation !== this.#generation) return
      // What is here and lower is taken first.
      if (isAllHere) this.#nextInOrder = Math.max(this.#nextInOrder, offset)
      if (isAllHere || this.#share.books.committed >= offset) {
        this.#pauseMs = lookAgainMs.first
        return
      }
    } catch (error) {
      this.#host.onError(`what is missing in group "${this.name}"`, error)
    }
    // Nobody asks for more while so much is at hand, and the server gives nothing again that nobody asks for.
    const missing = offset - Math.max(this.#nextInOrder, this.#share.books.committed)
    this.#share.askBeside(Math.max(1, Math.min(missing, ahead - this.#share.atHand)))
    await pause(this.#pauseMs)
    this.#pauseMs = longer(this.#pauseMs)
  }
}

function longer(pauseMs: number): number {
  return Math.min(lookAgainMs.longest, 2 * pauseMs)
}

/** Keeps no process running. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
