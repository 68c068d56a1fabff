/**
 * Who waits for what is in the ring to be published, and then for the device: each hears of it in the order of the calls.
 *
 * The writer stamps offsets into the frames in place, and frees them: so their acknowledgement is read here before the space is
 * used again, see {@link Acknowledgements.settledHead}.
 */
import { Fifo } from '../../collections/fifo.js'
import type { Durability } from '../../engine/terms.js'
import { noSpaceError } from '../../failures.js'
import { frameKind, frameWord, kindOf, offsetOf } from '../../format/frame-layout.js'
import type { RingMemory } from '../../ring/append-ring.js'
import { type SharedState, writerState } from '../../ring/shared-state.js'
import { type Waiter, type Watch, wakes } from '../watch.js'

/** Something in the ring whose publication is awaited. */
interface Pending {
  /** Ring position behind its last frame. */
  end: number
  /** Place of its first frame in the ring; -1: only the position is awaited. */
  at: number
  level: Durability
  resolve(offset: number): void
  reject(error: unknown): void
}

/** An append that is published and whose flush is awaited. */
interface Unflushed {
  /** Ring position behind its last frame. */
  end: number
  offset: number
  resolve(offset: number): void
  reject(error: unknown): void
}

/** A `flush('disk')` behind whose last message the log reaches this position. */
interface AwaitingFlush {
  position: number
  resolve(): void
  reject(error: unknown): void
}

export interface AcknowledgementsParts {
  state: SharedState
  memory: RingMemory
  watch: Pick<Watch, 'register' | 'begin'>
  directory: string
}

export class Acknowledgements implements Waiter {
  readonly #parts: AcknowledgementsParts
  readonly #pending = new Fifo<Pending>()
  /** In the order of the calls, which is that of the log. */
  readonly #unflushed = new Fifo<Unflushed>()
  #flushes: AwaitingFlush[] = []
  /** How many of `#pending` need no flush: only for those the writer rings. */
  #pendingProcess = 0

  constructor(parts: AcknowledgementsParts) {
    this.#parts = parts
    parts.watch.register(this)
  }

  get count(): number {
    return this.#pending.length + this.#unflushed.length + this.#flushes.length
  }

  /**
   * Frames that were just written to the ring are awaited.
   * @param end ring position behind the last of them
   * @param at place of the first in the ring; its offset is the answer
   */
  add(
    end: number,
    at: number,
    level: Durability,
    resolve: (offset: number) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#pending.push({ end, at, level, resolve, reject })
    if (level === 'process') this.#pendingProcess += 1
    this.#parts.watch.begin(level === 'process' ? wakes.withEveryBatch : wakes.anyway)
  }

  /** Resolves in its turn when everything before this ring position is published, or refused. */
  addPosition(end: number, resolve: () => void, reject: (error: unknown) => void): void {
    this.add(end, -1, 'process', resolve, reject)
  }

  /** Everything published so far is on the device. */
  addFlush(resolve: () => void, reject: (error: unknown) => void): void {
    const { state, watch } = this.#parts
    const position = state.published.load()
    if (state.durable.load() >= position) {
      resolve()
      return
    }
    this.#flushes.push({ position, resolve, reject })
    state.flushRequest.add(1)
    state.reaper.ringIfAsleep()
    watch.begin(wakes.anyway)
  }

  /** Acknowledges what is published; returns the ring position up to which that is done. */
  settledHead(): number {
    const { state, memory, directory } = this.#parts
    const head = state.ringHead.load()
    const { words } = memory
    for (let next = this.#pending.peek(); next !== undefined && head >= next.end; next = this.#pending.peek()) {
      const { at, end, level, resolve, reject } = next
      this.#pending.shift()
      if (level === 'process') this.#pendingProcess -= 1
      if (at < 0) {
        resolve(-1)
        continue
      }
      const word = at >>> 2
      const tail = words[word + frameWord.tail]
      if (kindOf(tail) === frameKind.cancelled) {
        reject(noSpaceError(state.writerErrno.load(), directory))
        continue
      }
      const offset = offsetOf(words[word + frameWord.offsetLow], tail)
      if (level === 'process') resolve(offset)
      else this.#unflushed.push({ end, offset, resolve, reject })
    }
    if (this.#unflushed.length > 0) this.#settleUnflushed()
    if (this.#flushes.length > 0) this.#settleFlushes()
    return head
  }

  settle(): void {
    this.settledHead()
  }

  /** The disk is full: what the writer has refused is refused here, although its space is not free yet. */
  proceed(): void {
    const { state, memory, directory } = this.#parts
    if (state.writerState.load() !== writerState.noSpace) return
    const refusedTo = state.cancelledTo.load()
    const error = noSpaceError(state.writerErrno.load(), directory)
    const left: Pending[] = []
    for (const pending of this.#pending.drain()) {
      const isRefused =
        refusedTo >= pending.end &&
        (pending.at < 0 || kindOf(memory.words[(pending.at >>> 2) + frameWord.tail]) === frameKind.cancelled)
      if (isRefused) pending.reject(error)
      else left.push(pending)
    }
    for (const pending of left) this.#pending.push(pending)
    this.#pendingProcess = left.reduce((count, { level }) => count + (level === 'process' ? 1 : 0), 0)
  }

  /** What is on the device is the reaper's to report. */
  wakesAt(): number {
    if (this.#pendingProcess > 0) return wakes.withEveryBatch
    return this.count > 0 ? wakes.anyway : wakes.never
  }

  refuse(error: Error): void {
    for (const { reject } of this.#pending.drain()) reject(error)
    for (const { reject } of this.#unflushed.drain()) reject(error)
    for (const { reject } of this.#flushes) reject(error)
    this.#flushes = []
    this.#pendingProcess = 0
  }

  /** The writer has asked for their flush, as soon as it had published them: see shared-state.ts. */
  #settleUnflushed(): void {
    const flushedTo = this.#parts.state.flushedTo.load()
    for (
      let next = this.#unflushed.peek();
      next !== undefined && next.end <= flushedTo;
      next = this.#unflushed.peek()
    ) {
      this.#unflushed.shift()
      next.resolve(next.offset)
    }
  }

  #settleFlushes(): void {
    const durable = this.#parts.state.durable.load()
    const left: AwaitingFlush[] = []
    for (const waiter of this.#flushes) {
      if (waiter.position <= durable) waiter.resolve()
      else left.push(waiter)
    }
    this.#flushes = left
  }
}
