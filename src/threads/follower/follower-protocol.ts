/** What the application's thread and the thread that follows a log say to each other. Plain data both ways. */
import type { MessagePort } from 'node:worker_threads'
import type { PortableError } from '../../errors.js'
import type { GroupState } from '../../format/group-layout.js'
import type { OwnThread } from '../own-threads.js'
import type { OpenedLog } from '../protocol.js'
import type { SharedMemory } from '../shared-memory.js'

export interface FollowerData extends OwnThread {
  shared: SharedMemory
  flushIntervalMs: number
  /** Rare news for the application's thread. */
  news: MessagePort
}

/** How a follower hears of what is published. */
export interface Hearing {
  /** `bell`: told by the owner at once. `looks`: the control file is looked at once a second. `left`: nobody has the log open. */
  by: 'bell' | 'looks' | 'left'
  /** Why there is no bell, where one could be expected. */
  because: string | undefined
}

export type FollowerNews =
  | { type: 'topic'; id: number; name: string }
  | { type: 'hearing'; hearing: Hearing }
  /** There is a bell file, and whoever watches it in this thread's place says so by its number: see {@link SharedState.watchedBell}. */
  | { type: 'bell'; number: number }
  | { type: 'error'; code: string; message: string }
  /** It is not the log any more that was opened: nothing comes any more. */
  | { type: 'lost'; error: PortableError }

/** A group of a follower, or of the owner. */
export interface FollowedGroup {
  topic: string
  name: string
}

/** A group that this process has now. */
export interface TakenGroup {
  id: number
  state: GroupState
}

export interface FollowerControl {
  /** Follows what the reaper has opened. Answers when everything is known that was published before the call. */
  start(opened: OpenedLog): Promise<Hearing>
  /** Takes a group, and makes it if there is none. */
  takeGroup(topic: string, name: string, committed: number): TakenGroup
  removeGroup(id: number): Promise<void>
  /** How far a group has come that this process need not have, of followers or of the owner; undefined: there is none. */
  stateOf(topic: string, name: string): GroupState | undefined
  /** Of the groups that {@link FollowerControl.stateOf} knows. */
  groupNames(): FollowedGroup[]
  /** Writes and flushes what groups have committed, and ends. */
  close(): Promise<void>
}
