/**
 * The states of consumer groups on their way into the file: handed to the writer, flushed by the reaper. Protocol: ring/group-mailboxes.ts.
 *
 * A commit that comes while one of the same group is under way waits here, and a later one takes its place: however
 * often a group commits, the writer writes the newest state, and everybody who asked for an older one is served by it, with
 * one promise for all of them.
 */

import { Fifo } from '../../collections/fifo.js'
import type { Durability } from '../../engine/terms.js'
import { assert } from '../../errors.js'
import { groupsError, readOnlyError } from '../../failures.js'
import { assertGroupState, type GroupState } from '../../format/group-layout.js'
import type { GroupMailboxes } from '../../ring/group-mailboxes.js'
import type { SharedState } from '../../ring/shared-state.js'
import { AwaitingDevice } from '../awaiting-device.js'
import { type Waiter, type Watch, wakes } from '../watch.js'
import { type GroupEntry, StateWrite, type StoredGroup } from './group-entry.js'

export interface GroupCommitsParts {
  state: SharedState<'application'>
  mailboxes: GroupMailboxes
  directory: string
  durability: Durability
  readOnly: boolean
  /** Makes its loop call {@link GroupCommits.settle} while something is awaited. */
  watch: Pick<Watch, 'register' | 'begin'>
}

export class GroupCommits implements Waiter {
  readonly #parts: GroupCommitsParts
  /** Somebody waits for a state of theirs that is not with the writer. */
  #dirty: GroupEntry[] = []
  /** In the order of the numbers of their commits. */
  readonly #underWay = new Fifo<GroupEntry>()
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
  }

  /** States written since the log was opened. */
  get writtenCount(): number {
    return this.#writtenCount
  }

  /**
   * Resolves when this state, or a newer one, is written, and flushed too where the log's durability is `disk`. Any number
   * of calls in a turn cost one write. Of more than {@link maxGroupRanges} ranges the first are kept. A removed group
   * commits nothing.
   * @param state is looked at when it is handed over: the caller may let it go on changing, but only to what may be committed
   */
  commit(group: StoredGroup, state: GroupState): Promise<void> {
    try {
      this.checkWritable()
    } catch (error) {
      return Promise.reject(error)
    }
    const entry = group as GroupEntry
    entry.state = state
    if (entry.isRemoved) return Promise.resolve()
    if (entry.waiting !== undefined) return entry.waiting.promise
    const write = new StateWrite()
    entry.waiting = write
    this.#dirty.push(entry)
    if (!this.#isScheduled) {
      this.#isScheduled = true
      queueMicrotask(this.#handOverLater)
    }
    this.#parts.watch.begin(wakes.anyway)
    return write.promise
  }

  /** Everything asked to be committed so far has reached the level. */
  async flush(level: Durability): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const pending = new Set(this.#dirty)
    for (const entry of this.#underWay) pending.add(entry)
    await Promise.all([...pending].map((entry) => entry.written()))
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
    const left: GroupEntry[] = []
    const before = this.#number
    for (const entry of this.#dirty) {
      const { waiting } = entry
      assert(waiting !== undefined, 'a state that is newer than what is under way is waited for')
      if (entry.underWay !== undefined) {
        left.push(entry)
        continue
      }
      entry.waiting = undefined
      let stored: GroupState
      try {
        // As of now: what is on the device by now may be in it.
        stored = entry.journal.stateOf(entry.state)
        assertGroupState(stored)
      } catch (error) {
        waiting.reject(error)
        continue
      }
      // The box is ours: the writer has finished with the commit before this one.
      mailboxes.fill(this.#number, entry.id, stored)
      this.#number += 1
      waiting.number = this.#number
      entry.underWay = waiting
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
      const write = entry.underWay
      assert(write !== undefined, 'what is under way is waited for')
      if (done < write.number) break
      this.#underWay.shift()
      entry.underWay = undefined
      this.#finish(entry, write)
    }
    this.#unflushed.settle()
    if (!this.#isScheduled) this.handOver()
  }

  /** Something is awaited that {@link settle} will settle. */
  get isAwaited(): boolean {
    return this.isUnwritten || this.#unflushed.length > 0
  }

  get quickCount(): number {
    return this.#underWay.length + this.#dirty.length
  }

  wakesAt(): number {
    return this.isAwaited ? wakes.anyway : wakes.never
  }

  /** Something asked to be committed is not in the file yet. */
  get isUnwritten(): boolean {
    return this.quickCount > 0
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
    for (const entry of entries) entry.refuse(error)
    this.#unflushed.refuse(error)
  }

  /** @throws what ended committing; `BOOKEND_READ_ONLY` */
  checkWritable(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#parts.readOnly) throw readOnlyError(this.#parts.directory)
  }

  #finish({ id }: GroupEntry, { number, resolve, reject }: StateWrite): void {
    const { mailboxes, directory, durability } = this.#parts
    const errno = mailboxes.errno(id)
    if (errno !== 0) {
      reject(groupsError(errno, directory))
      return
    }
    this.#writtenCount += 1
    if (durability === 'process') resolve()
    else this.#awaitDevice(number, resolve, reject)
  }

  #awaitDevice(number: number, resolve: () => void, reject: (error: unknown) => void): void {
    this.#unflushed.add(number, undefined, resolve, reject)
    this.#parts.watch.begin(wakes.anyway)
  }
}
