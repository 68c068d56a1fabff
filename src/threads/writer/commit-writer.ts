/**
 * The writer's second duty: states of groups from their mailboxes into the groups file, one sector each. It needs no segment,
 * so it goes on while appending waits for space: consuming is what frees some.
 */
import { assert } from '../../errors.js'
import { isFull } from '../../failures.js'
import { committedOf, groupSectorBytes, sequenceAfter } from '../../format/group-layout.js'
import { maxGroups } from '../../limits.js'
import type { Rope } from '../../ring/bell.js'
import type { GroupMailboxes } from '../../ring/group-mailboxes.js'
import { type SharedState, writerState } from '../../ring/shared-state.js'
import type { GroupFile } from '../../storage/files/group-file.js'

/** What the writer needs of it; a follower has a file for each group behind it. */
type SectorFile = Pick<GroupFile, 'writeSector' | 'rewriteRecords' | 'close'>

export interface CommitWriterParts {
  state: SharedState<'writer'>
  /** The thread that commits. */
  application: Rope
  mailboxes: GroupMailboxes
  /** The file is there before the first commit. */
  openFile(): SectorFile | undefined
}

export class CommitWriter {
  readonly #parts: CommitWriterParts
  readonly #sector = new Uint8Array(groupSectorBytes)
  #file: SectorFile | undefined
  #done: number

  constructor(parts: CommitWriterParts) {
    this.#parts = parts
    this.#done = parts.state.commitDone.load()
  }

  get hasWork(): boolean {
    return this.#parts.state.commitRequest.load() !== this.#done
  }

  /** Writes what was handed over. Returns the number of commits. */
  doWork(): number {
    const { state, mailboxes, application } = this.#parts
    const requested = state.commitRequest.load()
    const count = requested - this.#done
    if (count === 0) return 0
    for (let index = 0; index < count; index++) this.#write(mailboxes.groupOf(this.#done + index))
    const wasFlushed = state.commitFlushed.load() === this.#done
    this.#done = requested
    // After everything that the mailboxes say of these commits: whoever sees the number believes them.
    state.commitDone.store(requested)
    application.ringIfAsleep()
    // The reaper's clock runs from the first commit that is not flushed. The wish was there before the commit it is about.
    if (wasFlushed || state.commitWished.load() > state.commitFlushed.load()) state.reaper.ringIfAsleep()
    return count
  }

  /**
   * The reaper has died, and with it perhaps the news that a flush had failed: writes again what the file holds of every group,
   * so that the next reaper's flush tells the truth about it. Only this thread writes records of known groups.
   */
  writeAgain(): void {
    const { mailboxes } = this.#parts
    try {
      this.#file ??= this.#parts.openFile()
      for (let group = 0; group < maxGroups && this.#file !== undefined; group++) {
        const sequence = mailboxes.sequence(group)
        if (mailboxes.isKnown(group) && sequence !== 0) this.#file.rewriteRecords(group, sequence)
      }
    } catch (error) {
      const { errno } = error as NodeJS.ErrnoException
      if (errno === undefined) throw error
      this.#fail(Math.abs(errno))
    }
  }

  close(): void {
    this.#file?.close()
    this.#file = undefined
  }

  #write(group: number): void {
    const { mailboxes } = this.#parts
    try {
      this.#file ??= this.#parts.openFile()
      assert(this.#file !== undefined, 'a group that commits is in a file')
      mailboxes.take(group, this.#sector)
      const committed = committedOf(this.#sector)
      // A state that goes back takes both records: if the newer one is damaged, the older must not be ahead of it.
      const records = committed < mailboxes.written(group) ? 2 : 1
      for (let record = 0; record < records; record++) {
        const sequence = sequenceAfter(mailboxes.sequence(group))
        this.#file.writeSector(group, sequence, this.#sector)
        mailboxes.markWritten(group, sequence, committed)
      }
    } catch (error) {
      this.#refuse(group, error)
    }
  }

  /** A full disk refuses this commit alone; anything else ends writing for good, and says why. */
  #refuse(group: number, error: unknown): void {
    const { mailboxes } = this.#parts
    const { code, errno } = error as NodeJS.ErrnoException
    // Not a device but a bug: end the thread, with the error for everybody to see.
    if (code === undefined || errno === undefined) throw error
    mailboxes.markFailed(group, Math.abs(errno))
    if (isFull(Math.abs(errno))) return
    this.#fail(Math.abs(errno))
  }

  #fail(errno: number): void {
    const { state, application } = this.#parts
    // Errno first: whoever sees the state looks for its reason.
    state.writerErrno.store(errno)
    state.writerState.store(writerState.failed)
    application.ring()
  }
}
