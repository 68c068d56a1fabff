/** Who appends what another place has numbered: each message once, however often it is brought. */
import { abortable } from '../abortable.js'
import type { Engine, EngineTransactions } from '../engine/engine.js'
import { BookendError } from '../errors.js'
import { maxRegisterValue } from '../limits.js'
import { type AppendOptions, checkAppendOptions } from './append-options.js'
import { LogTopic } from './log-topic.js'
import type { Topic } from './topic.js'
import { checkInteger } from './validate.js'

/**
 * A producer: a name under which messages are appended by rising sequence numbers, which the log remembers without a limit of time. The number is written
 * in one transaction with the message, so after any crash {@link Producer.last} says exactly what is in the log.
 */
export interface Producer {
  /** Name of the producer. */
  readonly name: string
  /** The sequence of what was written last; -1: nothing was. It does not depend on whether the messages are still there. */
  last(): Promise<number>
  /**
   * Appends, unless that sequence, or a higher one, was written before. Gaps are allowed, so a byte offset, an LSN or a time serves.
   * @param topic one of this log's topics; a producer may append to several
   * @param sequence an integer from 0 to 2^53 - 2
   * @returns the offset; undefined: it was written before
   * @throws as `Topic.append`
   */
  append<T>(topic: Topic<T>, value: T, sequence: number, options?: AppendOptions): Promise<number | undefined>
}

const noAcks = { leases: [], commits: [] }

export class LogProducer implements Producer {
  readonly name: string
  readonly #engine: Engine
  readonly #transactions: EngineTransactions

  constructor(engine: Engine, transactions: EngineTransactions, name: string) {
    this.name = name
    this.#engine = engine
    this.#transactions = transactions
  }

  async last(): Promise<number> {
    this.#engine.checkOpen()
    return (await this.#transactions.register('p', this.name)) ?? -1
  }

  async append<T>(topic: Topic<T>, value: T, sequence: number, options?: AppendOptions): Promise<number | undefined> {
    if (!(topic instanceof LogTopic)) throw new TypeError('append() takes a topic of this log first')
    checkInteger('sequence', sequence, 0, maxRegisterValue)
    const checked = checkAppendOptions(this.#engine, options, topic.dedupe)
    const messages = [topic.prepared(this.#engine, value, checked)]
    const registers = [{ kind: 'p' as const, name: this.name, value: sequence, below: sequence }]
    this.#engine.checkWritable()
    try {
      const { offsets } = await abortable(
        checked.signal,
        this.#transactions.transact({ messages, registers }, noAcks, checked.level),
      )
      return offsets[0]
    } catch (error) {
      if (error instanceof BookendError && error.code === 'BOOKEND_CONFLICT' && error.register !== undefined)
        return undefined
      throw error
    }
  }
}
