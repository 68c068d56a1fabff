/** What is delivered later, in a log of this process: who delivers it, and how it is written with the rest of a transaction. */
import type { Engine } from '../engine/engine.js'
import type { Durability, TransactionAnswer, TransactionParts } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { Clockwork, type SchedulerClock } from '../later/clockwork.js'
import { Repeats } from '../later/repeats.js'
import { Scheduler } from '../later/scheduler.js'
import type { LogEvents } from './log-events.js'
import type { LogStage } from './log-stage.js'

type WriteParts = (parts: TransactionParts, level: Durability) => Promise<TransactionAnswer>

export interface LocalSchedulesParts {
  readonly engine: Pick<Engine, 'topic' | 'flush'> & { readonly transactions: NonNullable<Engine['transactions']> }
  /** At one moment. */
  readonly write: WriteParts
  readonly clock: SchedulerClock
  readonly stage: Pick<LogStage, 'checkWritable' | 'isOpen'>
  readonly events: Pick<LogEvents, 'error'>
}

export class LocalSchedules {
  readonly clockwork: Clockwork
  readonly scheduler: Scheduler
  readonly repeats: Repeats
  readonly #engine: Pick<Engine, 'flush'>

  constructor({ engine, write, clock, stage, events }: LocalSchedulesParts) {
    this.#engine = engine
    const deliver = async (parts: TransactionParts) => {
      stage.checkWritable()
      return (await write(parts, 'process')).offsets
    }
    this.clockwork = new Clockwork({
      ...{ engine, write: deliver, clock },
      register: (name) => engine.transactions.register('c', name),
      onError: (error) => {
        // What comes of closing is none.
        if (stage.isOpen) events.error(codeOf(error), `scheduled messages: ${String(error)}`)
      },
    })
    this.scheduler = new Scheduler({ engine, write: deliver }, this.clockwork)
    this.repeats = new Repeats(this.scheduler, this.clockwork)
  }

  /** For what {@link hasScheduled}. @param write all but what is scheduled, which is messages by then */
  async transact(parts: TransactionParts, level: Durability, write: WriteParts): Promise<TransactionAnswer> {
    // Whoever delivers waits until it is published, and not for the device.
    const offsets = await this.scheduler.transact(parts, async (rest) => (await write(rest, 'process')).offsets)
    if (level !== 'process') await this.#engine.flush(level)
    return { offsets }
  }
}

export function hasScheduled({ scheduled }: TransactionParts): boolean {
  return scheduled !== undefined && scheduled.length > 0
}

function codeOf(error: unknown): string {
  return error instanceof BookendError ? error.code : 'BOOKEND_CORRUPT'
}
