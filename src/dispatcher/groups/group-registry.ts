/**
 * The groups that there are: made and removed durably by the thread that keeps their file, known here at once. Of one group one thing happens
 * at a time.
 */
import { BookendError } from '../../errors.js'
import { groupsError } from '../../failures.js'
import { assertGroupState, type GroupState } from '../../format/group-layout.js'
import { journalTopic } from '../../format/hidden-topics.js'
import { maxGroups } from '../../limits.js'
import type { GroupMailboxes } from '../../ring/group-mailboxes.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { GroupName, Journals, OpenedGroup } from '../../threads/protocol.js'
import type { KeepAlive } from '../keep-alive.js'
import type { TopicDirectory } from '../topic-directory.js'
import { AckJournal } from './ack-journal.js'
import type { GroupCommits } from './group-commits.js'
import { GroupEntry, type StoredGroup } from './group-entry.js'

/** Calls to the thread that keeps the groups' files. */
export interface GroupControl {
  /** Makes a group that is not known here. Where others may have made it before, it is as they left it. */
  takeGroup(
    topic: string,
    name: string,
    committed: number,
    journals: Journals,
  ): Promise<{ id: number; state: GroupState }>
  removeGroup(id: number): Promise<void>
}

export interface GroupRegistryParts {
  commits: Pick<GroupCommits, 'checkWritable'>
  mailboxes: GroupMailboxes
  topics: TopicDirectory
  state: Pick<SharedState<'application'>, 'durable' | 'published'>
  /** What was in the file when the log was opened. */
  groups: readonly OpenedGroup[]
  control: GroupControl
  directory: string
  readOnly: boolean
  /** Another process writes the log, and these groups are this one's. */
  isFollower: boolean
  /** The process stays alive while a group is created or removed. */
  keepAlive: KeepAlive
}

/** Names hold no slash. */
function keyOf(topic: string, name: string): string {
  return `${topic}/${name}`
}

export class GroupRegistry {
  readonly #parts: GroupRegistryParts
  readonly #entries = new Map<string, GroupEntry>()
  /** Groups that are being created or removed. */
  readonly #changing = new Map<string, Promise<unknown>>()
  /** Groups whose removal is not over: their cells are still theirs. */
  readonly #leaving = new Set<GroupEntry>()

  constructor(parts: GroupRegistryParts) {
    this.#parts = parts
    for (const { id, topic, name, state, journal } of parts.groups) {
      const own = this.#journalOf(id, state.applied ?? 0)
      // It may be published and not flushed.
      if (journal !== undefined) own.add(journal.next - 1, journal.ranges, parts.state.published.load())
      const entry = new GroupEntry(id, parts.topics.handle(topic), name, state, own)
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
      this.#parts.commits.checkWritable()
      const changing = this.#changing.get(key)
      if (changing === undefined) return this.#change(key, () => this.#create(topic, name, start()))
      // Whoever began it hears of its failure; the others try for themselves.
      await changing.catch(() => {})
    }
  }

  /** Forgets the group, durably. What was asked to be committed before is of no use any more, but is waited for. */
  async remove(group: StoredGroup): Promise<void> {
    const entry = group as GroupEntry
    const key = keyOf(entry.topic, entry.name)
    const { commits, control, mailboxes } = this.#parts
    commits.checkWritable()
    if (entry.isRemoved) return void (await this.#changing.get(key))
    entry.isRemoved = true
    this.#entries.delete(key)
    this.#leaving.add(entry)
    await this.#change(key, async () => {
      try {
        // That it could not be written does not matter any more.
        await entry.written().catch(() => commits.checkWritable())
        await this.#call(() => control.removeGroup(entry.id))
        mailboxes.forget(entry.id)
      } catch (error) {
        entry.isRemoved = false
        this.#entries.set(key, entry)
        throw error
      } finally {
        this.#leaving.delete(entry)
      }
    })
  }

  async #create(topic: string, name: string, committed: number): Promise<StoredGroup> {
    const { topics, control } = this.#parts
    assertGroupState({ committed, ranges: [] })
    const journals = this.#journals()
    const { id, state } = await this.#call(() => control.takeGroup(topic, name, committed, journals))
    const applied = journals.find(([cell]) => cell === id)?.[1] ?? 0
    const entry = new GroupEntry(id, topics.handle(topic), name, state, this.#journalOf(id, applied))
    this.#tellTopic(entry)
    this.#entries.set(keyOf(topic, name), entry)
    return entry
  }

  /**
   * From now on messages of its topic are kept for it. The topic gets its number here, if it has none: whatever thread declares it, its
   * first message is one of this group's.
   */
  #tellTopic(entry: GroupEntry): void {
    const { topics, mailboxes, isFollower } = this.#parts
    // Its owner numbers the topics of a log, and keeps what is in it.
    if (isFollower) return
    mailboxes.setTopic(entry.id, topics.intern(entry.handle))
  }

  #journalOf(id: number, applied: number): AckJournal {
    const { topics, state } = this.#parts
    return new AckJournal(topics.handle(journalTopic(id)), () => state.durable.load(), applied)
  }

  /** Those of cells that groups had before. */
  #journals(): Journals {
    const { topics } = this.#parts
    const cells = Array.from({ length: maxGroups }, (_, cell) => cell)
    const used = new Set([...this.#entries.values(), ...this.#leaving].map(({ id }) => id))
    return cells
      .filter((cell) => !used.has(cell))
      .flatMap((cell) => {
        const next = topics.nextOf(journalTopic(cell))
        return next > 0 ? [[cell, next] as const] : []
      })
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

  /** A call to the thread that keeps the file, with its error turned into ours. */
  async #call<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await this.#parts.keepAlive.during(call())
    } catch (error) {
      const { code, errno } = error as NodeJS.ErrnoException
      if (error instanceof BookendError || errno === undefined || code === undefined) throw error
      throw groupsError(Math.abs(errno), this.#parts.directory)
    }
  }
}
