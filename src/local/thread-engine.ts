/**
 * What the engines of one thread have in common, whether it is the one that opened the log or one that is attached to it: topics by name,
 * whether the log is open here, and what is still to be said for the thread when it ends.
 */
import type { AppendSide } from '../dispatcher/appends/append-side.js'
import { allOffsets, type GroupOutcome } from '../dispatcher/appends/group-outcome.js'
import { transactionFrames } from '../dispatcher/appends/transaction-frames.js'
import type { TopicDirectory } from '../dispatcher/topic-directory.js'
import type { EngineFacts, EngineSchedules, EngineTransactions, Supports } from '../engine/engine.js'
import type { EngineGroup } from '../engine/group-seat.js'
import type { LogStats } from '../engine/stats.js'
import type {
  Durability,
  PlannedMessage,
  Repeat,
  Ticket,
  TransactionAcks,
  TransactionAnswer,
  TransactionParts,
} from '../engine/terms.js'
import { registerTopic, registerValue } from '../format/hidden-topics.js'
import { pendingMessages } from '../later/pending-messages.js'
import { copyOf, copyOfExtras } from '../messages/own-copies.js'
import { withVersions } from './key-versions.js'
import { LocalTopic, type TopicHost } from './local-topic.js'
import { LogEvents } from './log-events.js'
import { LogStage } from './log-stage.js'

export abstract class ThreadEngine<G extends EngineGroup> {
  readonly facts: EngineFacts
  readonly supports: Supports = {
    durabilities: ['process', 'disk'],
    scan: true,
    process: true,
    retention: true,
    compaction: true,
    expectedOffset: true,
    expectedVersion: true,
    id: true,
    expiry: true,
    keys: true,
    indexes: true,
    filteredGroups: true,
    transactions: true,
    schedules: true,
  }
  readonly transactions: EngineTransactions = {
    transact: (parts, acks, level) => {
      try {
        this.stage.checkWritable()
        // Its promise is the caller's, without others around it.
        return this.transact(parts, acks, level)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    register: async (kind, name) => {
      this.stage.checkOpen()
      return registerValue(this.appends.messages.firstOf(this.topics.handle(registerTopic(kind, name))))
    },
  }
  readonly schedules: EngineSchedules = {
    schedule: (message, level) => this.schedule(message, level),
    cancel: (topic, ticket, level) => this.cancelScheduled(topic, ticket, level),
    repeat: (repeat, level) => this.repeat(repeat, level),
    endRepeat: (topic, name, level) => this.endRepeat(topic, name, level),
    waiting: (topic, id) => this.waiting(topic, id),
    isUpToDate: () => this.isUpToDate(),
    pending: (topic) => pendingMessages(this, (name) => this.transactions.register('c', name), topic),
  }
  protected readonly stage: LogStage
  protected readonly events: LogEvents
  protected readonly topics: TopicDirectory
  protected abstract readonly appends: AppendSide
  protected abstract readonly topicHost: TopicHost<G>
  protected abstract readonly figures: () => LogStats
  readonly #topicsByName = new Map<string, LocalTopic<G>>()

  protected constructor(facts: EngineFacts, segmentBytes: number, topics: TopicDirectory) {
    this.facts = facts
    this.stage = new LogStage(facts.place, facts.isReadOnly)
    this.events = new LogEvents(facts.place, segmentBytes)
    this.topics = topics
  }

  topic(name: string): LocalTopic<G> {
    let topic = this.#topicsByName.get(name)
    if (topic === undefined) {
      topic = new LocalTopic(this.topics.handle(name), this.topicHost)
      this.#topicsByName.set(name, topic)
    }
    return topic
  }

  stats(): LogStats {
    return this.figures()
  }

  noteProcessorFailure(topic: string, group: string, error: Error): void {
    this.events.processor(topic, group, error)
  }

  get isOpen(): boolean {
    return this.stage.isOpen
  }

  checkOpen(): void {
    this.stage.checkOpen()
  }

  checkWritable(): void {
    this.stage.checkWritable()
  }

  /** Called in the `exit` event of this thread: what was offered must not die in the ring with it. */
  onExit(): void {
    try {
      this.flushSync('process')
    } catch (error) {
      this.events.note('at exit', error)
    }
  }

  /** Acknowledgements are for the thread that keeps the books. May throw, where nothing was begun. */
  protected abstract transact(
    parts: TransactionParts,
    acks: TransactionAcks,
    level: Durability,
  ): Promise<TransactionAnswer>

  /** As {@link EngineSchedules}: by the thread that opened the log. */
  protected abstract schedule(message: PlannedMessage, level: Durability): Promise<Ticket>

  protected abstract repeat(repeat: Repeat, level: Durability): Promise<Ticket>

  protected abstract endRepeat(topic: string, name: string, level: Durability): Promise<boolean>

  protected abstract waiting(topic: string, id: string): Promise<Ticket | undefined>

  protected abstract isUpToDate(): Promise<boolean>

  protected abstract cancelScheduled(topic: string, ticket: Ticket, level: Durability): Promise<boolean>

  /**
   * Through the lane of this thread; also while the log closes, for who is let finish. Does not hold on to values after it has returned.
   * @param outcome told what becomes of it, whatever that is
   */
  protected writeAtOnce(parts: TransactionParts, level: Durability, outcome = allOffsets): Promise<TransactionAnswer> {
    if (parts.messages.some(hasVersion)) return this.#writeVersions(parts, level, outcome)
    return this.appends.transact(transactionFrames(parts, this.topics), level, outcome)
  }

  async #writeVersions(
    { messages, registers }: TransactionParts,
    level: Durability,
    outcome: GroupOutcome<TransactionAnswer>,
  ): Promise<TransactionAnswer> {
    try {
      // The caller may use its buffers again while keys are looked up.
      const own = messages.map((message) => ({
        ...message,
        value: copyOf(message.value),
        extras: copyOfExtras(message.extras),
      }))
      const { offsets } = await withVersions(
        own.map((message) => ({ ...message, topic: this.topic(message.topic) })),
        (guards) => this.appends.transact(transactionFrames({ messages: own, registers }, this.topics, guards), level),
        () => this.appends.published(),
      )
      return outcome.written(offsets)
    } catch (error) {
      outcome.refused()
      throw error
    }
  }

  protected flushSync(level: Durability): void {
    if (!this.facts.isReadOnly) this.appends.flushSync(level)
  }
}

function hasVersion({ condition }: TransactionParts['messages'][number]): boolean {
  return condition?.expectedVersion !== undefined
}
