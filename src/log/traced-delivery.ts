/** A delivery that is told to `tracing:bookend:consume`, from when it is handed over until it is settled. */
import type { EngineLease } from '../engine/group-seat.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'
import type { MessageSource } from '../messages/message.js'
import { type ConsumeTrace, tracing } from '../tracing.js'
import { LeasedMessage } from './delivery.js'

export class TracedDelivery<T> extends LeasedMessage<T> {
  readonly #trace: ConsumeTrace
  #isSettled = false

  constructor(log: string, source: MessageSource<T>, group: string, record: RecordPlace, lease: EngineLease) {
    super(source, record, lease)
    const { topic } = source
    this.#trace = { log, topic, group, offset: this.offset, attempt: this.attempt, headers: { ...this.headers } }
    tracing.consume.start.publish(this.#trace)
    tracing.consume.end.publish(this.#trace)
  }

  override ack(): Promise<void> {
    return this.#settle('acknowledged', super.ack())
  }

  override nack(options?: { delayMs?: number }): Promise<void> {
    return this.#settle('given back', super.nack(options))
  }

  /** The first word counts: what is said of a settled delivery changes nothing. */
  #settle(outcome: NonNullable<ConsumeTrace['outcome']>, done: Promise<void>): Promise<void> {
    if (this.#isSettled) return done
    this.#isSettled = true
    this.#trace.outcome = outcome
    const end = () => {
      tracing.consume.asyncStart.publish(this.#trace)
      tracing.consume.asyncEnd.publish(this.#trace)
    }
    done.then(end, (error: unknown) => {
      this.#trace.error = error
      tracing.consume.error.publish(this.#trace)
      end()
    })
    return done
  }
}
