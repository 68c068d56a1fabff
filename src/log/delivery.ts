/** A message in the hands of one consumer. */
import type { EngineLease } from '../engine/group-seat.js'
import { maxTimerMs } from '../limits.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'
import { type Message, type MessageSource, StoredMessage } from '../messages/message.js'
import { checkKeys, checkSpan } from './validate.js'

/** A message given to one consumer, to be acknowledged. */
export interface Delivery<T> extends Message<T> {
  /** 1 for the first delivery since the log was opened, counted up each time the message comes again. */
  readonly attempt: number
  /**
   * The message is done. Resolves once that survives a crash; the message then never comes again. Idempotent, and valid even if
   * the message was meanwhile given to somebody else.
   */
  ack(): Promise<void>
  /** The message is for another attempt, by whichever consumer asks then. Nothing happens if it is no longer ours. */
  nack(options?: { delayMs?: number }): Promise<void>
}

export class LeasedMessage<T> extends StoredMessage<T> implements Delivery<T> {
  readonly #lease: EngineLease

  constructor(source: MessageSource<T>, record: RecordPlace, lease: EngineLease) {
    super(source, record)
    this.#lease = lease
  }

  /** For a transaction, which acknowledges it. */
  get lease(): EngineLease {
    return this.#lease
  }

  /** Undefined: it is no delivery. Not by its prototype, which anything may have. */
  static leaseOf(delivery: unknown): EngineLease | undefined {
    const isOne = typeof delivery === 'object' && delivery !== null && #lease in delivery
    return isOne ? (delivery as LeasedMessage<unknown>).#lease : undefined
  }

  get attempt(): number {
    return this.#lease.attempt
  }

  ack(): Promise<void> {
    try {
      return this.#lease.acknowledge()
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async nack(options: { delayMs?: number } = {}): Promise<void> {
    checkKeys('nack()', options, ['delayMs'])
    const { delayMs = 0 } = options
    this.#lease.giveBack(checkSpan('delayMs', delayMs, 0, maxTimerMs))
  }
}
