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
      void this.#tend().catch(() => {})
    }, pauseMs).unref()
  }

  /** All that is on the device goes into the file: with the next flush of commits it is on the device there. */
  takeOver(): void {
    for (const group of this.#open()) this.#parts.commits.commit(group, group.state).catch(() => {})
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  async #tend(): Promise<void> {
    const { commits, trim } = this.#parts
    const groups = this.#open()
    this.takeOver()
    // Behind it: what a record on the device holds is not needed in the journal.
    await commits.flush('disk')
    for (const group of groups) {
      const { topic, applied } = group.journal
      if (applied <= (this.#trimmed.get(group) ?? 0)) continue
      await trim(topic.id, applied)
      this.#trimmed.set(group, applied)
    }
    if (this.#open().length > 0) this.wake()
  }

  #open(): StoredGroup[] {
    return this.#parts.registry.list().filter(({ journal }) => journal.isOpen)
  }
}
