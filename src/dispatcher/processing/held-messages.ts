/** What a processor holds of its group: leased at the desk, acknowledged as far as it is done, given back where it is left. */
import type { LeasedWindow } from './leased-window.js'
import type { Wakeups } from './wakeups.js'
import type { WorkBooks, WorkDesk, WorkLease } from './work-desk.js'

/** A message that a processor holds, by the books of that generation. */
export interface OwnMessage {
  readonly generation: number
  readonly offset: number
}

export interface HeldMessagesParts {
  readonly desk: WorkDesk
  readonly wakeups: Wakeups
  /** False: no more messages are to be begun. */
  isWorking(): boolean
  /** More of the group is done. */
  onAcknowledged(): void
  /** An acknowledgement could not be written. */
  onFailure(error: unknown): void
}

export class HeldMessages {
  readonly #parts: HeldMessagesParts
  /** The books of the group as it was when the processor began: those of another life of it are not ours. */
  #ledger: WorkBooks | undefined
  /** Acknowledgements that are not written yet. */
  readonly #commits = new Set<Promise<void>>()

  constructor(parts: HeldMessagesParts) {
    this.#parts = parts
  }

  async open(from: 'first' | 'next'): Promise<void> {
    await this.#parts.desk.open(from)
    this.#ledger = this.#parts.desk.ledger
  }

  /** False once the group was removed. */
  isOurs(): boolean {
    const { desk } = this.#parts
    return !desk.needsOpen && desk.ledger === this.#ledger
  }

  /** False once a seek or a removal has made the window meaningless. */
  isCurrent({ lease }: LeasedWindow): boolean {
    return this.isOurs() && this.#ledger?.generation === lease.generation
  }

  /** Everything below is done; -1 if that cannot be said. */
  get committed(): number {
    return this.#ledger !== undefined && this.isOurs() ? this.#ledger.committed : -1
  }

  /** Messages not done yet, below `end`. */
  remaining(end: number): number {
    return this.#parts.desk.ledger.remaining(end)
  }

  /** Resolves when all acknowledgements so far are written. */
  async written(): Promise<void> {
    await Promise.all(this.#commits)
  }

  /**
   * Messages, as soon as there are any; undefined: no more are to be begun.
   * @param atHand tells how many, if there are some now
   * @param awaited how many, if they have to be waited for
   */
  async lease(atHand: () => number, awaited: number): Promise<WorkLease | undefined> {
    const { desk, wakeups, isWorking } = this.#parts
    if (!isWorking() || !this.isOurs()) return undefined
    const taken = desk.takeInTurn(atHand())
    if (taken !== undefined) return taken
    const { lease, cancel } = desk.request(awaited)
    let isSettled = false
    const settle = () => {
      isSettled = true
      wakeups.wake()
    }
    lease.then(settle, settle)
    await wakeups.until(() => isSettled || !isWorking())
    if (isWorking()) return lease
    // Given up, unless it was served in the same moment.
    const giveBack = (late: WorkLease | undefined) => late && desk.giveBack(late, late.first, late.end, late.attempt, 0)
    if (!cancel()) await lease.then(giveBack, ignore)
    return undefined
  }

  /** The lane is done below `to`: what all lanes have passed is acknowledged. */
  pass(window: LeasedWindow, lane: number, to: number): void {
    const { desk, onAcknowledged, onFailure } = this.#parts
    const { first, end } = window.pass(lane, to)
    if (first === end || !this.isCurrent(window)) return
    const commit = desk
      .acknowledge(window.lease, first, end)
      .catch(onFailure)
      .finally(() => this.#commits.delete(commit))
    this.#commits.add(commit)
    onAcknowledged()
  }

  /** Whether the message is done after all: its thread may have handed that over before it ended. */
  async isDone({ lease }: LeasedWindow, offset: number): Promise<boolean> {
    const range = { first: offset, end: offset + 1 }
    return (await this.#parts.desk.transactions?.isDoneFor(lease.generation, [range])) === true
  }

  /** What nobody has done is for others, or for us later. */
  giveBack(window: LeasedWindow): void {
    if (!this.isCurrent(window)) return
    for (const { first, end, attempt } of window.rest()) this.#parts.desk.giveBack(window.lease, first, end, attempt, 0)
  }

  /** One message comes again, as this attempt and not before `delayMs`, while the others go on. */
  giveBackAlone(window: LeasedWindow, offset: number, attempt: number, delayMs: number): void {
    if (this.isCurrent(window)) this.#parts.desk.giveBack(window.lease, offset, offset + 1, attempt, delayMs)
  }

  /** What is published behind the window becomes part of it, in its turn. @returns what gives that up */
  extend(window: LeasedWindow, room: () => number, onExtended: () => void, onOver: () => void): () => void {
    return this.#parts.desk.extend({
      lease: window.lease,
      get end() {
        return window.end
      },
      room,
      onExtended: (end) => {
        window.grow(end)
        onExtended()
      },
      onOver,
    })
  }
}

function ignore(): void {}
