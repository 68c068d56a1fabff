/**
 * The append side of the dispatcher: what a topic asks for when it appends, flushes or waits for a message.
 *
 * It runs on the application's thread, so it never blocks (except in `flushSync`, which is asked to) and never touches a file of
 * the log. The way into the ring is frame-intake.ts, the way back is acknowledgements.ts.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Durability, Extras, Payload, TransactionAnswer } from '../../engine/terms.js'
import { assert, BookendError } from '../../errors.js'
import { noSpaceError } from '../../failures.js'
import { payloadRoom } from '../../format/frame-encoder.js'
import { frameBytes, frameFlag } from '../../format/frame-layout.js'
import type { Guard } from '../../format/guard-layout.js'
import { groupCost, groupFitsSegment } from '../../format/segment-layout.js'
import { copyOf, copyOfExtras } from '../../messages/own-copies.js'
import { type RingMemory, RingProducer } from '../../ring/append-ring.js'
import type { LaneTable } from '../../ring/lane-table.js'
import type { LaneWords } from '../../ring/lane-words.js'
import { type SharedState, writerState } from '../../ring/shared-state.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import type { GroupCommits } from '../groups/group-commits.js'
import type { TopicDirectory, TopicHandle } from '../topic-directory.js'
import { type Waiter, type Watch, wakes } from '../watch.js'
import { Acknowledgements } from './acknowledgements.js'
import { type Answer, newAnswer } from './answer.js'
import { flushSync } from './flush-sync.js'
import { FrameIntake, type WrittenGroup } from './frame-intake.js'
import { GroupFrames } from './group-frames.js'
import { allOffsets, type GroupOutcome } from './group-outcome.js'
import { type AskRecall, WithheldTopics } from './withheld-topics.js'

const encoder = new TextEncoder()

interface AwaitingMessage {
  topic: TopicHandle
  offset: number
  resolve(): void
  reject(error: unknown): void
}

export interface AppendSideParts {
  state: SharedState
  lanes: LaneTable
  lane: LaneWords<'application'>
  memory: RingMemory
  cells: TopicCells
  topics: TopicDirectory
  /** None where groups are another thread's. */
  commits: GroupCommits | undefined
  watch: Watch
  recallIds: AskRecall
  bulk: MessagePort
  directory: string
  segmentBytes: number
}

export class AppendSide implements Waiter {
  /** Its end of the ring. */
  readonly ring: RingProducer
  readonly #parts: AppendSideParts
  readonly #acknowledgements: Acknowledgements
  readonly #intake: FrameIntake
  readonly #withheld: WithheldTopics
  readonly #messages = new Set<AwaitingMessage>()

  constructor(parts: AppendSideParts) {
    const { lane, memory, watch } = parts
    this.#parts = parts
    const acknowledgements = new Acknowledgements(parts)
    // What the writer stamped into a frame is read before that frame's space is used again.
    this.ring = new RingProducer(memory, lane.ringTail, lane.ringHead, () => acknowledgements.settledHead())
    this.#acknowledgements = acknowledgements
    // Behind the acknowledgements: what waits for room goes on when they have been read.
    this.#intake = new FrameIntake({ ...parts, ring: this.ring })
    const { topics, cells } = parts
    this.#withheld = new WithheldTopics(
      parts.recallIds,
      (topic, span) => cells.raiseIdSpan(topics.numberFor(topic), span),
      (held) => {
        for (const { write, reject } of held) this.#intake.hold(write, reject)
        watch.look()
      },
    )
    watch.register(this)
  }

  get overflowCount(): number {
    return this.#intake.heldCount
  }

  get pendingCount(): number {
    return this.#acknowledgements.count + this.#intake.heldCount + this.#withheld.count
  }

  /** The fast path. False: no room now, nothing was taken. */
  offer(topic: TopicHandle, value: Payload, extras: Extras | undefined): boolean {
    const { failure } = this.#parts.watch
    if (failure !== undefined) throw failure
    if (topic.isWithheld) return false
    return this.#intake.offer(topic, value, extras)
  }

  /** Resolves when the last refused {@link offer} can succeed. */
  ready(topic: TopicHandle): Promise<void> {
    if (topic.isWithheld) return this.#withheld.whenPlain(topic).then(() => this.ready(topic))
    return new Promise((resolve, reject) => {
      const { failure } = this.#parts.watch
      if (failure !== undefined) reject(failure)
      else this.#intake.whenRoom(resolve, reject)
    })
  }

  append(
    topic: TopicHandle,
    value: Payload,
    extras: Extras | undefined,
    level: Durability,
    condition?: Guard,
  ): Promise<number> {
    assert(condition?.expectedVersion === undefined, 'the version of a key is looked up before the ring')
    const bytes = frameBytes(payloadRoom(value, extras))
    if (typeof value === 'string' && !this.#intake.fitsRing(bytes))
      return this.append(topic, encoder.encode(value), extras, level, condition)
    const answer = newAnswer<number>()
    try {
      this.#begin(level)
      if (condition?.id !== undefined) this.#withheld.need(topic, condition.id)
      const at = this.#mustWait(topic)
        ? -1
        : this.#intake.writeMessage(topic, value, extras, bytes, frameFlag.awaited, condition)
      if (at >= 0) this.#await(at, level, answer, condition)
      else this.#appendLater(topic, value, extras, bytes, level, answer, condition)
    } catch (error) {
      answer.reject(error)
    }
    return answer.promise
  }

  /** All or nothing: the values become one atomic group, behind the guard that judges the condition. */
  appendMany(
    topic: TopicHandle,
    values: readonly Payload[],
    extras: Extras | undefined,
    level: Durability,
    condition?: Guard,
  ): Promise<number> {
    const share = {
      ...{ topic, values },
      extras: extras === undefined ? [] : values.map(() => extras),
      conditions: condition === undefined ? [] : [condition],
    }
    return this.#appendGroup<number>(new GroupFrames([share]), level, undefined)
  }

  /**
   * Messages of several topics, all at one moment or not at all, and numbers of registers with them. Does not hold on to values after it has returned.
   * @param outcome told what becomes of it, whatever that is
   */
  transact(group: GroupFrames, level: Durability, outcome = allOffsets): Promise<TransactionAnswer> {
    if (group.topics === 0) return Promise.resolve(outcome.written([]))
    return this.#appendGroup(group, level, outcome)
  }

  /** @param outcome undefined: the answer is the offset of the first message, and nobody else is told */
  #appendGroup<T>(given: GroupFrames, level: Durability, outcome: GroupOutcome<T> | undefined): Promise<T> {
    const answer = newAnswer<T>()
    let group = given
    try {
      // What strings really come to is known when they are encoded.
      if (group.hasText && !(this.#fitsSegment(group) && this.#intake.fitsRing(group.bytes))) group = group.copied(true)
      if (!this.#fitsSegment(group)) throw this.#tooLarge(group)
      this.#begin(level)
      for (const { topic, conditions } of group.shares)
        for (const { id } of conditions) if (id !== undefined) this.#withheld.need(topic, id)
      const topic = this.#firstWithheld(group)
      const written = this.#intake.heldCount > 0 || topic !== undefined ? undefined : this.#intake.writeGroup(group)
      if (written !== undefined) this.#awaitGroup(written, level, answer, outcome)
      else this.#appendGroupLater(group === given ? group.copied(false) : group, topic, level, answer, outcome)
    } catch (error) {
      outcome?.refused()
      answer.reject(error)
    }
    return answer.promise
  }

  #fitsSegment({ bytes, records, topics }: GroupFrames): boolean {
    return groupFitsSegment(this.#parts.segmentBytes, bytes, records, topics)
  }

  /** Each topic, and each register, may have to be declared anew: with many of them that is the most of it. */
  #tooLarge({ bytes, records, topics, registers }: GroupFrames): BookendError {
    const { segmentBytes } = this.#parts
    const set = registers.length === 0 ? '' : ` and ${registers.length} registers`
    const most = groupCost(bytes, records, topics)
    const message = `${records} messages${set} may take ${most} bytes, which is more than one segment of ${segmentBytes} bytes holds, so they cannot be written all or nothing: write them in parts`
    return new BookendError('BOOKEND_TOO_LARGE', message)
  }

  /** @param topic of those that are withheld */
  #appendGroupLater<T>(
    group: GroupFrames,
    topic: TopicHandle | undefined,
    level: Durability,
    answer: Answer<T>,
    outcome: GroupOutcome<T> | undefined,
  ): void {
    const reject = (error: unknown) => {
      outcome?.refused()
      answer.reject(error)
    }
    const write = () => {
      // Its other topics may wait for longer than the one that it stood in line with.
      const still = this.#firstWithheld(group)
      if (still !== undefined) {
        this.#withheld.hold(still, { write, reject })
        return true
      }
      if (level === 'disk') this.#intake.wantFlush()
      try {
        const written = this.#intake.writeGroup(group)
        if (written === undefined) return false
        this.#awaitGroup(written, level, answer, outcome)
      } catch (error) {
        // Its own affair, as if it had been written at once: those behind it go on.
        reject(error)
      }
      return true
    }
    if (topic !== undefined) this.#withheld.hold(topic, { write, reject })
    else this.#intake.hold(write, reject)
  }

  /** Resolves when everything handed over so far can be seen; at once where nothing is under way. */
  async published(): Promise<void> {
    if (this.pendingCount > 0) await this.flush('process')
  }

  #firstWithheld({ shares }: GroupFrames): TopicHandle | undefined {
    return shares.find(({ topic }) => topic.isWithheld)?.topic
  }

  /** Everything handed over so far has reached the level. Without space that fails only where something waits for space. */
  flush(level: Durability): Promise<void> {
    if (this.#withheld.count > 0) return this.#withheld.whenAllPlain().then(() => this.flush(level))
    return new Promise((resolve, reject) => {
      const write = () => {
        if (level === 'disk' && !this.#isFlushed() && !this.#intake.writeMark()) return false
        this.#acknowledgements.add(this.ring.tail, -1, level, () => resolve(), reject)
        return true
      }
      // What throws in here rejects the promise.
      this.#parts.watch.checkWorking()
      // In its place behind everything that still waits for room.
      if (this.#intake.heldCount > 0 || !write()) this.#intake.hold(write, reject)
      this.#intake.publish()
      this.#parts.watch.look()
    })
  }

  /** {@link flush}, blocking this thread, of group commits as well. */
  flushSync(level: Durability): void {
    this.#withheld.releaseAll()
    flushSync({ ...this.#parts, ring: this.ring, intake: this.#intake, isFlushed: () => this.#isFlushed() }, level)
  }

  /** Resolves when the topic has a message at `offset`, rejects when appending has ended; returns what stops waiting. */
  whenNext(topic: TopicHandle, offset: number, resolve: () => void, reject: (error: unknown) => void): () => void {
    const { watch, lanes, lane } = this.#parts
    // Before the look: from here on the writer rings for messages of every lane.
    lanes.following.add(lane.number)
    // One look: the writer publishes at any moment, and a message that comes between two would be waited for, for ever.
    const isThere = this.nextOf(topic) > offset
    if (isThere) resolve()
    else if (watch.failure !== undefined) reject(watch.failure)
    if (isThere || watch.failure !== undefined) return () => {}
    const waiter = { topic, offset, resolve, reject }
    this.#messages.add(waiter)
    watch.begin(wakes.withEveryBatch)
    return () => this.#messages.delete(waiter)
  }

  nextOf(topic: TopicHandle): number {
    const { id } = topic
    return id < 0 ? 0 : this.#parts.cells.nextOf(id)
  }

  firstOf(topic: TopicHandle): number {
    const { id } = topic
    return id < 0 ? 0 : this.#parts.cells.firstOf(id)
  }

  /** Messages are told of behind all acknowledgements. */
  settle(): void {}

  proceed(): void {
    for (const waiter of this.#messages) {
      if (this.nextOf(waiter.topic) <= waiter.offset) continue
      this.#messages.delete(waiter)
      waiter.resolve()
    }
    const { lanes, lane } = this.#parts
    if (this.#messages.size === 0 && lanes.following.has(lane.number)) lanes.following.remove(lane.number)
  }

  wakesAt(): number {
    return this.#messages.size > 0 ? wakes.withEveryBatch : wakes.never
  }

  refuse(error: Error): void {
    for (const { reject } of this.#messages) reject(error)
    this.#messages.clear()
    this.#withheld.refuse(error)
  }

  /** In its place behind what waits already. */
  #mustWait(topic: TopicHandle): boolean {
    return this.#intake.heldCount > 0 || topic.isWithheld
  }

  /** Nothing is left to be flushed, of what went through this ring and of what did not. */
  #isFlushed(): boolean {
    const { state, lane } = this.#parts
    return lane.flushedTo.load() >= this.ring.tail && state.durable.load() >= state.published.load()
  }

  /** Before something that is awaited is written. @throws the error that ended everything; the lack of space, where the writer waits for some */
  #begin(level: Durability): void {
    const { state, directory, watch } = this.#parts
    watch.checkWorking()
    if (state.writerState.load() === writerState.noSpace) throw noSpaceError(state.writerErrno.load(), directory)
    if (level === 'disk') this.#intake.wantFlush()
  }

  #appendLater(
    topic: TopicHandle,
    value: Payload,
    extras: Extras | undefined,
    bytes: number,
    level: Durability,
    answer: Answer<number>,
    condition: Guard | undefined,
  ): void {
    // The caller may use its buffers again: what waits for room is a copy.
    const [own, its] = [copyOf(value), copyOfExtras(extras)]
    const write = () => this.#intake.writeMessage(topic, own, its, bytes, frameFlag.awaited, condition)
    this.#hold(topic, write, level, answer, condition)
  }

  /** @param write puts it into the ring and returns its place; -1: there is no room now */
  #hold(
    topic: TopicHandle,
    write: () => number,
    level: Durability,
    answer: Answer<number>,
    condition: Guard | undefined,
  ): void {
    const writeLater = () => {
      if (level === 'disk') this.#intake.wantFlush()
      try {
        const at = write()
        if (at < 0) return false
        this.#await(at, level, answer, condition)
      } catch (error) {
        // Its own affair, as if it had been written at once: those behind it go on.
        answer.reject(error)
      }
      return true
    }
    if (topic.isWithheld) this.#withheld.hold(topic, { write: writeLater, reject: answer.reject })
    else this.#intake.hold(writeLater, answer.reject)
  }

  /** @param at place of the first frame of what was written last */
  #await(at: number, level: Durability, { resolve, reject }: Answer<number>, condition: Guard | undefined): void {
    this.#acknowledgements.add(this.ring.tail, at, level, resolve, reject, condition?.expectedOffset)
  }

  #awaitGroup<T>(
    written: WrittenGroup,
    level: Durability,
    answer: Answer<T>,
    outcome: GroupOutcome<T> | undefined,
  ): void {
    if (outcome !== undefined) this.#acknowledgements.addGroup(this.ring.tail, written, level, answer, outcome)
    else
      this.#acknowledgements.add(
        this.ring.tail,
        written.at,
        level,
        answer.resolve as (first: unknown) => void,
        answer.reject,
      )
  }
}
