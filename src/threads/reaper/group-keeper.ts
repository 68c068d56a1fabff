/**
 * The reaper's part in consumer groups: reads the groups file when the log opens, creates and removes groups, and flushes
 * what the writer has written.
 */
import type { OffsetRange } from '../../collections/offset-ranges.js'
import { assert, BookendError } from '../../errors.js'
import { ownerLostError } from '../../failures.js'
import type { GroupState } from '../../format/group-layout.js'
import { sequenceAfter } from '../../format/group-layout.js'
import { journalTopic } from '../../format/hidden-topics.js'
import { maxGroups } from '../../limits.js'
import { errno, failedCall } from '../../memory/errno.js'
import type { Rope } from '../../ring/bell.js'
import { FlushWay } from '../../ring/flush-way.js'
import type { GroupMailboxes } from '../../ring/group-mailboxes.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { TopicState } from '../../storage/append/topic-state.js'
import type { Disk } from '../../storage/files/disk.js'
import { foldedAcks } from '../../storage/files/folded-acks.js'
import { clampedTo, type FoundGroup, GroupFile } from '../../storage/files/group-file.js'
import type { Owner } from '../../storage/files/ownership.js'
import type { GroupName, Journals, OpenedGroup } from '../protocol.js'

/** Reads what a journal holds from an offset on. */
export type ReadAcks = (journal: TopicState, from: number) => OffsetRange[]

export interface GroupKeeperParts {
  state: SharedState<'reaper'>
  /** The thread that commits. */
  application: Rope
  mailboxes: GroupMailboxes
  disk: Disk
  directory: string
  /** Of the log. */
  logId: string
  owner: Owner
  flushIntervalMs: number
  /** A clock that never goes back. */
  nowMs(): number
  /** A flush failed: what is on the device is not known any more. */
  onFailure(error: unknown): void
}

export class GroupKeeper {
  readonly #parts: GroupKeeperParts
  #file: GroupFile | undefined
  /** The same file, opened once more, for the flushes that are waited for on this thread. */
  #fileHere: GroupFile | undefined
  readonly #ids = new Set<number>()
  /** Of commits to the device. */
  readonly #way: FlushWay
  #flushing: Promise<void> | undefined
  /** Flushes of {@link #file}, one after the other. */
  #syncs: Promise<unknown> = Promise.resolve()
  #lastFlushMs = Number.NEGATIVE_INFINITY
  /** Of a flush. */
  #failure: unknown
  /** Creations and removals, one after the other. */
  #changes: Promise<unknown> = Promise.resolve()

  constructor(parts: GroupKeeperParts) {
    this.#parts = parts
    const { commitDone, commitWished, commitFlushed } = parts.state
    this.#way = new FlushWay(commitDone, commitWished, commitFlushed)
  }

  /**
   * Reads the file, and puts back what is ahead of its topic: after a power cut a committed offset may be there and the
   * messages below it not, and others will get their offsets. Done before anything is appended.
   */
  open(
    topics: readonly TopicState[],
    readOnly: boolean,
    readAcks: ReadAcks = () => [],
  ): { groups: OpenedGroup[]; damages: string[] } {
    const { disk, directory, logId, mailboxes } = this.#parts
    const file = GroupFile.open(disk, directory, logId, readOnly ? 'read' : 'write')
    if (file === undefined) return { groups: [], damages: [] }
    assert(file.foreignMark === undefined, 'a groups file of another log is refused before this one is changed')
    const { groups: found, damages, isHeaderSound } = file.read()
    const byName = new Map(topics.map((topic) => [topic.name, topic]))
    const groups = found.map((group) => {
      const topic = byName.get(group.topic)
      const journal = byName.get(journalTopic(group.id))
      const { applied = 0 } = group.state
      const journalNext = journal?.next ?? 0
      const inTopic = clampedTo(group.state, topic?.next ?? 0)
      // Its offsets are given again.
      const clamped = applied > journalNext ? { ...inTopic, applied: journalNext } : inTopic
      const isAhead = clamped !== group.state
      const record = isAhead && !readOnly ? rewrite(file, group, clamped) : { ...group, state: clamped }
      mailboxes.markWritten(group.id, record.sequence, clamped.committed)
      mailboxes.setTopic(group.id, topic?.id ?? -1)
      this.#ids.add(group.id)
      const named = { id: group.id, topic: group.topic, name: group.name, isAhead }
      if (journal === undefined || applied >= journalNext) return { ...named, state: clamped }
      const acks = readAcks(journal, Math.max(applied, journal.first))
      const state = clampedTo(foldedAcks(clamped, acks), topic?.next ?? 0)
      return { ...named, state, journal: { next: journalNext, ranges: acks } }
    })
    if (readOnly) file.close()
    else {
      this.#file = this.#withSecond(file)
      if (!isHeaderSound) file.writeHeader()
      if (!isHeaderSound || groups.some(({ isAhead }) => isAhead)) file.sync()
    }
    return {
      groups: groups.map(({ isAhead: _, ...group }) => group),
      damages: damages.map(({ what }) => what),
    }
  }

  /**
   * Instead of {@link open}, in the place of a reaper that has died, while the writer goes on with its records (and has written
   * those again, should a flush have failed unheard). Which group has which cell is written again from what the application
   * knows: a group that was being created is nobody's, one that was being removed has its cell as before, and what made or unmade
   * it is asked for again. Flushed by {@link tend}, but for the identities, which nobody would ask about.
   */
  async takeOver(known: readonly GroupName[]): Promise<void> {
    const { disk, directory, logId } = this.#parts
    const file = GroupFile.open(disk, directory, logId, 'write')
    if (file === undefined) {
      if (known.length > 0) throw failedCall('open', errno.EIO, `${GroupFile.path(directory)} is gone`)
      return
    }
    this.#file = this.#withSecond(file)
    file.writeHeader()
    const byId = new Map(known.map((group) => [group.id, group]))
    // The same bytes over themselves: at no moment is a group without its name.
    for (let id = 0; id < file.cells; id++) file.writeIdentity(id, byId.get(id))
    for (const id of byId.keys()) this.#ids.add(id)
    // The name of the file too may have been given without anybody hearing that it is there for good.
    disk.syncDirectory(directory)
    await this.#sync(file)
  }

  /** @returns the group's id. @throws `BOOKEND_NO_SPACE` where there are too many, system errors as they are */
  create(topic: string, name: string, committed: number, journals: Journals = []): Promise<number> {
    return this.#inTurn(async () => {
      this.#checkOwner()
      const { disk, directory, logId, mailboxes } = this.#parts
      const id = this.#freeId()
      const applied = journals.find(([cell]) => cell === id)
      this.#file ??= this.#withSecond(GroupFile.create(disk, directory, logId))
      // The record is durable before the identity is written: a cell with a group has a state, and never that of its last owner.
      this.#file.writeFirstRecord(id, { sequence: 1, state: { committed, ranges: [], applied: applied?.[1] } })
      await this.#sync(this.#file)
      this.#file.writeIdentity(id, { topic, name })
      await this.#sync(this.#file)
      mailboxes.markWritten(id, 1, committed)
      this.#ids.add(id)
      return id
    })
  }

  remove(id: number): Promise<void> {
    return this.#inTurn(async () => {
      const file = this.#file
      if (file === undefined || !this.#ids.has(id)) return
      this.#checkOwner()
      file.writeIdentity(id, undefined)
      await this.#sync(file)
      this.#ids.delete(id)
    })
  }

  /** Flushes what was written if that is wanted or due. */
  tend(): void {
    const { state, application, flushIntervalMs, nowMs } = this.#parts
    if (this.#file === undefined || this.#failure !== undefined || this.#flushing !== undefined || !this.isDirty) return
    if (!this.#way.isAwaited && nowMs() - this.#lastFlushMs < flushIntervalMs) return
    this.#lastFlushMs = nowMs()
    const written = this.#way.published()
    this.#flushing = this.#sync(this.#file)
      .then(
        () => this.#way.answer(written),
        () => {},
      )
      .finally(() => {
        this.#flushing = undefined
        application.ringIfAsleep()
        // Whoever asked while this one ran is served by the next.
        state.reaper.ring()
      })
  }

  /** Something is written and not flushed. */
  get isDirty(): boolean {
    return this.#way.isDirty
  }

  /** The lowest committed offset of the topic's groups, as it is in the file; undefined where nobody consumes the topic. */
  consumedTo(topic: number): number | undefined {
    return this.#parts.mailboxes.lowestWritten(topic)
  }

  /**
   * Flushes what {@link consumedTo} has answered before: only then may the messages below go, lest a group that a power
   * cut puts back finds them missing. @throws system errors
   */
  beforeConsumedTrim(): void {
    const written = this.#way.published()
    try {
      // Not on the one that another thread may be flushing: a failure might be told there alone.
      this.#fileHere?.sync()
    } catch (error) {
      throw this.#fail(error)
    }
    this.#way.answer(written)
  }

  /** Flushes what is left, if asked, and closes the file. The writer has ended. */
  async stop(isClean: boolean): Promise<void> {
    await this.#changes
    await this.#flushing
    if (isClean && this.isDirty) {
      this.#lastFlushMs = Number.NEGATIVE_INFINITY
      this.tend()
      await this.#flushing
    }
    await this.#syncs
    this.#file?.close()
    this.#file = undefined
    this.#fileHere?.close()
    this.#fileHere = undefined
  }

  /** Opens the file once more, before anything is written: an open file is told of failures since it was opened. */
  #withSecond(file: GroupFile): GroupFile {
    const { disk, directory, logId } = this.#parts
    try {
      this.#fileHere = GroupFile.open(disk, directory, logId, 'write')
      return file
    } catch (error) {
      file.close()
      throw error
    }
  }

  /**
   * One at a time: of a failure the kernel tells an open file once. Of two that flush it at once one would be told "done" about
   * what is lost.
   */
  #sync(file: GroupFile): Promise<void> {
    const turn = this.#syncs.then(async () => {
      if (this.#failure !== undefined) throw this.#failure
      try {
        await file.syncLater()
      } catch (error) {
        throw this.#fail(error)
      }
    })
    this.#syncs = turn.catch(() => {})
    return turn
  }

  /** Nothing is flushed again: a later success would say nothing about these pages. */
  #fail(error: unknown): unknown {
    this.#failure ??= error
    this.#parts.onFailure(error)
    return error
  }

  #checkOwner(): void {
    const { owner, directory } = this.#parts
    if (!owner.isKept()) throw ownerLostError(directory)
  }

  #freeId(): number {
    for (let id = 0; id < maxGroups; id++) if (!this.#ids.has(id)) return id
    const message = `a log holds at most ${maxGroups} groups: remove one that is not needed any more`
    throw new BookendError('BOOKEND_NO_SPACE', message)
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(change)
    this.#changes = result.catch(() => {})
    return result
  }
}

/** Both records, so that damage to one does not bring back what the other has corrected. */
function rewrite(file: GroupFile, { id, sequence }: FoundGroup, state: GroupState): { sequence: number } {
  const first = sequenceAfter(sequence)
  const second = sequenceAfter(first)
  file.writeRecord(id, { sequence: first, state })
  file.writeRecord(id, { sequence: second, state })
  return { sequence: second }
}
