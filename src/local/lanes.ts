/**
 * The lanes of other threads, as the thread has them that opened the log: it gives them away, hears that their threads have ended, and does
 * not close the log before all of them are drained.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { KeepAlive } from '../dispatcher/keep-alive.js'
import type { TopicDirectory } from '../dispatcher/topic-directory.js'
import { type Waiter, type Watch, wakes } from '../dispatcher/watch.js'
import { BookendError } from '../errors.js'
import { noSpaceError } from '../failures.js'
import { RingMemory } from '../ring/append-ring.js'
import { type LaneTable, maxLanes, ownerLane } from '../ring/lane-table.js'
import { logEnds, type SharedState, writerState } from '../ring/shared-state.js'
import { transfer } from '../threads/control-plane.js'
import type { SharedMemory } from '../threads/shared-memory.js'
import { callWriter, type StartingThreads } from './starting-threads.js'

/** What a thread needs to append. Goes to it by a message, with `bulk` in the transfer list. */
export interface LaneGrant {
  shared: SharedMemory
  lane: number
  /** Of this lane alone. */
  ring: SharedArrayBuffer
  /** Numbers of topics: see TopicDirectory. */
  names: SharedArrayBuffer
  /** For frames that do not fit the ring. */
  bulk: MessagePort
}

export interface LanesParts {
  readonly threads: Pick<StartingThreads, 'shared' | 'state' | 'lanes' | 'writerControl'>
  readonly topics: Pick<TopicDirectory, 'share'>
  readonly watch: Pick<Watch, 'register' | 'begin' | 'checkWorking'>
  readonly keepAlive: KeepAlive
  readonly directory: string
  /** Of each ring. */
  readonly ringBytes: number
}

export class Lanes implements Waiter {
  readonly #parts: LanesParts
  readonly #table: LaneTable
  readonly #state: SharedState<'application'>
  /** Set while the log closes: what has to be taken first. */
  #draining: { tails: number[]; resolve(): void; reject(error: unknown): void } | undefined

  constructor(parts: LanesParts) {
    this.#parts = parts
    this.#table = parts.threads.lanes
    this.#state = parts.threads.state
    parts.watch.register(this)
  }

  /**
   * A lane for another thread; the writer knows it when this resolves.
   * @throws `BOOKEND_NO_SPACE` where all are in use, the error that has ended appending
   */
  async open(): Promise<LaneGrant> {
    const { threads, topics, watch, keepAlive, ringBytes } = this.#parts
    watch.checkWorking()
    const lane = this.#table.claim()
    if (lane === undefined) {
      const message = `${maxLanes - 1} threads are connected to this log, and it takes no more: close it in one of them`
      throw new BookendError('BOOKEND_NO_SPACE', message)
    }
    const ring = RingMemory.allocate(ringBytes)
    const { port1: bulk, port2 } = new MessageChannel()
    await keepAlive.during(callWriter(threads, (writer) => writer.attach(lane, ring, transfer(port2, [port2]))))
    return { shared: threads.shared, lane, ring, names: topics.share(), bulk }
  }

  /**
   * The lane's thread has ended, however that came, or has closed its log: it hands nothing over any more. What it has handed over is
   * written; then the lane is free. Once for every {@link open}.
   */
  ended(lane: number): void {
    this.#table.end(lane)
    // Read-only, there is nothing to be taken and nobody who would.
    if (this.#parts.threads.writerControl === undefined) this.#table.free(lane)
    this.#state.writer.ringIfAsleep()
  }

  /** The log closes: no thread's appends are taken any more but for what they have handed over. Resolves when that is published. */
  async drain(): Promise<void> {
    this.#end(logEnds.closed)
    // The tails come behind the word: whoever hands over later finds it.
    const tails = this.#table.tails()
    this.#table.following.add(ownerLane)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#draining = { tails, resolve, reject }
        this.#parts.watch.begin(wakes.withEveryBatch)
        this.settle()
      })
    } finally {
      this.#draining = undefined
      this.#table.following.remove(ownerLane)
    }
  }

  /** Nothing is appended any more: other threads hear of it. */
  appendingEnded(role: 'writer' | 'reaper'): void {
    this.#end(role === 'writer' ? logEnds.writerDied : logEnds.reaperDied)
  }

  settle(): void {
    const { directory } = this.#parts
    if (this.#draining === undefined) return
    if (this.#table.areTaken(this.#draining.tails)) this.#draining.resolve()
    else if (this.#state.writerState.load() === writerState.noSpace)
      this.#draining.reject(noSpaceError(this.#state.writerErrno.load(), directory))
  }

  /** Behind those who wait for messages, and may have had the writer ring no more for other lanes. */
  proceed(): void {
    if (this.#draining === undefined) return
    this.#table.following.add(ownerLane)
    // What was taken before is not rung for.
    this.settle()
  }

  wakesAt(): number {
    return this.#draining === undefined ? wakes.never : wakes.withEveryBatch
  }

  refuse(error: Error): void {
    this.#draining?.reject(error)
  }

  #end(why: number): void {
    if (this.#state.logEnd.load() !== logEnds.open) return
    this.#state.logEnd.store(why)
    this.#table.bells.ring()
  }
}
