/**
 * The way into the ring: values become frames, and what there is no room for waits.
 *
 * Everything handed over is in one order: what does not fit the ring waits here, and while anything waits, all that comes later
 * waits behind it.
 */
import type { MessagePort } from 'node:worker_threads'
import { Fifo } from '../../collections/fifo.js'
import type { Extras, Payload } from '../../engine/terms.js'
import { noSpaceError } from '../../failures.js'
import { type FeatureSet, featureSet, noFeature } from '../../format/features.js'
import {
  declarePayloadLength,
  payloadRoom,
  writeBulkFrame,
  writeDeclareFrame,
  writeExpectedOffset,
  writeFrame,
  writePaddingFrame,
  writePlainFrame,
} from '../../format/frame-encoder.js'
import { bulkPayloadBytes, frameBytes, frameFlag } from '../../format/frame-layout.js'
import { type Guard, guardBytes, needBytes, writeGuardFrame, writeNeedFrame } from '../../format/guard-layout.js'
import { topicFeatures } from '../../format/hidden-topics.js'
import { ringShareForOneAppend } from '../../limits.js'
import type { RingProducer } from '../../ring/append-ring.js'
import type { LaneTable } from '../../ring/lane-table.js'
import type { LaneWords } from '../../ring/lane-words.js'
import { logEnds, type SharedState, writerState } from '../../ring/shared-state.js'
import type { TopicDirectory, TopicHandle } from '../topic-directory.js'
import { type Waiter, type Watch, wakes } from '../watch.js'
import { GroupFrames } from './group-frames.js'
import { isOffsetAlone, noConditions, ownConditionsOf } from './own-conditions-of.js'

const encoder = new TextEncoder()

/** Frames are published to the writer at the end of the turn, or sooner when this much has gathered. */
const publishEveryBytes = 16 * 1024
/** The same where the device is awaited: what is handed over a moment later waits for the flush after this one. */
const publishForFlushBytes = 256 * 1024

/** Something handed over that the ring had no room for. */
export interface HeldBack {
  /** Tries to put it into the ring; false: still no room. */
  write(): boolean
  reject(error: unknown): void
}

/** Its place in the ring. */
export interface WrittenGroup {
  /** Of the first frame: a guard where there are some. */
  readonly at: number
  /** How many guards stand there, one behind the other. */
  readonly guards: number
  /** The frames have gone past the ring: the first guard of each of its topics tells where the messages stand. */
  readonly told: GroupFrames | undefined
  readonly records: number
  /** See {@link GroupFrames.places}. */
  readonly places: readonly number[] | undefined
}

interface AwaitingRoom {
  bytes: number
  resolve(): void
  reject(error: unknown): void
}

export interface FrameIntakeParts {
  state: SharedState
  lanes: LaneTable
  lane: LaneWords<'application'>
  ring: RingProducer
  topics: TopicDirectory
  watch: Pick<Watch, 'register' | 'begin' | 'checkWorkers'>
  bulk: MessagePort
  directory: string
}

export class FrameIntake implements Waiter {
  readonly #parts: FrameIntakeParts
  readonly #largestInRing: number
  readonly #maxBulkBytes: number
  /** {@link publishForFlushBytes}, or what leaves the writer something to do while the ring fills. */
  readonly #flushShare: number
  readonly #held = new Fifo<HeldBack>()
  #room: AwaitingRoom[] = []
  #refusedBytes = 0
  /** Frames that are not handed over yet are awaited at level `disk`. */
  #isFlushWanted = false
  #bulkId = 0
  readonly #bulks = new Fifo<{ end: number; bytes: number }>()
  #bulkBytes = 0
  #isPublishScheduled = false

  constructor(parts: FrameIntakeParts) {
    this.#parts = parts
    this.#largestInRing = parts.ring.memory.capacity / ringShareForOneAppend
    this.#maxBulkBytes = Math.max(parts.ring.memory.capacity, 32 << 20)
    this.#flushShare = Math.min(publishForFlushBytes, parts.ring.memory.capacity / 4)
    parts.watch.register(this)
  }

  /** What waits for room. */
  get heldCount(): number {
    return this.#held.length
  }

  /** Puts one message into the ring, behind everything that waits. False: no room now, nothing was taken. */
  offer(topic: TopicHandle, value: Payload, extras: Extras | undefined): boolean {
    const bytes = frameBytes(payloadRoom(value, extras))
    if (typeof value === 'string' && bytes > this.#largestInRing)
      return this.offer(topic, encoder.encode(value), extras)
    if (this.#held.length === 0 && this.writeMessage(topic, value, extras, bytes, 0) >= 0) return true
    this.#refusedBytes = bytes
    this.publish()
    return false
  }

  /** Calls `resolve` when the last refused {@link offer} can succeed. */
  whenRoom(resolve: () => void, reject: (error: unknown) => void): void {
    const bytes = this.#refusedBytes
    if (this.#hasRoom(bytes)) {
      resolve()
      return
    }
    this.#room.push({ bytes, resolve, reject })
    this.#parts.watch.begin(this.#roomMark())
  }

  /**
   * Takes its place behind everything else that the ring has no room for.
   * @param write puts it into the ring; false: there is still no room. What it throws is nobody's but its own to tell
   */
  hold(write: () => boolean, reject: (error: unknown) => void): void {
    this.#held.push({ write, reject })
    this.publish()
    this.#parts.watch.begin(wakes.withEveryBatch)
  }

  /** What is written from here on to the next {@link publish} is awaited on the device. Before the write, which may publish. */
  wantFlush(): void {
    this.#isFlushWanted = true
  }

  /** True for what goes through the ring; more than that travels by transfer, as bytes. @param bytes of frames */
  fitsRing(bytes: number): boolean {
    return bytes <= this.#largestInRing
  }

  /**
   * @param value a string only where it {@link fitsRing}
   * @param bytes of the frame, or the most that they can be
   * @param guard stands in front of it, unless its own frame can say as much
   * @returns its place in the ring, or that of its guard, see {@link RingProducer.place}; -1: there is no room now, nothing was taken
   */
  writeMessage(
    topic: TopicHandle,
    value: Payload,
    extras: Extras | undefined,
    bytes: number,
    flags: number,
    guard?: Guard,
  ): number {
    const isPlain = extras === undefined && typeof value !== 'string' && (guard === undefined || isOffsetAlone(guard))
    if (!isPlain || bytes > this.#largestInRing || !topic.isDeclared)
      return this.#writeOther(topic, value, extras, bytes, flags, guard)
    const { ring } = this.#parts
    const at = ring.place(bytes)
    if (at < 0) return at
    const expected = guard?.expectedOffset
    if (expected === undefined) writePlainFrame(ring.memory, at, bytes, topic.id, value, flags)
    else {
      writePlainFrame(ring.memory, at, bytes, topic.id, value, flags | frameFlag.expects)
      writeExpectedOffset(ring.memory.words, at, expected)
    }
    ring.advance(bytes)
    this.#schedulePublish()
    return at
  }

  /**
   * An atomic group with its guards: as bytes where it does not {@link fitsRing}.
   * @returns undefined: there is no room now, nothing was taken
   */
  writeGroup(group: GroupFrames): WrittenGroup | undefined {
    for (const { topic } of group.shares) if (!topic.isDeclared && !this.#declare(topic)) return undefined
    // They are declared by what sets them.
    for (const { topic } of group.registers) this.#parts.topics.numberFor(topic)
    if (group.bytes > this.#largestInRing) return this.#writeBulk(group.telling(), frameFlag.awaited)
    const { ring } = this.#parts
    const needed = this.#unstated(group.features)
    const ahead = needed === noFeature ? 0 : needBytes
    const start = ring.place(ahead + group.guardBytes + group.bytes)
    if (start < 0) return undefined
    if (ahead > 0) writeNeedFrame(ring.memory.words, start, needed, frameFlag.awaited)
    const at = start + ahead
    const guards = group.writeGuards(ring.memory, at, frameFlag.awaited)
    ring.advance(group.writeFrames(ring.memory, at + group.guardBytes, frameFlag.awaited) - start)
    this.#schedulePublish()
    return { at, guards, told: undefined, records: group.records, places: group.places }
  }

  /** An empty frame, for whoever waits for the device with what was handed over before. False: there is no room now. */
  writeMark(): boolean {
    const { ring } = this.#parts
    this.wantFlush()
    const at = ring.place(frameBytes(0))
    if (at < 0) return false
    writePaddingFrame(ring.memory.words, at, 0)
    ring.advance(frameBytes(0))
    this.#schedulePublish()
    return true
  }

  /** Hands everything written so far to the writer. */
  publish(): void {
    const { ring, lanes, lane, state, watch } = this.#parts
    this.#isPublishScheduled = false
    if (ring.unpublishedBytes === 0) return
    if (this.#isFlushWanted) {
      // Before the tail: whoever takes the frames must find that somebody waits for the device with them. See flush-way.ts.
      lane.flushWished.store(ring.tail)
      this.#isFlushWanted = false
    }
    // Tail first, then the mark that it has moved, then the look at whether the writer sleeps: see lane-table.ts and bell.ts.
    ring.publish()
    lanes.dirty.add(lane.number)
    state.writer.ringIfAsleep()
    // Behind the tail: who ends the log looks at the tails behind that.
    if (state.logEnd.load() !== logEnds.open) watch.checkWorkers()
  }

  readonly #publishLater = () => this.publish()

  #schedulePublish(): void {
    if (this.#parts.ring.unpublishedBytes >= (this.#isFlushWanted ? this.#flushShare : publishEveryBytes)) {
      this.publish()
    } else if (!this.#isPublishScheduled) {
      // Said once it is so: the call fails where a caller has used up the stack.
      queueMicrotask(this.#publishLater)
      this.#isPublishScheduled = true
    }
  }

  /** Nobody is told that something is in the ring only. */
  settle(): void {}

  /** What waited for room goes on, unless the disk is full: then it is refused, as the writer refuses what is in the ring. */
  proceed(): void {
    const { state, directory } = this.#parts
    this.publish()
    if (this.#held.length > 0 && state.writerState.load() === writerState.noSpace) {
      const error = noSpaceError(state.writerErrno.load(), directory)
      for (const { reject } of this.#held.drain()) reject(error)
    }
    while (this.#held.length > 0 && this.#held.peek()?.write()) this.#held.shift()
    if (this.#room.length === 0) return
    const waiting = this.#room
    this.#room = []
    for (const waiter of waiting) {
      if (this.#hasRoom(waiter.bytes)) waiter.resolve()
      else this.#room.push(waiter)
    }
  }

  wakesAt(): number {
    if (this.#held.length > 0) return wakes.withEveryBatch
    return this.#room.length > 0 ? this.#roomMark() : wakes.never
  }

  refuse(error: Error): void {
    for (const { reject } of this.#held.drain()) reject(error)
    for (const { reject } of this.#room) reject(error)
    this.#room = []
  }

  #writeOther(
    topic: TopicHandle,
    value: Payload,
    extras: Extras | undefined,
    bytes: number,
    flags: number,
    guard: Guard | undefined,
  ): number {
    if (!topic.isDeclared && !this.#declare(topic)) return -1
    if (bytes > this.#largestInRing) {
      const conditions = guard === undefined ? [] : [guard]
      const group = new GroupFrames([{ topic, values: [value], extras: [extras], conditions }])
      return this.#writeBulk(group, flags)?.at ?? -1
    }
    const own = guard === undefined ? noConditions : ownConditionsOf(guard, extras)
    const isGuarded = guard !== undefined && own === noConditions
    const { ring } = this.#parts
    const { memory } = ring
    const needed = extras?.expiresAt === undefined ? noFeature : this.#unstated(featureSet('expiry'))
    const needAhead = needed === noFeature ? 0 : needBytes
    const ahead = isGuarded ? needAhead + guardBytes(guard) : needAhead
    const start = ring.place(ahead + bytes)
    if (start < 0) return start
    const at = start + needAhead
    if (needAhead > 0) writeNeedFrame(memory.words, start, needed, flags)
    if (isGuarded) writeGuardFrame(memory.bytes, memory.words, at, topic.id, guard, flags)
    const written = writeFrame(memory, start + ahead, topic.id, value, extras, flags | own)
    if ((own & frameFlag.expects) !== 0) writeExpectedOffset(memory.words, at, guard?.expectedOffset ?? 0)
    ring.advance(ahead + written)
    this.#schedulePublish()
    return at
  }

  /** Sends frames by transfer, ahead of a placeholder that keeps their place in the order. */
  #writeBulk(group: GroupFrames, flags: number): WrittenGroup | undefined {
    const { ring, bulk } = this.#parts
    const { bytes } = group
    if (!this.#isBulkAllowed(bytes)) return undefined
    const placeholder = frameBytes(bulkPayloadBytes)
    const needed = this.#unstated(group.features)
    const needAhead = needed === noFeature ? 0 : needBytes
    const ahead = needAhead + group.guardBytes
    if (!ring.hasRoom(ahead + placeholder)) return undefined
    const frames = new Uint8Array(bytes)
    const apart = { bytes: frames, words: new Uint32Array(frames.buffer), text: Buffer.from(frames.buffer) }
    group.writeFrames(apart, 0, 0)
    this.#bulkId = (this.#bulkId + 1) | 0
    // The frames must have arrived when the writer meets the placeholder: send first, publish after.
    bulk.postMessage({ id: this.#bulkId >>> 0, frames }, [frames.buffer])
    const start = ring.place(ahead + placeholder)
    const at = start + needAhead
    if (needAhead > 0) writeNeedFrame(ring.memory.words, start, needed, flags)
    const guards = group.writeGuards(ring.memory, at, flags)
    writeBulkFrame(ring.memory.words, start + ahead, this.#bulkId, bytes, flags)
    ring.advance(ahead + placeholder)
    this.#bulkBytes += bytes
    this.#bulks.push({ end: ring.tail, bytes })
    this.#schedulePublish()
    return { at, guards, told: group, records: group.records, places: group.places }
  }

  /** So much more by transfer, beside what the writer has not taken yet. */
  #isBulkAllowed(bytes: number): boolean {
    const head = this.#parts.lane.ringHead.load()
    for (let bulk = this.#bulks.peek(); bulk !== undefined && head >= bulk.end; bulk = this.#bulks.peek()) {
      this.#bulkBytes -= bulk.bytes
      this.#bulks.shift()
    }
    return this.#bulkBytes === 0 || this.#bulkBytes + bytes <= this.#maxBulkBytes
  }

  /** A topic's declaration stands in the ring in front of its first message. */
  #declare(topic: TopicHandle): boolean {
    const { ring, topics } = this.#parts
    const id = topics.numberFor(topic)
    if (topic.isInLog) {
      // By another thread.
      topic.isDeclared = true
      return true
    }
    const bytes = frameBytes(declarePayloadLength(topic.name))
    const needed = this.#unstated(topicFeatures(topic.name))
    const ahead = needed === noFeature ? 0 : needBytes
    const at = ring.place(ahead + bytes)
    if (at < 0) return false
    if (ahead > 0) writeNeedFrame(ring.memory.words, at, needed, 0)
    writeDeclareFrame(ring.memory.bytes, ring.memory.words, at + ahead, id, topic.name, 0, 0)
    ring.advance(ahead + bytes)
    topic.isDeclared = true
    return true
  }

  /** What of these the log does not say yet that it has: that stands in front of what needs it, in one piece. */
  #unstated(features: FeatureSet): FeatureSet {
    return features === noFeature ? noFeature : features & ~this.#parts.state.featuresStated.load()
  }

  #hasRoom(bytes: number): boolean {
    const { ring } = this.#parts
    if (this.#held.length > 0) return false
    if (bytes > this.#largestInRing) return this.#isBulkAllowed(bytes) && ring.hasRoom(frameBytes(bulkPayloadBytes))
    // Half empty at least: waking up for every few frames would cost more than it brings.
    return ring.usedBytes <= ring.memory.capacity / 2 && ring.hasRoom(bytes + 512)
  }

  /** The ring head at which it is half empty. */
  #roomMark(): number {
    const { ring } = this.#parts
    return Math.max(0, ring.tail - ring.memory.capacity / 2)
  }
}
