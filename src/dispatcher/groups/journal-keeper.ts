/**
 * Takes what transactions have acknowledged over into the groups file, now and then, and trims the journals behind that. Nothing depends on when: who opens
 * the log finds in the journals what the file does not have.
 */
import type { GroupCommits } from './group-commits.js'
import type { StoredGroup } from './group-entry.js'
import type { GroupRegistry } from './group-registry.js'

/** Long enough for the log to have been flushed meanwhile. */
const pauseMs = 1_000

export interface JournalKeeperParts {
  registry: Pick<GroupRegistry, 'list'>
  commits: Pick<GroupCommits, 'commit' | 'flush'>
  /** Messages of a topic below go. */
  trim(topic: number, before: number): Promise<void>
}

export class JournalKeeper {
  readonly #parts: JournalKeeperParts
  readonly #trimmed = new Map<StoredGroup, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: JournalKeeperParts) {
    this.#parts = parts
  }

  /** A transaction has acknowledged something. */
  wake(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.tend().catch(() => {})
    }, pauseMs).unref()
  }

  /** All that is on the device goes into the file: with the next flush of commits it is on the device there. Resolves when it is written. */
  async takeOver(): Promise<void> {
    await Promise.allSettled(this.#open().map((group) => this.#parts.commits.commit(group, group.state)))
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Takes over, and trims the journals behind what is on the device in the file. */
  async tend(): Promise<void> {
    const { commits, trim } = this.#parts
    const groups = this.#open()
    await this.takeOver()
    // Before the flush: it is of the records that were asked for by now, and not of those that others ask for meanwhile.
    const applied = groups.map(({ journal }) => journal.applied)
    // Before the trim: what a record on the device holds is not needed in the journal.
    await commits.flush('disk')
    for (const [index, group] of groups.entries()) {
      if (applied[index] <= (this.#trimmed.get(group) ?? 0)) continue
      await trim(group.journal.topic.id, applied[index])
      this.#trimmed.set(group, applied[index])
    }
    if (this.#open().length > 0) this.wake()
  }

  #open(): StoredGroup[] {
    return this.#parts.registry.list().filter(({ journal }) => journal.isOpen)
  }
}
