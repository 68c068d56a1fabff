/** A group that is in the file, and who waits for a state of it to be written. */
import type { GroupState } from '../../format/group-layout.js'
import type { TopicHandle } from '../topic-directory.js'
import type { AckJournal } from './ack-journal.js'

/** What callers know of it. */
export interface StoredGroup {
  readonly id: number
  readonly topic: string
  readonly name: string
  /** As it was last written, or asked to be. It may go on changing, see `GroupCommits.commit`. */
  state: GroupState
  /** What transactions have acknowledged that is not in the file. */
  readonly journal: AckJournal
}

/** One write of a group's state, and the promise of everybody who waits for it. */
export class StateWrite {
  readonly promise: Promise<void>
  /** Of the commit, once it is with the writer. */
  number = 0
  resolve!: () => void
  reject!: (error: unknown) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }
}

/** The registry makes and removes it; its commits set the rest. */
export class GroupEntry implements StoredGroup {
  readonly id: number
  readonly handle: TopicHandle
  readonly name: string
  /** It commits nothing more. Set by the registry. */
  isRemoved = false
  state: GroupState
  readonly journal: AckJournal
  /** Somebody waits for a state that is newer than what is under way. */
  waiting: StateWrite | undefined
  /** It is with the writer. */
  underWay: StateWrite | undefined

  constructor(id: number, handle: TopicHandle, name: string, state: GroupState, journal: AckJournal) {
    this.id = id
    this.handle = handle
    this.name = name
    this.state = state
    this.journal = journal
  }

  get topic(): string {
    return this.handle.name
  }

  /** Resolves when everything that was asked to be committed is written. @throws what it could not be written for */
  written(): Promise<void> {
    return (this.waiting ?? this.underWay)?.promise ?? Promise.resolve()
  }

  /** Whoever waits gets `error`. */
  refuse(error: Error): void {
    this.underWay?.reject(error)
    this.waiting?.reject(error)
    this.underWay = undefined
    this.waiting = undefined
  }
}
