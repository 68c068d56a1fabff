/**
 * The committed offsets of consumer groups, as the application's thread sees them: known at once, written by the writer,
 * created and flushed by the reaper. Protocol: ring/group-mailboxes.ts.
 *
 * A commit that comes while one of the same group is under way waits here, and a later one takes its place: however
 * often a group commits, the writer writes the newest state, and everybody who asked for an older one is served by it, with
 * one promise for all of them.
 */

import { Fifo } from '../../collections/fifo.js'
import type { Durability } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import { deviceError, isFull, noSpaceError, readOnlyError } from '../../failures.js'
import { assertGroupState, type GroupState } from '../../format/group-layout.js'
import type { GroupMailboxes } from '../../ring/group-mailboxes.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { GroupName, OpenedGroup } from '../../threads/protocol.js'
import { AwaitingDevice } from '../awaiting-device.js'
import type { KeepAlive } from '../keep-alive.js'
import type { TopicDirectory, TopicHandle } from '../topic-directory.js'
import { type Waiter, type Watch, wakes } from '../watch.js'

export type { GroupState } from '../../format/group-layout.js'

/** A group that is in the file. */
export interface StoredGroup {
  readonly id: number
  readonly topic: string
  readonly name: string
  /** As it was last written, or asked to be. It may go on changing, see {@link GroupCommits.commit}. */
  readonly state: GroupState
}

/** One write of a group's state, and the promise of everybody who waits for it. */
class Answer {
  readonly promise: Promise<void>
  resolve!: () => void
  reject!: (error: unknown) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }
}

class Entry implements StoredGroup {
  readonly id: number
  readonly handle: TopicHandle
  readonly name: string
  state: GroupState
  /** The number of its commit that is with the writer. */
  underWay: number | undefined
  /** Of the commit that is under way. */
  served: Answer | undefined
  /** Its state is newer than what is under way, and somebody waits for it. */
  waiting: Answer | undefined
  isRemoved = false

  constructor(id: number, handle: TopicHandle, name: string, state: GroupState) {
    this.id = id
    this.handle = handle
    this.name = name
    this.state = state
  }

  get topic(): string {
    return this.handle.name
  }
}

/** Calls to the thread that keeps the groups' files. */
export interface GroupControl {
  /** Makes a group that is not known here. Where others may have made it before, it is as they left it. */
  takeGroup(topic: string, name: string, committed: number): Promise<{ id: number; state: GroupState }>
  removeGroup(id: number): Promise<void>
}

export interface GroupCommitsParts {
  state: SharedState<'application'>
  mailboxes: GroupMailboxes
  topics: TopicDirectory
  /** What was in the file when the log was opened. */
  groups: readonly OpenedGroup[]
  control: GroupControl
  directory: string
  durability: Durability
  readOnly: boolean
  /** Another process writes the log, and these groups are this one's. */
  isFollower: boolean
  /** Makes its loop call {@link GroupCommits.settle} while something is awaited. */
  watch: Pick<Watch, 'register' | 'begin'>
  /** The process stays alive while a group is created or removed. */
  keepAlive: KeepAlive
}

/** Names hold no slash. */
function keyOf(topic: string, name: string): string {
  return `${topic}/${name}`
}

export class GroupCommits implements Waiter {
  readonly #parts: GroupCommitsParts
  readonly #entries = new Map<string, Entry>()
  /** Groups that are being created or removed. */
  readonly #changing = new Map<string, Promise<unknown>>()
  /** Groups whose removal is not over: their cells are still theirs. */
  readonly #leaving = new Set<Entry>()
  #dirty: Entry[] = []
  /** In the order of their numbers. */
  readonly #underWay = new Fifo<Entry>()
  /** Written, and waiting for the device, by the numbers of the commits. */
  readonly #unflushed: AwaitingDevice<void>
  /** Number of the last commit handed over. */
  #number: number
  #writtenCount = 0
  #isScheduled = false
  #failure: Error | undefined

  constructor(parts: GroupCommitsParts) {
    this.#parts = parts
    this.#number = parts.state.commitRequest.load()
    this.#unflushed = new AwaitingDevice(parts.state.commitFlushed)
    parts.watch.register(this)
    for (const { id, topic, name, state } of parts.groups) {
      const entry = new Entry(id, parts.topics.handle(topic), name, state)
      this.#entries.set(keyOf(topic, name), entry)
      if (entry.handle.id < 0 && !parts.readOnly) this.#tellTopic(entry)
    }
  }

  known(topic: string, name: string): StoredGroup | undefined {
    return this.#entries.get(keyOf(topic, name))
  }

  /** The groups of a topic, or of all. */
  list(topic?: string): StoredGroup[] {
    return [...this.#entries.values()].filter((entry) => topic === undefined || entry.topic === topic)
  }

  get count(): number {
    return this.#entries.size
  }

  /**
   * Who has which cell of the file, for a reaper that takes over: also the groups whose removal has not been answered. Their cells
   * may not be given to others before that: the removal is asked for again, and the writer may still have a commit of theirs.
   */
  cells(): GroupName[] {
    return [...this.#entries.values(), ...this.#leaving].map(({ id, topic, name }) => ({ id, topic, name }))
  }

  /** States written since the log was opened. */
  get writtenCount(): number {
    return this.#writtenCount
  }

  /**
   * The group, created durably if it is not there yet; concurrent calls share one creation.
   * @param start the committed offset that a new group begins with
   * @throws `BOOKEND_NO_SPACE`, `BOOKEND_IO`, `BOOKEND_READ_ONLY`
   */
  async open(topic: string, name: string, start: () => number): Promise<StoredGroup> {
    const key = keyOf(topic, name)
    for (;;) {
      const entry = this.#entries.get(key)
      if (entry !== undefined) return entry
      this.#checkWritable()
      const changing = this.#changing.get(key)
      if (changing === undefined) return this.#change(key, () => this.#create(topic, name, start()))
      // Whoever began it hears of its failure; the others try for themselves.
      await changing.catch(() => {})
    }
  }

  /** Forgets the group, durably. What was asked to be committed before is of no use any more, but is waited for. */
  async remove(group: StoredGroup): Promise<void> {
    const entry = group as Entry
    const key = keyOf(entry.topic, entry.name)
    this.#checkWritable()
    if (entry.isRemoved) return void (await this.#changing.get(key))
    entry.isRemoved = true
    this.#entries.delete(key)
    this.#leaving.add(entry)
    await this.#change(key, async () => {
      try {
        // That it could not be written does not matter any more.
        await this.#written(entry).catch(() => this.#checkWritable())
        await this.#call(() => this.#parts.control.removeGroup(entry.id))
        this.#parts.mailboxes.forget(entry.id)
      } catch (error) {
        entry.isRemoved = false
        this.#entries.set(key, entry)
        throw error
      } finally {
        this.#leaving.delete(entry)
      }
    })
  }

  /**
   * Resolves when this state, or a newer one, is written, and flushed too where the log's durability is `disk`. Any number
   * of calls in a turn cost one write. Of more than {@link maxGroupRanges} ranges the first are kept. A removed group
   * commits nothing.
   * @param state is looked at when it is handed over: the caller may let it go on changing, but only to what may be committed
   */
  commit(group: StoredGroup, state: GroupState): Promise<void> {
    try {
      this.#checkWritable()
    } catch (error) {
      return Promise.reject(error)
    }
    const entry = group as Entry
    entry.state = state
    if (entry.isRemoved) return Promise.resolve()
    if (entry.waiting !== undefined) return entry.waiting.promise
    const answer = new Answer()
    entry.waiting = answer
    this.#dirty.push(entry)
    if (!this.#isScheduled) {
      this.#isScheduled = true
      queueMicrotask(this.#handOverLater)
    }
    this.#parts.watch.begin(wakes.anyway)
    return answer.promise
  }

  /** Everything asked to be committed so far has reached the level. */
  async flush(level: Durability): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const pending = new Set(this.#dirty)
    for (const entry of this.#underWay) pending.add(entry)
    await Promise.all([...pending].map((entry) => this.#written(entry)))
    const number = this.#number
    if (level === 'process' || this.isFlushed) return
    await new Promise<void>((resolve, reject) => {
      this.wishFlush()
      this.#awaitDevice(number, resolve, reject)
    })
  }

  /** Hands every state that is newer than what is under way to the writer. */
  handOver(): void {
    this.#isScheduled = false
    if (this.#dirty.length === 0 || this.#failure !== undefined) return
    const { state, mailboxes, durability } = this.#parts
    const left: Entry[] = []
    const before = this.#number
    for (const entry of this.#dirty) {
      if (entry.underWay !== undefined) {
        left.push(entry)
        continue
      }
      const { waiting } = entry
      entry.waiting = undefined
      try {
        assertGroupState(entry.state)
      } catch (error) {
        waiting?.reject(error)
        continue
      }
      // The box is ours: the writer has finished with the commit before this one.
      mailboxes.fill(this.#number, entry.id, entry.state)
      this.#number += 1
      entry.underWay = this.#number
      entry.served = waiting
      this.#underWay.push(entry)
    }
    this.#dirty = left
    if (this.#number === before) return
    // Before the number: whoever writes the commits finds that they are waited for on the device. See flush-way.ts.
    if (durability === 'disk') state.commitWished.store(this.#number)
    // The number after the boxes, the look at whether the writer sleeps last: see bell.ts.
    state.commitRequest.store(this.#number)
    state.writer.ringIfAsleep()
  }

  readonly #handOverLater = () => this.handOver()

  /** Looks at what writer and reaper have done, and settles what follows from it. */
  settle(): void {
    const { state } = this.#parts
    const done = state.commitDone.load()
    for (let entry = this.#underWay.peek(); entry !== undefined; entry = this.#underWay.peek()) {
      if (entry.underWay === undefined || done < entry.underWay) break
      this.#underWay.shift()
      this.#finish(entry, entry.underWay)
    }
    this.#unflushed.settle()
    if (!this.#isScheduled) this.handOver()
  }

  /** Something is awaited that {@link settle} will settle. */
  get isAwaited(): boolean {
    return this.isUnwritten || this.#unflushed.length > 0
  }

  wakesAt(): number {
    return this.isAwaited ? wakes.anyway : wakes.never
  }

  /** Something asked to be committed is not in the file yet. */
  get isUnwritten(): boolean {
    return this.#underWay.length + this.#dirty.length > 0
  }

  /** Everything that was handed over is on the device. */
  get isFlushed(): boolean {
    return this.#parts.state.commitFlushed.load() >= this.#number
  }

  /** Somebody waits for the device with everything that was handed over. */
  wishFlush(): void {
    const { state } = this.#parts
    state.commitWished.store(this.#number)
    // It may be written already, and then the writer has nothing to ring for.
    state.reaper.ringIfAsleep()
  }

  /** Ends committing: everything pending and everything to come gets `error`. What is written already was {@link settle}d before. */
  refuse(error: Error): void {
    this.#failure ??= error
    const entries = new Set(this.#dirty)
    for (const entry of this.#underWay.drain()) entries.add(entry)
    this.#dirty = []
    for (const entry of entries) {
      entry.served?.reject(error)
      entry.waiting?.reject(error)
      entry.served = undefined
      entry.waiting = undefined
      entry.underWay = undefined
    }
    this.#unflushed.refuse(error)
  }

  #checkWritable(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#parts.readOnly) throw readOnlyError(this.#parts.directory)
  }

  #finish(entry: Entry, number: number): void {
    const { mailboxes, directory, durability } = this.#parts
    const { served } = entry
    entry.underWay = undefined
    entry.served = undefined
    if (served === undefined) return
    const errno = mailboxes.errno(entry.id)
    if (errno !== 0) {
      served.reject(errorOf(errno, directory))
      return
    }
    this.#writtenCount += 1
    if (durability === 'process') served.resolve()
    else this.#awaitDevice(number, served.resolve, served.reject)
  }

  #awaitDevice(number: number, resolve: () => void, reject: (error: unknown) => void): void {
    this.#unflushed.add(number, undefined, resolve, reject)
    this.#parts.watch.begin(wakes.anyway)
  }

  /** Resolves when nothing of the group is under way any more. */
  #written(entry: Entry): Promise<void> {
    return (entry.waiting ?? entry.served)?.promise ?? Promise.resolve()
  }

  async #create(topic: string, name: string, committed: number): Promise<StoredGroup> {
    const { topics, control } = this.#parts
    assertGroupState({ committed, ranges: [] })
    const { id, state } = await this.#call(() => control.takeGroup(topic, name, committed))
    const entry = new Entry(id, topics.handle(topic), name, state)
    this.#tellTopic(entry)
    this.#entries.set(keyOf(topic, name), entry)
    return entry
  }

  /**
   * From now on messages of its topic are kept for it. The topic gets its number here, if it has none: whatever thread declares it, its
   * first message is one of this group's.
   */
  #tellTopic(entry: Entry): void {
    const { topics, mailboxes, isFollower } = this.#parts
    // Its owner numbers the topics of a log, and keeps what is in it.
    if (isFollower) return
    mailboxes.setTopic(entry.id, topics.intern(entry.handle))
  }

  /** One creation or removal of a group at a time. */
  async #change<T>(key: string, change: () => Promise<T>): Promise<T> {
    const changing = change()
    this.#changing.set(key, changing)
    try {
      return await changing
    } finally {
      this.#changing.delete(key)
    }
  }

  /** A call to the reaper, with its error turned into ours. */
  async #call<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await this.#parts.keepAlive.during(call())
    } catch (error) {
      const { code, errno } = error as NodeJS.ErrnoException
      if (error instanceof BookendError || errno === undefined || code === undefined) throw error
      throw errorOf(Math.abs(errno), this.#parts.directory)
    }
  }
}

function errorOf(errno: number, directory: string): BookendError {
  return isFull(errno) ? noSpaceError(errno, directory, 'the groups') : deviceError(errno, directory)
}
