/** What one transaction writes, as the application builds it. Nothing is written before the building is over. */
import type { Engine } from '../engine/engine.js'
import type { EngineGroup, EngineLease } from '../engine/group-seat.js'
import type { Durability, PlannedMessage, TransactionAcks, TransactionParts } from '../engine/terms.js'
import { maxRegisterValue, maxTransactionTopics } from '../limits.js'
import { type AppendOptions, checkAppendOptions } from './append-options.js'
import { type Delivery, LeasedMessage } from './delivery.js'
import { type Group, TopicGroup } from './group.js'
import { deliveryTimeNames, type ScheduleOptions } from './later/schedule-options.js'
import { LogTopic, type Topic } from './topic.js'
import { checkInteger, checkKeys, checkName, checkOffset } from './validate.js'

/** Collects what is to be written at one moment, or not at all. It is good until `build` has returned. */
export interface Transaction {
  /**
   * A message for one of this log's topics.
   * @param options `key`, `headers`, `expectedOffset`, `expectedVersion`, `id`, `ttlMs` and `expiresAt`. In a transaction an id that the topic remembers is a
   *   conflict, and a version is that of before the transaction: it is said with the first message of its key
   * @throws TypeError, RangeError; `BOOKEND_TOO_LARGE`
   */
  append<T>(topic: Topic<T>, value: T, options?: TransactionAppendOptions): void
  /**
   * The delivery is done, if and only if the transaction is written; until then it is held on. That its message was acknowledged meanwhile, or is by
   * another transaction, is a conflict.
   */
  ack(delivery: Delivery<unknown>): void
  /** All messages of the group's topic below `offset` are done, whoever has them; a group that is new begins with that. */
  commit(group: Group<unknown>, offset: number): void
  /**
   * A message that is delivered later, as `Topic.schedule`: it waits if and only if the transaction is written. An id that the topic remembers is a conflict.
   * @param options as for `Topic.schedule`, without `durability`
   */
  schedule<T>(topic: Topic<T>, value: T, options: Omit<ScheduleOptions, 'durability'>): void
  /**
   * Sets a register, a named number of the log, whatever it was before: the last call for a name counts. Read with `Log.register`.
   * @param value an integer from 0 to 2^53 - 2
   */
  set(register: string, value: number): void
}

/** What goes with a message of a transaction. */
export type TransactionAppendOptions = Pick<
  AppendOptions,
  'key' | 'headers' | 'expectedOffset' | 'expectedVersion' | 'id' | 'ttlMs' | 'expiresAt'
>

const scheduleOptionNames = ['key', 'headers', 'id', 'ttlMs', 'expiresAt', ...deliveryTimeNames]
const optionNames = ['key', 'headers', 'expectedOffset', 'expectedVersion', 'id', 'ttlMs', 'expiresAt']

/** How a transaction is written. */
export interface TransactionOptions {
  /** Overrides the log's durability for this transaction. */
  durability?: Durability
  /** Before `build` has returned it ends the transaction, after that the waiting alone. */
  signal?: AbortSignal
}

export class TransactionDraft implements Transaction {
  readonly #engine: Engine
  readonly #messages: TransactionParts['messages'][number][] = []
  readonly #scheduled: PlannedMessage[] = []
  readonly #topics = new Set<string>()
  readonly #registers = new Map<string, number>()
  readonly #leases = new Set<EngineLease>()
  readonly #commits = new Map<EngineGroup, number>()
  #isOver = false

  constructor(engine: Engine) {
    this.#engine = engine
  }

  append<T>(topic: Topic<T>, value: T, options?: TransactionAppendOptions): void {
    this.#checkOpen()
    if (!(topic instanceof LogTopic)) throw new TypeError('append() takes a topic of this log first')
    if (options !== undefined) checkKeys('options of append() in a transaction', options, optionNames)
    const message = topic.prepared(this.#engine, value, checkAppendOptions(this.#engine, options, topic.dedupe))
    if (message.condition?.expectedVersion !== undefined && this.#messages.some((other) => isOfKey(other, message)))
      throw new TypeError('expectedVersion is that of before the transaction: say it with the first message of the key')
    this.#topics.add(topic.name)
    if (this.#topics.size > maxTransactionTopics)
      throw new RangeError(`a transaction is of ${maxTransactionTopics} topics at most: write some of it before`)
    this.#messages.push(message)
  }

  schedule<T>(topic: Topic<T>, value: T, options: Omit<ScheduleOptions, 'durability'>): void {
    this.#checkOpen()
    if (!(topic instanceof LogTopic)) throw new TypeError('schedule() takes a topic of this log first')
    checkKeys('options of schedule() in a transaction', options, scheduleOptionNames)
    this.#scheduled.push(topic.preparedLater(this.#engine, value, options))
  }

  ack(delivery: Delivery<unknown>): void {
    this.#checkOpen()
    if (!(delivery instanceof LeasedMessage)) throw new TypeError("ack() takes a delivery of one of this log's groups")
    this.#leases.add(delivery.lease)
  }

  commit(group: Group<unknown>, offset: number): void {
    this.#checkOpen()
    if (!(group instanceof TopicGroup)) throw new TypeError("commit() takes a group of one of this log's topics first")
    const known = group.groupIn(this.#engine)
    this.#commits.set(known, Math.max(checkOffset('offset', offset), this.#commits.get(known) ?? 0))
  }

  set(register: string, value: number): void {
    this.#checkOpen()
    checkName('register', register)
    this.#registers.set(register, checkInteger('the value of a register', value, 0, maxRegisterValue))
  }

  get acks(): TransactionAcks {
    return { leases: [...this.#leases], commits: [...this.#commits].map(([group, offset]) => ({ group, offset })) }
  }

  /** What was collected. */
  get parts(): TransactionParts {
    const registers = [...this.#registers].map(([name, value]) => ({
      kind: 'r' as const,
      name,
      value,
      below: undefined,
    }))
    return { messages: this.#messages, registers, scheduled: this.#scheduled }
  }

  /** Nothing more is collected. */
  end(): void {
    this.#isOver = true
  }

  #checkOpen(): void {
    if (this.#isOver) throw new TypeError('the transaction is over: what it writes is said before build() has returned')
  }
}

type DraftMessage = TransactionParts['messages'][number]

function isOfKey({ topic, extras }: DraftMessage, other: DraftMessage): boolean {
  const [key, its] = [extras?.key, other.extras?.key]
  return topic === other.topic && key !== undefined && its !== undefined && Buffer.compare(key, its) === 0
}
