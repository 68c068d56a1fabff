/** The dispatcher's append side with a writer that only takes what is in the ring, or whatever the test makes of it. */
import { MessageChannel } from 'node:worker_threads'
import { onTestFinished } from 'vitest'
import { AppendSide } from '../../src/dispatcher/appends/append-side.js'
import type { AskRecall } from '../../src/dispatcher/appends/withheld-topics.js'
import { BriefWait } from '../../src/dispatcher/brief-wait.js'
import { GroupCommits } from '../../src/dispatcher/groups/group-commits.js'
import { KeepAlive } from '../../src/dispatcher/keep-alive.js'
import { TopicDirectory } from '../../src/dispatcher/topic-directory.js'
import { Watch } from '../../src/dispatcher/watch.js'
import { closedError } from '../../src/failures.js'
import { RingConsumer, RingMemory } from '../../src/ring/append-ring.js'
import { GroupMailboxes } from '../../src/ring/group-mailboxes.js'
import { TopicCells } from '../../src/ring/topic-cells.js'
import type { TopicState } from '../../src/storage/append/topic-state.js'
import { sharedWords } from './shared-words.js'

export const ringBytes = 64 << 10

export class AppendWorld {
  readonly words = sharedWords()
  readonly state = this.words.state
  readonly lane = this.words.lane
  readonly cells = new TopicCells(TopicCells.allocate())
  readonly topics: TopicDirectory
  readonly watch: Watch
  readonly commits: GroupCommits
  readonly appends: AppendSide
  readonly memory: RingMemory
  /** The way in which ids are read back. */
  recallIds: AskRecall = () => Promise.resolve()
  readonly #consumer: RingConsumer

  constructor(topics: TopicState[] = []) {
    const { state, lane, cells } = this
    const { lanes } = this.words
    const { port1, port2 } = new MessageChannel()
    const keepAlive = new KeepAlive()
    this.topics = new TopicDirectory(topics, cells)
    // A test says itself when something has been done.
    this.watch = new Watch({ state, lane, keepAlive, directory: '/log', briefWait: new BriefWait(0) })
    const common = { state, lanes, lane, topics: this.topics, watch: this.watch, directory: '/log' }
    this.commits = new GroupCommits({
      ...{ ...common, durability: 'process', readOnly: false },
      mailboxes: new GroupMailboxes(GroupMailboxes.allocate()),
    })
    const shared = RingMemory.allocate(ringBytes)
    this.memory = new RingMemory(shared)
    this.appends = new AppendSide({
      ...{ ...common, cells, commits: this.commits, bulk: port1, segmentBytes: 1 << 20 },
      recallIds: (topic, span) => this.recallIds(topic, span),
      memory: this.memory,
    })
    this.#consumer = new RingConsumer(new RingMemory(shared), lane.ringTail, lane.ringHead)
    onTestFinished(() => {
      this.watch.fail(closedError('/log'))
      keepAlive.end()
      port1.close()
      port2.close()
    })
  }

  /** What is in the ring is taken out of it, and so acknowledged. */
  takeAll(): void {
    this.#consumer.releaseTo(this.#consumer.loadTail())
    this.lane.bell.ringIfAsleep()
  }
}
