/** Everything that has to do with consumer groups, in one thread: dispatcher's, writer's and reaper's side, driven by hand. */

import { GroupCommits } from '../../src/dispatcher/groups/group-commits.js'
import { GroupRegistry } from '../../src/dispatcher/groups/group-registry.js'
import { KeepAlive } from '../../src/dispatcher/keep-alive.js'
import { TopicDirectory } from '../../src/dispatcher/topic-directory.js'
import type { Durability } from '../../src/engine/terms.js'
import type { GroupMailboxes } from '../../src/ring/group-mailboxes.js'
import { TopicCells } from '../../src/ring/topic-cells.js'
import type { TopicState } from '../../src/storage/append/topic-state.js'
import type { OpenedGroup } from '../../src/threads/protocol.js'
import type { GroupKeeper, ReadAcks } from '../../src/threads/reaper/group-keeper.js'
import type { CommitWriter } from '../../src/threads/writer/commit-writer.js'
import { groupKeeping } from './group-keeping.js'
import { type SharedWords, sharedWords } from './shared-words.js'
import { SimulatedDisk } from './simulated-disk.js'

export const groupsDirectory = '/log'
export const testLogId = 'ab'.repeat(16)
export const groupsPath = `${groupsDirectory}/groups`

export function topicState(id: number, name: string, next: number): TopicState {
  return { id, name, next, first: 0, declaredIn: 0 }
}

export interface GroupWorldOptions {
  topics?: TopicState[]
  durability?: Durability
  readOnly?: boolean
  flushIntervalMs?: number
  /** Of the first commit. */
  number?: number
  readAcks?: ReadAcks
}

export class GroupWorld {
  readonly disk: SimulatedDisk
  readonly state: SharedWords['state']
  readonly lane: SharedWords['lane']
  readonly mailboxes: GroupMailboxes
  readonly topics: TopicDirectory
  /** Another one in its place takes over what is asked from then on. */
  keeper: GroupKeeper
  readonly writer: CommitWriter
  readonly registry: GroupRegistry
  readonly commits: GroupCommits
  readonly opened: OpenedGroup[]
  readonly damages: string[]
  readonly failures: unknown[] = []
  nowMs = 0

  constructor(disk: SimulatedDisk, options: GroupWorldOptions = {}) {
    const {
      topics = [],
      durability = 'process',
      readOnly = false,
      flushIntervalMs = 100,
      number = 0,
      readAcks,
    } = options
    const directory = groupsDirectory
    this.disk = disk
    const words = sharedWords()
    const { state, lane } = words
    for (const word of ['commitRequest', 'commitDone', 'commitWished', 'commitFlushed'] as const)
      state[word].store(number)
    const { mailboxes, keeper, writer } = groupKeeping({
      ...{ words, disk, directory, logId: testLogId, flushIntervalMs },
      nowMs: () => this.nowMs,
      onFailure: (error) => this.failures.push(error),
    })
    this.keeper = keeper
    this.writer = writer
    const { groups, damages } = this.keeper.open(topics, readOnly, readAcks)
    this.topics = new TopicDirectory(topics, new TopicCells(TopicCells.allocate()))
    // Driven by hand: see settle.
    const watch = { register: () => {}, begin: () => {} }
    this.commits = new GroupCommits({ state, mailboxes, directory, durability, readOnly, watch })
    this.registry = new GroupRegistry({
      commits: this.commits,
      mailboxes,
      topics: this.topics,
      state,
      groups,
      control: {
        takeGroup: async (topic, name, committed, journals) => {
          const id = await this.keeper.create(topic, name, committed, journals)
          return { id, state: { committed, ranges: [] } }
        },
        removeGroup: (id) => this.keeper.remove(id),
      },
      directory,
      readOnly,
      isFollower: false,
      keepAlive: new KeepAlive(),
    })
    this.state = state
    this.lane = lane
    this.mailboxes = mailboxes
    this.opened = groups
    this.damages = damages
  }

  /** Lets all three do what they can, and promises settle. */
  async settle(rounds = 4): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      await new Promise(setImmediate)
      this.commits.settle()
      this.writer.doWork()
      this.keeper.tend()
      this.disk.finishSyncs()
      await new Promise(setImmediate)
      this.commits.settle()
    }
  }

  get writes(): number {
    return this.count('write')
  }

  get syncs(): number {
    return this.count('sync')
  }

  count(what: string): number {
    return this.disk.calls.filter(({ call, file }) => call === what && file === groupsPath).length
  }
}

/** Of a log with one topic, "t". */
export function groupWorld(durability: Durability = 'process', readOnly = false): GroupWorld {
  return new GroupWorld(new SimulatedDisk(), { topics: [topicState(0, 't', 10)], durability, readOnly })
}

/** With one group in it, "g". */
export async function openedGroup(durability?: Durability) {
  const world = groupWorld(durability)
  const opening = world.registry.open('t', 'g', () => 0)
  await world.settle()
  return { world, group: await opening }
}

/** What became of a promise so far. */
export function outcomeOf(promise: Promise<unknown>): { state: 'pending' | 'done' | 'failed'; error: unknown } {
  const outcome: ReturnType<typeof outcomeOf> = { state: 'pending', error: undefined }
  promise.then(
    () => {
      outcome.state = 'done'
    },
    (error) => {
      outcome.state = 'failed'
      outcome.error = error
    },
  )
  return outcome
}
