/**
 * Who waits for what is in the ring to be published, and then for the device: each hears of it in the order of the calls.
 *
 * The writer stamps offsets into the frames in place, and frees them: so their acknowledgement is read here before the space is
 * used again, see {@link Acknowledgements.settledHead}.
 */
import { Fifo } from '../../collections/fifo.js'
import type { Durability } from '../../engine/terms.js'
import { conflictError, idConflict, noSpaceError, registerConflict } from '../../failures.js'
import { frameBytes, frameKind, frameWord, kindOf, offsetOf } from '../../format/frame-layout.js'
import { belowOf, expectedOf, isChanged } from '../../format/guard-layout.js'
import { hiddenRest } from '../../format/hidden-topics.js'
import type { RingMemory } from '../../ring/append-ring.js'
import type { LaneWords } from '../../ring/lane-words.js'
import { type SharedState, writerState } from '../../ring/shared-state.js'
import { AwaitingDevice } from '../awaiting-device.js'
import type { TopicDirectory } from '../topic-directory.js'
import { type Waiter, type Watch, wakes } from '../watch.js'
import type { Answer } from './answer.js'
import { ChangedKeyError } from './changed-key.js'
import type { WrittenGroup } from './frame-intake.js'
import type { GroupOutcome } from './group-outcome.js'

/** Something in the ring whose publication is awaited. */
interface Pending {
  /** Ring position behind its last frame. */
  end: number
  /** Place of its first frame in the ring; -1: only the position is awaited. */
  at: number
  level: Durability
  /** With the offset, or what the outcome of the group says. */
  resolve(answer: never): void
  reject(error: unknown): void
  /** A group whose outcome is told the offsets of its messages. */
  group: WrittenGroup | undefined
  outcome: GroupOutcome<unknown> | undefined
  /** The offset that a lone message is to get, if any. */
  expected: number | undefined
}

export interface AcknowledgementsParts {
  state: SharedState
  lane: LaneWords
  memory: RingMemory
  topics: Pick<TopicDirectory, 'nameOf'>
  watch: Pick<Watch, 'register' | 'begin'>
  directory: string
}

export class Acknowledgements implements Waiter {
  readonly #parts: AcknowledgementsParts
  readonly #pending = new Fifo<Pending>()
  /** Published, and waiting for the device, by the ring positions behind them; with what they are answered. */
  readonly #unflushed: AwaitingDevice<never>
  /** How many of `#pending` need no flush: only for those the writer rings. */
  #pendingProcess = 0

  constructor(parts: AcknowledgementsParts) {
    this.#parts = parts
    this.#unflushed = new AwaitingDevice(parts.lane.flushedTo)
    parts.watch.register(this)
  }

  get count(): number {
    return this.#pending.length + this.#unflushed.length
  }

  /**
   * Resolves in its turn when everything before a ring position is published, or flushed where that is the level. Nobody is told before
   * that of what comes behind it.
   * @param end the position, behind frames that were just written, or what else was
   * @param at place of the first of those frames in the ring, a guard or not: its offset is the answer. -1: only the position is awaited, and whether the
   * writer had to refuse something before it
   * @param expected the offset that the message is to get, for who is told of another one
   */
  add(
    end: number,
    at: number,
    level: Durability,
    resolve: (offset: number) => void,
    reject: (error: unknown) => void,
    expected?: number,
  ): void {
    this.#push({ end, at, level, resolve, reject, group: undefined, outcome: undefined, expected })
  }

  #push(pending: Pending): void {
    const { level } = pending
    this.#pending.push(pending)
    if (level === 'process') this.#pendingProcess += 1
    this.#parts.watch.begin(level === 'process' ? wakes.withEveryBatch : wakes.anyway)
  }

  /** The same for an atomic group, whose outcome is told the offsets of all its messages. */
  addGroup<T>(
    end: number,
    written: WrittenGroup,
    level: Durability,
    { resolve, reject }: Answer<T>,
    outcome: GroupOutcome<T>,
  ): void {
    this.#push({ end, at: written.at, level, resolve, reject, group: written, outcome, expected: undefined })
  }

  /** Acknowledges what is published; returns the ring position up to which that is done. */
  settledHead(): number {
    const { state, lane, memory, directory } = this.#parts
    const head = lane.ringHead.load()
    const { words } = memory
    for (let next = this.#pending.peek(); next !== undefined && head >= next.end; next = this.#pending.peek()) {
      const { at, end, level, resolve, reject, group, outcome, expected } = next
      this.#pending.shift()
      if (level === 'process') this.#pendingProcess -= 1
      let answer: unknown = -1
      if (at >= 0) {
        const word = at >>> 2
        const tail = words[word + frameWord.tail]
        const kind = kindOf(tail)
        if (kind === frameKind.cancelled) {
          refuse(next, noSpaceError(state.writerErrno.load(), directory))
          continue
        }
        if (group !== undefined && outcome !== undefined) {
          try {
            answer = this.#outcomeAt(group, outcome)
          } catch (error) {
            reject(error)
            continue
          }
        } else if (kind === frameKind.conflict || kind === frameKind.refused) {
          reject(this.#conflictAt(at, expected))
          continue
        } else answer = offsetOf(words[word + frameWord.offsetLow], tail)
      }
      if (level === 'process') resolve(answer as never)
      else this.#unflushed.add(end, answer as never, resolve, reject)
    }
    this.#unflushed.settle()
    return head
  }

  settle(): void {
    this.settledHead()
  }

  /** @returns what its caller is answered. @throws the conflict, where one of its guards does not hold; what its outcome throws */
  #outcomeAt(group: WrittenGroup, outcome: GroupOutcome<unknown>): unknown {
    const { words } = this.#parts.memory
    const { told, records, places } = group
    const frames = this.#behindGuards(group, outcome)
    const offsets = told === undefined ? offsetsFrom(words, frames, records) : offsetsTold(words, group)
    return outcome.written(places === undefined ? offsets : places.map((place) => offsets[place]))
  }

  /** Where its messages stand. @throws the conflict */
  #behindGuards({ at: first, guards }: WrittenGroup, outcome: GroupOutcome<unknown>): number {
    const { words } = this.#parts.memory
    let at = first
    for (let guard = 0; guard < guards; guard++) {
      const word = at >>> 2
      if (kindOf(words[word + frameWord.tail]) === frameKind.conflict) {
        outcome.refused()
        throw this.#conflictAt(at)
      }
      at += frameBytes(words[word + frameWord.length])
    }
    return at
  }

  /** Of the guard there, or of the message that was to get the offset. */
  #conflictAt(at: number, wanted?: number): Error {
    const { memory, topics } = this.#parts
    const { words } = memory
    const word = at >>> 2
    const tail = words[word + frameWord.tail]
    const offset = offsetOf(words[word + frameWord.offsetLow], tail)
    const topic = topics.nameOf(words[word + frameWord.topic]) ?? ''
    if (kindOf(tail) === frameKind.refused) return conflictError(topic, wanted ?? offset, offset)
    const below = belowOf(words, at)
    if (below !== undefined) return registerConflict(hiddenRest(topic), below, offset)
    if (isChanged(words, at)) return new ChangedKeyError(topic)
    const expected = expectedOf(words, at) ?? offset
    // At that offset it could have gone on: it is the id that is known.
    return expected === offset ? idConflict(topic, offset) : conflictError(topic, expected, offset)
  }

  /** The disk is full: what the writer has refused is refused here, although its space is not free yet. */
  proceed(): void {
    const { state, lane, memory, directory } = this.#parts
    if (state.writerState.load() !== writerState.noSpace) return
    const refusedTo = lane.cancelledTo.load()
    // What has left the ring by then was not refused: the writer frees it first.
    this.settledHead()
    const error = noSpaceError(state.writerErrno.load(), directory)
    const left: Pending[] = []
    for (const pending of this.#pending.drain()) {
      const isRefused =
        refusedTo >= pending.end &&
        (pending.at < 0 || kindOf(memory.words[(pending.at >>> 2) + frameWord.tail]) === frameKind.cancelled)
      if (isRefused) refuse(pending, error)
      else left.push(pending)
    }
    for (const pending of left) this.#pending.push(pending)
    this.#pendingProcess = left.reduce((count, { level }) => count + (level === 'process' ? 1 : 0), 0)
  }

  get quickCount(): number {
    return this.#pendingProcess
  }

  /** What is on the device is the reaper's to report. */
  wakesAt(): number {
    if (this.#pendingProcess > 0) return wakes.withEveryBatch
    return this.count > 0 ? wakes.anyway : wakes.never
  }

  refuse(error: Error): void {
    for (const pending of this.#pending.drain()) refuse(pending, error)
    this.#unflushed.refuse(error)
    this.#pendingProcess = 0
  }
}

/** The writer has stamped each of them where it stands. */
function offsetsFrom(words: Uint32Array, from: number, records: number): number[] {
  const offsets = new Array<number>(records)
  let at = from
  for (let record = 0; record < records; record++) {
    const word = at >>> 2
    offsets[record] = offsetOf(words[word + frameWord.offsetLow], words[word + frameWord.tail])
    at += frameBytes(words[word + frameWord.length])
  }
  return offsets
}

/** Of messages that have gone past the ring, as the guards in it say them. */
function offsetsTold(words: Uint32Array, { at, told, records }: WrittenGroup): number[] {
  const offsets = new Array<number>(records)
  let record = 0
  let guard = at
  for (const { values, conditions } of told?.shares ?? []) {
    const first = offsetOf(words[(guard >>> 2) + frameWord.offsetLow], words[(guard >>> 2) + frameWord.tail])
    for (let index = 0; index < values.length; index++) offsets[record++] = first + index
    for (let behind = conditions.length; behind > 0; behind--)
      guard += frameBytes(words[(guard >>> 2) + frameWord.length])
  }
  return offsets
}

function refuse({ outcome, reject }: Pending, error: Error): void {
  outcome?.refused()
  reject(error)
}
