/** What one transaction writes, as the application builds it. Nothing is written before the building is over. */
import { abortable } from '../abortable.js'
import { added } from '../collections/added.js'
import type { Engine, EngineTransactions } from '../engine/engine.js'
import type { EngineGroup, EngineLease } from '../engine/group-seat.js'
import type { Durability, PlannedMessage, TransactionAcks, TransactionParts } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { foreignDelivery } from '../failures.js'
import { maxRegisterValue, maxTransactionTopics } from '../limits.js'
import { type AppendOptions, type CheckedAppendOptions, checkAppendOptions } from './append-options.js'
import { type Delivery, LeasedMessage } from './delivery.js'
import { type Group, TopicGroup } from './group.js'
import { KeysSoFar } from './keys-so-far.js'
import { deliveryTimeNames, type ScheduleOptions } from './later/schedule-options.js'
import { LogTopic } from './log-topic.js'
import { transactionsOf } from './supported.js'
import type { Topic } from './topic.js'
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

type DraftMessage = TransactionParts['messages'][number]

const none: readonly never[] = []

const setRegister = ([name, value]: readonly [string, number]) => ({
  kind: 'r' as const,
  name,
  value,
  below: undefined,
})

export class TransactionDraft implements Transaction {
  readonly #engine: Engine
  // What few transactions have is made where it is needed.
  #messages: DraftMessage[] | undefined
  #scheduled: PlannedMessage[] | undefined
  #topics: Set<string> | undefined
  #registers: Map<string, number> | undefined
  #leases: EngineLease[] | undefined
  #commits: Map<EngineGroup, number> | undefined
  #keys: KeysSoFar | undefined
  #isOver = false

  constructor(engine: Engine) {
    this.#engine = engine
  }

  append<T>(topic: Topic<T>, value: T, options?: TransactionAppendOptions): void {
    this.#checkOpen()
    if (!(topic instanceof LogTopic)) throw new TypeError('append() takes a topic of this log first')
    if (options !== undefined) checkKeys('options of append() in a transaction', options, optionNames)
    const message = topic.prepared(this.#engine, value, checkAppendOptions(this.#engine, options, topic.dedupe))
    if (message.condition?.expectedVersion !== undefined && this.#hasKeyOf(message))
      throw new TypeError('expectedVersion is that of before the transaction: say it with the first message of the key')
    this.#count(topic.name)
    this.#messages = added(this.#messages, message)
  }

  schedule<T>(topic: Topic<T>, value: T, options: Omit<ScheduleOptions, 'durability'>): void {
    this.#checkOpen()
    if (!(topic instanceof LogTopic)) throw new TypeError('schedule() takes a topic of this log first')
    checkKeys('options of schedule() in a transaction', options, scheduleOptionNames)
    this.#scheduled = added(this.#scheduled, topic.preparedLater(this.#engine, value, options))
  }

  ack(delivery: Delivery<unknown>): void {
    this.#checkOpen()
    const lease = LeasedMessage.leaseOf(delivery)
    if (lease === undefined) throw foreignDelivery()
    this.#leases = added(this.#leases, lease)
  }

  commit(group: Group<unknown>, offset: number): void {
    this.#checkOpen()
    if (!(group instanceof TopicGroup)) throw new TypeError("commit() takes a group of one of this log's topics first")
    const known = group.groupIn(this.#engine)
    this.#commits ??= new Map()
    this.#commits.set(known, Math.max(checkOffset('offset', offset), this.#commits.get(known) ?? 0))
  }

  set(register: string, value: number): void {
    this.#checkOpen()
    checkName('register', register)
    this.#registers ??= new Map()
    this.#registers.set(register, checkInteger('the value of a register', value, 0, maxRegisterValue))
  }

  get acks(): TransactionAcks {
    const commits =
      this.#commits === undefined ? none : [...this.#commits].map(([group, offset]) => ({ group, offset }))
    const leases = this.#leases ?? none
    return { leases: leases.length > 1 ? [...new Set(leases)] : leases, commits }
  }

  /** What was collected. */
  get parts(): TransactionParts {
    const registers = this.#registers === undefined ? none : [...this.#registers].map(setRegister)
    return { messages: this.#messages ?? none, registers, scheduled: this.#scheduled ?? none }
  }

  /** Nothing more is collected. */
  end(): void {
    this.#isOver = true
  }

  #hasKeyOf(message: DraftMessage): boolean {
    if (this.#messages === undefined) return false
    this.#keys ??= new KeysSoFar()
    return this.#keys.has(this.#messages, message)
  }

  /** @throws `BOOKEND_TOO_LARGE` where it is one topic too many */
  #count(topic: string): void {
    const messages = this.#messages
    if (messages === undefined || messages[messages.length - 1].topic === topic) return
    this.#topics ??= new Set(messages.map((message) => message.topic))
    this.#topics.add(topic)
    if (this.#topics.size > maxTransactionTopics)
      throw new BookendError(
        'BOOKEND_TOO_LARGE',
        `a transaction is of ${maxTransactionTopics} topics at most: write some of it before`,
        { topic },
      )
  }

  #checkOpen(): void {
    if (this.#isOver) throw new TypeError('the transaction is over: what it writes is said before build() has returned')
  }
}

/** Not an async function: whoever has nothing to wait for hands over in the same turn, in the order of the calls. @throws as `Log.transaction` */
export function builtTransaction(
  engine: Engine,
  build: (transaction: Transaction) => void | Promise<void>,
  { level, signal }: Pick<CheckedAppendOptions, 'level' | 'signal'>,
): Promise<{ offsets: number[] }> {
  const transactions = transactionsOf(engine, 'transactions')
  engine.checkWritable()
  const draft = new TransactionDraft(engine)
  let built: unknown
  try {
    built = build(draft)
  } catch (error) {
    draft.end()
    throw error
  }
  if (built === undefined) return written(engine, transactions, draft, level, signal)
  return whenBuilt(built, draft, () => written(engine, transactions, draft, level, signal))
}

// Functions of their own: what they close over is made where they are, and most transactions wait for nothing.
function whenBuilt<T>(built: unknown, draft: TransactionDraft, write: () => Promise<T>): Promise<T> {
  return Promise.resolve(built).then(write, (error) => {
    draft.end()
    throw error
  })
}

function written(
  engine: Engine,
  transactions: EngineTransactions,
  draft: TransactionDraft,
  level: Durability,
  signal: AbortSignal | undefined,
): Promise<{ offsets: number[] }> {
  draft.end()
  signal?.throwIfAborted()
  engine.checkWritable()
  return abortable(signal, transactions.transact(draft.parts, draft.acks, level))
}
