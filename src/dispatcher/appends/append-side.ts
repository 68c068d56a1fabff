/**
 * The append side of the dispatcher: what a topic asks for when it appends or flushes.
 *
 * It runs on the application's thread, so it never blocks (except in `flushSync`, which is asked to) and never touches a file of
 * the log. The way into the ring is frame-intake.ts, the way back is acknowledgements.ts; what is published is
 * published-messages.ts.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Durability, Extras, Payload, TransactionAnswer } from '../../engine/terms.js'
import { assert } from '../../errors.js'
import { noSpaceError } from '../../failures.js'
import { payloadRoom } from '../../format/frame-encoder.js'
import { frameBytes, frameFlag } from '../../format/frame-layout.js'
import type { Guard } from '../../format/guard-layout.js'
import { copyOf, copyOfExtras } from '../../messages/own-copies.js'
import { type RingMemory, RingProducer } from '../../ring/append-ring.js'
import type { LaneTable } from '../../ring/lane-table.js'
import type { LaneWords } from '../../ring/lane-words.js'
import { type SharedState, writerState } from '../../ring/shared-state.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import type { GroupCommits } from '../groups/group-commits.js'
import type { TopicDirectory, TopicHandle } from '../topic-directory.js'
import type { Watch } from '../watch.js'
import { Acknowledgements } from './acknowledgements.js'
import { type Answer, newAnswer } from './answer.js'
import { flushSync } from './flush-sync.js'
import { FrameIntake } from './frame-intake.js'
import { GroupAppends } from './group-appends.js'
import { GroupFrames } from './group-frames.js'
import { allOffsets } from './group-outcome.js'
import { PublishedMessages } from './published-messages.js'
import { type AskRecall, WithheldTopics } from './withheld-topics.js'

const encoder = new TextEncoder()

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

export class AppendSide {
  /** Its end of the ring. */
  readonly ring: RingProducer
  readonly messages: PublishedMessages
  readonly #parts: AppendSideParts
  readonly #acknowledgements: Acknowledgements
  readonly #intake: FrameIntake
  readonly #withheld: WithheldTopics
  readonly #groups: GroupAppends

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
    this.messages = new PublishedMessages(parts)
    watch.register(this.#withheld)
    this.#groups = new GroupAppends({
      ...{ acknowledgements, intake: this.#intake, withheld: this.#withheld, segmentBytes: parts.segmentBytes },
      begin: (level) => this.#begin(level),
      tail: () => this.ring.tail,
    })
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
    return this.#groups.append<number>(new GroupFrames([share]), level, undefined)
  }

  /**
   * Messages of several topics, all at one moment or not at all, and numbers of registers with them. Does not hold on to values after it has returned.
   * @param outcome told what becomes of it, whatever that is
   */
  transact(group: GroupFrames, level: Durability, outcome = allOffsets): Promise<TransactionAnswer> {
    if (group.topics === 0) return Promise.resolve(outcome.written([]))
    return this.#groups.append(group, level, outcome)
  }

  /** Resolves when everything handed over so far can be seen; at once where nothing is under way. */
  async published(): Promise<void> {
    if (this.pendingCount > 0) await this.flush('process')
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
}
