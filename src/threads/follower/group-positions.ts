/**
 * The groups of a follower: each in a file of its own, which is locked while it is used. What the application's thread leaves in the
 * mailboxes is written as the owner's writer does it, and flushed here.
 */
import { assert, BookendError } from '../../errors.js'
import type { GroupState } from '../../format/group-layout.js'
import { maxGroups } from '../../limits.js'
import type { Rope } from '../../ring/bell.js'
import { FlushWay } from '../../ring/flush-way.js'
import type { GroupMailboxes } from '../../ring/group-mailboxes.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { FollowerGroups, HeldGroup } from '../../storage/files/follower-groups.js'
import { clampedTo } from '../../storage/files/group-file.js'
import { CommitWriter } from '../writer/commit-writer.js'
import type { FollowedGroup, TakenGroup } from './follower-protocol.js'

export interface GroupPositionsParts {
  state: SharedState<'writer' | 'reaper' | 'flusher'>
  /** The thread that commits. */
  application: Rope
  mailboxes: GroupMailboxes
  groups: FollowerGroups
  directory: string
  /** Offset behind the last message of a topic that this follower knows; 0 without any. */
  nextOf(topic: string): number
  flushIntervalMs: number
  /** A clock that never goes back. */
  nowMs(): number
}

export class GroupPositions {
  readonly #parts: GroupPositionsParts
  readonly #commits: CommitWriter
  readonly #way: FlushWay
  readonly #held = new Map<number, HeldGroup>()
  #flushing: Promise<void> | undefined
  #lastFlushMs = Number.NEGATIVE_INFINITY
  #isFailed = false

  constructor(parts: GroupPositionsParts) {
    this.#parts = parts
    const { state, application, mailboxes } = parts
    this.#way = new FlushWay(state.commitDone, state.commitWished, state.commitFlushed)
    const file = {
      writeSector: (id: number, sequence: number, sector: Uint8Array) => this.#group(id).writeSector(sequence, sector),
      rewriteRecords: (id: number, sequence: number) => this.#group(id).rewriteRecords(sequence),
      close: () => {},
    }
    this.#commits = new CommitWriter({ state, application, mailboxes, openFile: () => file })
  }

  /** @throws `BOOKEND_LOCKED`, `BOOKEND_READ_ONLY` where nothing may be written, `BOOKEND_FORMAT`; system errors as they are */
  take(topic: string, name: string, committed: number): TakenGroup {
    const { groups, mailboxes, nextOf } = this.#parts
    const id = this.#freeId()
    let held: HeldGroup
    try {
      held = groups.take(topic, name, committed)
    } catch (error) {
      throw this.#refusal(error)
    }
    this.#held.set(id, held)
    // After a power cut a position may be there and the messages below it not, and others will get their offsets.
    const state = clampedTo(held.state, nextOf(topic))
    mailboxes.markWritten(id, held.sequence, state.committed)
    return { id, state: { committed: state.committed, ranges: [...state.ranges] } }
  }

  async remove(id: number): Promise<void> {
    // A flush has its file in hands.
    await this.#flushing
    const held = this.#held.get(id)
    if (held === undefined) return
    held.remove()
    held.close()
    this.#held.delete(id)
  }

  stateOf(topic: string, name: string): GroupState | undefined {
    return this.#parts.groups.find(topic, name)?.state
  }

  /** Of every follower. */
  names(): FollowedGroup[] {
    return this.#parts.groups.list().map(({ topic, name }) => ({ topic, name }))
  }

  /** Something is written and not flushed. */
  get isDirty(): boolean {
    return this.#way.isDirty
  }

  /** Writes what is to be written, and flushes if that is wanted or due. */
  tend(): void {
    const { flushIntervalMs, nowMs } = this.#parts
    if (this.#isFailed) return
    this.#commits.doWork()
    if (this.#flushing !== undefined || !this.isDirty) return
    if (this.#way.isAwaited || nowMs() - this.#lastFlushMs >= flushIntervalMs) this.#flush()
  }

  /** Everything handed over so far is written and flushed, as far as the device lets it. The files are given back. */
  async close(): Promise<void> {
    this.#commits.doWork()
    await this.#flushing
    if (this.isDirty && !this.#isFailed) this.#flush()
    await this.#flushing
    for (const held of this.#held.values()) held.close()
    this.#held.clear()
  }

  #flush(): void {
    const { state, application, nowMs } = this.#parts
    this.#lastFlushMs = nowMs()
    const written = this.#way.published()
    this.#flushing = Promise.all([...this.#held.values()].map((held) => held.syncLater()))
      .then(
        () => this.#way.answer(written),
        (error: NodeJS.ErrnoException) => this.#fail(error),
      )
      .finally(() => {
        this.#flushing = undefined
        application.ringIfAsleep()
        // Whoever asked while this one ran is served by the next.
        state.writer.ring()
      })
  }

  /** What is on the device is not known any more: a later success would say nothing about it. */
  #fail(error: NodeJS.ErrnoException): void {
    const { state, application } = this.#parts
    this.#isFailed = true
    state.reaperErrno.store(Math.abs(error.errno ?? 5))
    application.ring()
  }

  #group(id: number): HeldGroup {
    const held = this.#held.get(id)
    assert(held !== undefined, 'a group that commits is held')
    return held
  }

  #freeId(): number {
    for (let id = 0; id < maxGroups; id++) if (!this.#held.has(id)) return id
    throw new BookendError('BOOKEND_NO_SPACE', `a follower has at most ${maxGroups} groups: remove one`)
  }

  #refusal(error: unknown): unknown {
    const { code } = error as NodeJS.ErrnoException
    if (!unwritable.has(String(code))) return error
    const what = `a group of a follower keeps its position below ${this.#parts.directory}/followers, where this process may not write (${code}): read without a group, or let it write there`
    return new BookendError('BOOKEND_READ_ONLY', what, { cause: error })
  }
}

/** This process may not, or cannot, make files there. */
const unwritable = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR'])
