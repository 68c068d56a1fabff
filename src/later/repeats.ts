/**
 * Messages that come again and again: the record of each time says what comes, and by which rule, and is written in the transaction that delivers the time before. So there is one
 * record that waits for each of them, whatever crashes; it is the last one with its key.
 */
import type { Durability, Extras, Repeat, Ticket } from '../engine/terms.js'
import type { Clockwork } from './clockwork.js'
import type { DueEntry } from './due-order.js'
import { type DueTime, deliveredOf, entryOf, repeatKey, repeatRecord } from './later-record.js'
import { nextTime } from './repeat-rule.js'
import { lastWith, type Scheduler } from './scheduler.js'

/** The record of the time that comes next. */
interface Coming {
  readonly topic: string
  readonly entry: DueEntry
  readonly repeat: Repeat
  readonly key: Uint8Array
}

export class Repeats {
  readonly #scheduler: Scheduler
  readonly #clockwork: Clockwork
  /** One change after the other: each looks for what the one before has written. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(scheduler: Scheduler, clockwork: Clockwork) {
    this.#scheduler = scheduler
    this.#clockwork = clockwork
  }

  set(repeat: Repeat, level: Durability): Promise<Ticket> {
    return this.#inTurn(async () => {
      for (;;) {
        const own = await this.#lastOf(repeat.topic, repeat.name)
        const others = await Promise.all((repeat.insteadOf ?? []).map((topic) => this.#lastOf(topic, repeat.name)))
        const old = others.filter((other) => other !== undefined)
        const isNew = own === undefined || !isSame(own.repeat, repeat)
        if (!isNew && old.length === 0) return { id: String(own.entry.id), deliverAt: own.entry.due }
        const now = this.#clockwork.now()
        const due = isNew ? nextTime(repeat.rule, now, now) : own.entry.due
        if (due === undefined) throw new RangeError(`the rule ${JSON.stringify(repeat.rule.cron)} has no time to come`)
        if (own !== undefined) old.push(own)
        const planned = { due, record: (time: DueTime) => repeatRecord(repeat, time) }
        const ticket = await this.#scheduler.replace(old, planned, level)
        if (ticket !== 'late') return ticket as Ticket
        // It is being delivered: the record behind it comes with that.
        await this.#clockwork.whenDelivered()
      }
    })
  }

  end(topic: string, name: string, level: Durability): Promise<boolean> {
    return this.#inTurn(async () => {
      for (;;) {
        const old = await this.#lastOf(topic, name)
        if (old === undefined) return false
        if ((await this.#scheduler.replace([old], undefined, level)) !== 'late') return true
        await this.#clockwork.whenDelivered()
      }
    })
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#last.then(change, change)
    this.#last = changed.catch(() => {})
    return changed
  }

  /** Undefined: none comes. */
  async #lastOf(topic: string, name: string): Promise<Coming | undefined> {
    await this.#clockwork.ready()
    const key = repeatKey(topic, name)
    const place = await lastWith(this.#clockwork.topics.later, key)
    const entry = place && entryOf(place)
    const repeat = place && deliveredOf(place).repeat
    return entry && repeat && { topic, entry, repeat, key }
  }
}

function isSame(known: Repeat, repeat: Repeat): boolean {
  return (
    JSON.stringify(known.rule) === JSON.stringify(repeat.rule) &&
    bytesOf(known.value).equals(bytesOf(repeat.value)) &&
    isSameExtras(known.extras, repeat.extras)
  )
}

function isSameExtras(known: Extras | undefined, other: Extras | undefined): boolean {
  const parts = [known, other].map((extras) => [extras?.key, extras?.headers].map((part) => part && bytesOf(part)))
  return parts[0].every((part, index) => (part ?? empty).equals(parts[1][index] ?? empty))
}

const empty = Buffer.alloc(0)

function bytesOf(value: Uint8Array | string): Buffer {
  return Buffer.from(value as Uint8Array)
}
