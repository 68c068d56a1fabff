/**
 * The append side of the dispatcher: values become frames in the ring, published positions become acknowledgements.
 *
 * It runs on the application's thread, so it never blocks (except in `flushSync`, which is asked to) and never touches a file of the log.
 * Everything handed over is in one order: what does not fit the ring waits in `#overflow`, and while anything waits there, all
 * that comes later waits behind it.
 */
import type { MessagePort } from 'node:worker_threads'
import { Fifo } from '../../collections/fifo.js'
import type { Durability, Extras } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import { deviceError, noSpaceError } from '../../failures.js'
import {
  declarePayloadLength,
  payloadLength,
  writeBulkFrame,
  writeDataFrame,
  writeDeclareFrame,
} from '../../format/frame-encoder.js'
import {
  bulkPayloadBytes,
  frameBytes,
  frameFlag,
  frameKind,
  frameWord,
  kindOf,
  offsetOf,
} from '../../format/frame-layout.js'
import { groupFitsSegment } from '../../format/segment-layout.js'
import { ringShareForOneAppend } from '../../limits.js'
import { isTaskAlive } from '../../memory/thread-task.js'
import type { RingProducer } from '../../ring/append-ring.js'
import { type SharedState, writerState } from '../../ring/shared-state.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import type { GroupCommits } from '../groups/group-commits.js'
import type { KeepAlive } from '../keep-alive.js'
import type { TopicDirectory, TopicHandle } from '../topic-directory.js'

/** Frames are published to the writer at the end of the turn, or sooner when this much has gathered. */
const publishEveryBytes = 16 * 1024

/** Ceiling of one wait in `flushSync`: it looks again at least this often. */
const flushSyncLookMs = 20
const flushSyncPatienceMs = 60_000
/** Where the reaper is dead and the writer may be waiting for it. */
const orphanPatienceMs = 1_000

/** What the dispatcher sleeps for, as far as it is the writer's to ring: nothing, room in the ring, the next batch. */
const wakesFor = { device: 0, room: 1, batch: 2 } as const
type WakesFor = (typeof wakesFor)[keyof typeof wakesFor]

/** Something in the ring whose publication is awaited. */
interface Pending {
  /** Ring position behind its last frame. */
  end: number
  /** Place of its first frame in the ring. */
  at: number
  level: Durability
  resolve(offset: number): void
  reject(error: unknown): void
}

/** Something handed over that the ring had no room for. */
interface Waiting {
  /** Tries to put it into the ring; false: still no room. */
  write(): boolean
  reject(error: unknown): void
}

/** An append that is published and whose flush is awaited. */
interface AwaitingDisk {
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

interface AwaitingRoom {
  bytes: number
  resolve(): void
  reject(error: unknown): void
}

interface AwaitingMessages {
  topic: TopicHandle
  offset: number
  resolve(): void
  reject(error: unknown): void
}

export interface AppendSideParts {
  state: SharedState
  ring: RingProducer
  cells: TopicCells
  topics: TopicDirectory
  /** Shares the loop that waits for the workers. */
  commits: GroupCommits
  bulk: MessagePort
  directory: string
  segmentBytes: number
  /** The process stays alive while something is awaited. */
  keepAlive: KeepAlive
}

export class AppendSide {
  readonly #parts: AppendSideParts
  readonly #largestInRing: number
  readonly #maxBulkBytes: number
  readonly #overflow = new Fifo<Waiting>()
  readonly #pending = new Fifo<Pending>()
  /** In the order of the calls, which is that of the log. */
  readonly #disk = new Fifo<AwaitingDisk>()
  #flushes: AwaitingFlush[] = []
  /** How many of `#pending` need no flush: only for those the writer rings. */
  #pendingProcess = 0
  /** Frames that are not handed over yet are awaited at level `disk`. */
  #isFlushWanted = false
  /** What the writer was told to ring for. */
  #wakesFor: WakesFor = wakesFor.device
  #room: AwaitingRoom[] = []
  #messages = new Set<AwaitingMessages>()
  #refusedBytes = 0
  #bulkId = 0
  readonly #bulks = new Fifo<{ end: number; bytes: number }>()
  #bulkBytes = 0
  #isPublishScheduled = false
  #isWatching = false
  #failure: Error | undefined

  constructor(parts: AppendSideParts) {
    this.#parts = parts
    this.#largestInRing = parts.ring.memory.capacity / ringShareForOneAppend
    this.#maxBulkBytes = Math.max(parts.ring.memory.capacity, 32 << 20)
    parts.ring.settledHead = () => this.#settlePublished()
    parts.commits.watch = () => this.#watch()
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  get overflowCount(): number {
    return this.#overflow.length
  }

  get pendingCount(): number {
    return this.#pending.length + this.#disk.length + this.#flushes.length + this.#overflow.length
  }

  /** @throws the error that ended appending */
  #checkWorking(): void {
    if (this.#failure !== undefined) throw this.#failure
    const { state, directory } = this.#parts
    const errno = state.reaperErrno.load()
    if (errno === 0) return
    this.fail(deviceError(errno, directory))
    throw deviceError(errno, directory)
  }

  /** @throws the lack of space, where the writer waits for some */
  #checkSpace(): void {
    const { state, directory } = this.#parts
    if (state.writerState.load() === writerState.noSpace) throw noSpaceError(state.writerErrno.load(), directory)
  }

  /** The fast path. False: no room now, nothing was taken. */
  offer(topic: TopicHandle, value: Uint8Array, extras: Extras | undefined): boolean {
    if (this.#failure !== undefined) throw this.#failure
    const bytes = frameBytes(payloadLength(value, extras))
    if (this.#overflow.length === 0 && this.#writeMessage(topic, value, extras, bytes, 0)) return true
    this.#refusedBytes = bytes
    this.publish()
    return false
  }

  /** Resolves when the last refused {@link offer} can succeed. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure)
      if (this.#hasRoom(this.#refusedBytes)) return resolve()
      this.#room.push({ bytes: this.#refusedBytes, resolve, reject })
      this.#watch()
    })
  }

  append(topic: TopicHandle, value: Uint8Array, extras: Extras | undefined, level: Durability): Promise<number> {
    const bytes = frameBytes(payloadLength(value, extras))
    const write = (own: Uint8Array) => this.#writeMessage(topic, own, extras, bytes, frameFlag.awaited)
    return this.#handOver(value, write, copyOf, level)
  }

  /** All or nothing: the values become one atomic group. */
  appendMany(
    topic: TopicHandle,
    values: readonly Uint8Array[],
    extras: Extras | undefined,
    level: Durability,
  ): Promise<number> {
    const bytes = values.reduce((sum, value) => sum + frameBytes(payloadLength(value, extras)), 0)
    if (!groupFitsSegment(this.#parts.segmentBytes, bytes, values.length)) {
      const message = `${values.length} messages (${bytes} bytes) are more than one segment of ${this.#parts.segmentBytes} bytes holds, so they cannot be appended all or nothing: append them in parts`
      return Promise.reject(new BookendError('BOOKEND_TOO_LARGE', message))
    }
    const write = (own: readonly Uint8Array[]) => this.#writeGroup(topic, own, extras, bytes)
    return this.#handOver(values, write, copiesOf, level)
  }

  /** Everything handed over so far has reached the level. Without space that fails only where something waits for space. */
  flush(level: Durability): Promise<void> {
    return new Promise((resolve, reject) => {
      const onPublished = () => {
        if (level === 'disk') this.#awaitFlush(resolve, reject)
        else resolve()
      }
      // In its place behind everything that still waits for room.
      const write = () => {
        const { ring } = this.#parts
        this.#pending.push({ end: ring.tail, at: -1, level: 'process', resolve: onPublished, reject })
        this.#pendingProcess += 1
        return true
      }
      // What throws in here rejects the promise.
      this.#checkWorking()
      if (this.#overflow.length > 0) this.#overflow.push({ write, reject })
      else write()
      this.publish()
      this.#settle()
      this.#watch()
    })
  }

  /** Everything published so far is on the device; what waits in the ring is not waited for. */
  flushPublished(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#checkWorking()
      this.#awaitFlush(resolve, reject)
      this.#watch()
    })
  }

  /** {@link flush}, blocking this thread. @throws as an awaited append; `BOOKEND_WORKER` if a thread that it needs has died, or nothing moves for a long time */
  flushSync(level: Durability): void {
    const { ring, state, commits } = this.#parts
    try {
      // Before what may throw for lack of space: groups need none.
      this.#blockUntil('writer', () => {
        this.checkWorkers()
        commits.settle()
        commits.handOver()
        return !commits.isUnwritten
      })
      this.publish()
      this.#blockUntil('writer', () => {
        this.#checkWorking()
        this.#settle()
        this.publish()
        state.writer.ringIfAsleep()
        if (this.#overflow.length === 0 && ring.usedBytes === 0) return true
        this.#checkSpace()
        return false
      })
      if (level === 'process') return
      const position = state.published.load()
      state.flushRequest.add(1)
      commits.requestFlush()
      state.reaper.ring()
      this.#blockUntil('reaper', () => {
        this.checkWorkers()
        if (this.#failure !== undefined) throw this.#failure
        return state.durable.load() >= position && commits.isFlushed
      })
      this.#settle()
    } finally {
      // The watching loop may have been asleep under this one: let it look, and announce its own sleep again.
      state.dispatcher.disarm()
      state.dispatcher.ring()
    }
  }

  /**
   * This thread hears of no worker's death while it is blocked, and cannot replace one: so it looks for itself, and does not wait for
   * ever without progress.
   * @param who does what is waited for
   */
  #blockUntil(who: 'writer' | 'reaper', isDone: () => boolean): void {
    const { state } = this.#parts
    state.wakeHead.store(state.ringHead.load())
    let progress = -1
    let progressMs = performance.now()
    for (;;) {
      const token = state.dispatcher.arm()
      // Before the look at what they have done: it may have been their last.
      const isWriterDead = state.writerState.load() === writerState.died || !isTaskAlive(state.writerTask.load())
      const isReaperDead = !isTaskAlive(state.reaperTask.load())
      if (isDone()) return
      if (isWriterDead) throw deadError('writer')
      const now = state.ringHead.load() + state.durable.load() + state.commitDone.load()
      const idleMs = performance.now() - progressMs
      if (now !== progress) {
        progress = now
        progressMs = performance.now()
      } else if (isReaperDead) {
        // Without a reaper the writer goes on until it needs a segment.
        if (who === 'reaper' || idleMs > orphanPatienceMs) throw deadError('reaper')
      } else if (idleMs > flushSyncPatienceMs) {
        throw new BookendError('BOOKEND_WORKER', 'flushSync: no progress for a minute, a worker thread must have died')
      }
      state.dispatcher.wait(token, flushSyncLookMs)
    }
  }

  /** Resolves when the topic has a message at `offset`, rejects when appending has ended; returns what stops waiting. */
  whenNext(topic: TopicHandle, offset: number, resolve: () => void, reject: (error: unknown) => void): () => void {
    // One look: the writer publishes at any moment, and a message that comes between two would be waited for, for ever.
    const isThere = this.nextOf(topic) > offset
    if (isThere) resolve()
    else if (this.#failure !== undefined) reject(this.#failure)
    if (isThere || this.#failure !== undefined) return () => {}
    const waiter = { topic, offset, resolve, reject }
    this.#messages.add(waiter)
    this.#watch()
    return () => this.#messages.delete(waiter)
  }

  nextOf(topic: TopicHandle): number {
    return topic.id < 0 ? 0 : this.#parts.cells.next(topic.id).load()
  }

  firstOf(topic: TopicHandle): number {
    return topic.id < 0 ? 0 : this.#parts.cells.first(topic.id).load()
  }

  /** Ends appending: everything pending and everything to come gets `error`. */
  fail(error: BookendError): void {
    if (this.#failure !== undefined) return
    // What is published already is acknowledged at its level before the rest is refused.
    this.#settlePublished()
    this.#parts.commits.settle()
    this.#refuse(error)
  }

  /** Everybody who waits hears of it, whatever there may be left to settle. */
  #refuse(error: Error): void {
    this.#failure ??= error
    for (const { reject } of this.#pending.drain()) reject(error)
    for (const { reject } of this.#overflow.drain()) reject(error)
    for (const { reject } of this.#disk.drain()) reject(error)
    for (const { reject } of this.#flushes) reject(error)
    for (const { reject } of this.#room) reject(error)
    for (const { reject } of this.#messages) reject(error)
    this.#parts.commits.fail(error)
    this.#messages.clear()
    this.#pendingProcess = 0
    this.#flushes = []
    this.#room = []
    // The watching loop ends at once, not at its next look.
    this.#parts.state.dispatcher.ring()
  }

  /** Hands everything written so far to the writer. */
  publish(): void {
    const { ring, state } = this.#parts
    this.#isPublishScheduled = false
    if (ring.unpublishedBytes === 0) return
    if (this.#isFlushWanted) {
      // Before the tail: whoever takes the frames must find that somebody waits for the device with them.
      state.flushWantedTo.store(ring.tail)
      this.#isFlushWanted = false
    }
    // Tail first, then the look at whether the writer sleeps: see shared-state.ts.
    ring.publish()
    state.writer.ringIfAsleep()
  }

  readonly #publishLater = () => this.publish()

  #schedulePublish(): void {
    if (this.#parts.ring.unpublishedBytes >= publishEveryBytes) {
      this.publish()
    } else if (!this.#isPublishScheduled) {
      this.#isPublishScheduled = true
      queueMicrotask(this.#publishLater)
    }
  }

  /** @param write puts what it is given into the ring; false: there is no room now */
  #handOver<V>(value: V, write: (own: V) => boolean, copy: (value: V) => V, level: Durability): Promise<number> {
    // What throws in here rejects the promise.
    return new Promise((resolve, reject) => {
      this.#checkWorking()
      this.#checkSpace()
      if (level === 'disk') this.#isFlushWanted = true
      if (this.#overflow.length === 0 && write(value)) {
        this.#awaitPublication(level, resolve, reject)
      } else {
        // The caller may use its buffer again: what waits for room is a copy.
        const own = copy(value)
        this.#waitForRoom(() => write(own), level, resolve, reject)
      }
      this.#watch()
    })
  }

  /** The frames just written to the ring are awaited. */
  #awaitPublication(level: Durability, resolve: (offset: number) => void, reject: (error: unknown) => void): void {
    this.#pending.push({ end: this.#parts.ring.tail, at: this.#lastAt, level, resolve, reject })
    if (level === 'process') this.#pendingProcess += 1
  }

  /** Takes its place behind everything else that the ring has no room for. */
  #waitForRoom(
    write: () => boolean,
    level: Durability,
    resolve: (offset: number) => void,
    reject: (error: unknown) => void,
  ): void {
    const writeAndAwait = () => {
      if (level === 'disk') this.#isFlushWanted = true
      try {
        if (!write()) return false
        this.#awaitPublication(level, resolve, reject)
      } catch (error) {
        // Its own affair, as if it had been written at once: those behind it go on.
        reject(error)
      }
      return true
    }
    this.#overflow.push({ write: writeAndAwait, reject })
    this.publish()
  }

  /** Place in the ring of the first frame that the last write put there. */
  #lastAt = 0

  #writeMessage(
    topic: TopicHandle,
    value: Uint8Array,
    extras: Extras | undefined,
    bytes: number,
    flags: number,
  ): boolean {
    if (topic.id < 0 && !this.#declare(topic)) return false
    if (bytes > this.#largestInRing) return this.#writeBulk(topic, [value], extras, bytes, flags)
    const { ring } = this.#parts
    const at = ring.claim(bytes)
    if (at < 0) return false
    writeDataFrame(ring.memory.bytes, ring.memory.words, at, topic.id, value, extras, flags)
    this.#lastAt = at
    this.#schedulePublish()
    return true
  }

  #writeGroup(topic: TopicHandle, values: readonly Uint8Array[], extras: Extras | undefined, bytes: number): boolean {
    if (topic.id < 0 && !this.#declare(topic)) return false
    if (bytes > this.#largestInRing) return this.#writeBulk(topic, values, extras, bytes, frameFlag.awaited)
    const { ring } = this.#parts
    const at = ring.claim(bytes)
    if (at < 0) return false
    encodeGroup(ring.memory.bytes, ring.memory.words, at, topic.id, values, extras, frameFlag.awaited)
    this.#lastAt = at
    this.#schedulePublish()
    return true
  }

  /** Sends frames by transfer, ahead of a placeholder that keeps their place in the order. */
  #writeBulk(
    topic: TopicHandle,
    values: readonly Uint8Array[],
    extras: Extras | undefined,
    bytes: number,
    flags: number,
  ): boolean {
    const { ring, bulk } = this.#parts
    if (this.#bulkBytes > 0 && this.#bulkBytes + bytes > this.#maxBulkBytes) return false
    const placeholder = frameBytes(bulkPayloadBytes)
    if (!ring.hasRoom(placeholder)) return false
    const frames = new Uint8Array(bytes)
    encodeGroup(frames, new Uint32Array(frames.buffer), 0, topic.id, values, extras, 0)
    this.#bulkId = (this.#bulkId + 1) | 0
    // The frames must have arrived when the writer meets the placeholder: send first, publish after.
    bulk.postMessage({ id: this.#bulkId >>> 0, frames }, [frames.buffer])
    const at = ring.claim(placeholder)
    writeBulkFrame(ring.memory.words, at, this.#bulkId, bytes, flags)
    this.#bulkBytes += bytes
    this.#bulks.push({ end: ring.tail, bytes })
    this.#lastAt = at
    this.#schedulePublish()
    return true
  }

  /** A topic's declaration stands in the ring in front of its first message. */
  #declare(topic: TopicHandle): boolean {
    const { ring, topics, commits } = this.#parts
    const id = topics.nextId()
    const at = ring.claim(frameBytes(declarePayloadLength(topic.name)))
    if (at < 0) return false
    writeDeclareFrame(ring.memory.bytes, ring.memory.words, at, id, topic.name, 0, 0)
    topics.assign(topic)
    commits.noteTopic(topic)
    return true
  }

  #hasRoom(bytes: number): boolean {
    const { ring } = this.#parts
    if (this.#overflow.length > 0) return false
    if (bytes > this.#largestInRing) {
      const isBulkAllowed = this.#bulkBytes === 0 || this.#bulkBytes + bytes <= this.#maxBulkBytes
      return isBulkAllowed && ring.hasRoom(frameBytes(bulkPayloadBytes))
    }
    // Half empty at least: waking up for every few frames would cost more than it brings.
    return ring.usedBytes <= ring.memory.capacity / 2 && ring.hasRoom(bytes + 512)
  }

  #awaitFlush(resolve: () => void, reject: (error: unknown) => void): void {
    const { state } = this.#parts
    const position = state.published.load()
    if (state.durable.load() >= position) {
      resolve()
      return
    }
    this.#flushes.push({ position, resolve, reject })
    state.flushRequest.add(1)
    state.reaper.ringIfAsleep()
  }

  /** Looks at what workers have published and settles everything that follows from it. */
  #settle(): void {
    this.#settlePublished()
    this.#settleRefused()
    this.#parts.commits.settle()
    this.checkWorkers()
    while (this.#overflow.length > 0 && this.#overflow.peek()?.write()) {
      this.#overflow.shift()
    }
    if (this.#room.length > 0) {
      const waiting = this.#room
      this.#room = []
      for (const waiter of waiting) {
        if (this.#hasRoom(waiter.bytes)) waiter.resolve()
        else this.#room.push(waiter)
      }
    }
    for (const waiter of this.#messages) {
      if (this.nextOf(waiter.topic) <= waiter.offset) continue
      this.#messages.delete(waiter)
      waiter.resolve()
    }
  }

  /** Acknowledges what is published; returns the ring position up to which that is done. */
  #settlePublished(): number {
    const { state, ring } = this.#parts
    const head = state.ringHead.load()
    const { words } = ring.memory
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
        reject(noSpaceError(state.writerErrno.load(), this.#parts.directory))
        continue
      }
      const offset = offsetOf(words[word + frameWord.offsetLow], tail)
      if (level === 'process') resolve(offset)
      else this.#disk.push({ end, offset, resolve, reject })
    }
    for (let bulk = this.#bulks.peek(); bulk !== undefined && head >= bulk.end; bulk = this.#bulks.peek()) {
      this.#bulkBytes -= bulk.bytes
      this.#bulks.shift()
    }
    if (this.#disk.length > 0) this.#settleDisk()
    if (this.#flushes.length > 0) this.#settleFlushes()
    return head
  }

  /** The writer has asked for their flush, as soon as it had published them: see shared-state.ts. */
  #settleDisk(): void {
    const flushedTo = this.#parts.state.flushedTo.load()
    for (let next = this.#disk.peek(); next !== undefined && next.end <= flushedTo; next = this.#disk.peek()) {
      this.#disk.shift()
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

  /** The disk is full: the writer has refused what was awaited; what has not reached the ring is refused here. */
  #settleRefused(): void {
    const { state, ring, directory } = this.#parts
    if (state.writerState.load() !== writerState.noSpace) return
    const refusedTo = state.cancelledTo.load()
    const error = noSpaceError(state.writerErrno.load(), directory)
    const left: Pending[] = []
    for (const pending of this.#pending.drain()) {
      const isRefused =
        refusedTo >= pending.end &&
        (pending.at < 0 || kindOf(ring.memory.words[(pending.at >>> 2) + frameWord.tail]) === frameKind.cancelled)
      if (isRefused) pending.reject(error)
      else left.push(pending)
    }
    for (const pending of left) this.#pending.push(pending)
    this.#pendingProcess = left.reduce((count, { level }) => count + (level === 'process' ? 1 : 0), 0)
    for (const { reject } of this.#overflow.drain()) reject(error)
  }

  /** Ends appending if a worker has met a failing device. */
  checkWorkers(): void {
    const { state, directory } = this.#parts
    const flushErrno = state.reaperErrno.load()
    if (flushErrno !== 0) this.fail(deviceError(flushErrno, directory))
    else if (state.writerState.load() === writerState.failed)
      this.fail(deviceError(state.writerErrno.load(), directory))
  }

  #isAwaited(): boolean {
    const count = this.pendingCount + this.#room.length
    return count > 0 || this.#parts.commits.isAwaited
  }

  /** What is on the device is the reaper's to report. */
  #wakesForNow(): WakesFor {
    if (this.#pendingProcess + this.#overflow.length + this.#messages.size > 0) return wakesFor.batch
    return this.#room.length > 0 ? wakesFor.room : wakesFor.device
  }

  /** Sets the ring head at which there is something to do. */
  #setWakeHead(): void {
    const { ring, state } = this.#parts
    this.#wakesFor = this.#wakesForNow()
    if (this.#wakesFor === wakesFor.batch) state.wakeHead.store(state.ringHead.load())
    else if (this.#wakesFor === wakesFor.room) state.wakeHead.store(Math.max(0, ring.tail - ring.memory.capacity / 2))
    else state.wakeHead.store(ring.tail + 1)
  }

  /** Sleeps on the dispatcher's bell as long as anybody waits for anything. */
  #watch(): void {
    const { state } = this.#parts
    if (this.#isWatching) {
      // Asleep for room or for the device: now there is more to be woken for.
      if (this.#wakesFor < this.#wakesForNow()) {
        this.#setWakeHead()
        // The writer may have passed the mark while it was being set.
        state.dispatcher.ring()
      }
      return
    }
    this.#isWatching = true
    this.#parts.keepAlive.hold()
    void this.#run()
  }

  async #run(): Promise<void> {
    const { state } = this.#parts
    try {
      while (this.#failure === undefined && (this.#isAwaited() || this.#messages.size > 0)) {
        // Armed before the look: what is published after it rings.
        const token = state.dispatcher.arm()
        this.publish()
        this.#settle()
        this.#setWakeHead()
        // The writer may have passed the mark while it was being set.
        this.#settle()
        if (!this.#isAwaited() && this.#messages.size === 0) break
        await state.dispatcher.waitAsync(token, 1_000)
      }
    } catch (error) {
      // A broken invariant, met where no caller is told: without this loop nobody who waits would ever hear of anything again.
      this.#refuse(error as Error)
    }
    state.dispatcher.disarm()
    this.#isWatching = false
    this.#parts.keepAlive.release()
  }
}

function deadError(role: 'writer' | 'reaper'): BookendError {
  const hint = role === 'writer' ? '' : ': another takes its place once this thread is free, so await flush() instead'
  return new BookendError('BOOKEND_WORKER', `flushSync: the ${role} thread has died${hint}`)
}

const copyOf = (value: Uint8Array): Uint8Array => value.slice()
const copiesOf = (values: readonly Uint8Array[]): readonly Uint8Array[] => values.map(copyOf)

function encodeGroup(
  bytes: Uint8Array,
  words: Uint32Array,
  at: number,
  topic: number,
  values: readonly Uint8Array[],
  extras: Extras | undefined,
  flags: number,
): void {
  let next = at
  for (let index = 0; index < values.length; index++) {
    const more = index < values.length - 1 ? frameFlag.continues : 0
    writeDataFrame(bytes, words, next, topic, values[index], extras, flags | more)
    next += frameBytes(payloadLength(values[index], extras))
  }
}
