/**
 * What is said of messages that come later: that one is to come, that it is not to come. Each is delivered once, in the order in which they come due, whatever crashes, by
 * the {@link Clockwork}. Invariants:
 *
 * - all that is scheduled or cancelled goes through here, and takes a place behind what may be chosen;
 * - a message for a time up to which the mark has come already (the clock was put back, or it is due at once) takes a place behind, and is delivered when it is due,
 *   out of turn, with a cancellation in the same transaction: its place, when the mark comes there, is that of a message that is done;
 * - nothing is cancelled while it may be chosen: the cancellation would tell of a message that is delivered.
 */
import type { EngineTopic } from '../engine/engine.js'
import type { Durability, PlannedMessage, Ticket, TransactionParts } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { laterTopic } from '../format/hidden-topics.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'
import type { Clockwork, ClockworkParts } from './clockwork.js'
import { type DueEntry, isOutOfTurn } from './due-order.js'
import {
  cancelOnce,
  type DueTime,
  deliveredOf,
  entryOf,
  idIn,
  idOf,
  type LaterRecord,
  laterRecord,
  repeatKey,
} from './later-record.js'
import { PendingIds } from './pending-ids.js'
import { pendingRecords } from './pending-messages.js'

export class Scheduler {
  readonly #parts: Pick<ClockworkParts, 'write' | 'engine'>
  readonly #clockwork: Clockwork
  readonly #ids: PendingIds

  constructor(parts: Pick<ClockworkParts, 'write' | 'engine'>, clockwork: Clockwork) {
    this.#parts = parts
    this.#clockwork = clockwork
    this.#ids = new PendingIds({
      isWaiting: (entry) => clockwork.isWaiting(entry),
      async *read() {
        for await (const { place, stored, entry } of pendingRecords(clockwork.topics, clockwork.mark)) {
          const id = idIn(place)
          if (id !== undefined) yield { topic: stored.topic, id, entry: { ...entry, due: stored.due } }
        }
      },
    })
  }

  /** The ticket of the message that waits for its time under that id, or is about to be delivered. */
  async waiting(topic: string, id: string): Promise<Ticket | undefined> {
    // Nothing was ever scheduled.
    if ((await this.#clockwork.topics.later.bounds()).next === 0) return undefined
    await this.#clockwork.ready()
    const entry = await this.#ids.get(topic, id)
    if (entry === undefined) return undefined
    // Out of turn it is in nobody's hands while it is delivered, and waits again where that fails.
    if (!this.#clockwork.isWaiting(entry) && isOutOfTurn(entry)) await this.#clockwork.whenDelivered()
    if (this.#clockwork.isWaiting(entry)) return { id: String(entry.id), deliverAt: entry.due }
    this.#ids.forget({ topic, id, entry })
    return undefined
  }

  /** True: nothing is due that is not delivered. */
  async isUpToDate(): Promise<boolean> {
    await this.#clockwork.ready()
    return this.#clockwork.isUpToDate()
  }

  async schedule(message: PlannedMessage, level: Durability): Promise<Ticket> {
    await this.#clockwork.ready()
    const time = this.#timeOf(message)
    const record = laterRecord(message, time)
    try {
      const ticket = await this.#clockwork.track(this.#append(record, time))
      this.#note(message, time, Number(ticket.id))
      await this.#reach(level)
      return ticket
    } catch (error) {
      const first = isConflict(error) ? error.actual : undefined
      if (typeof first !== 'number') throw error
      await this.#reach(level)
      return (await this.#ticketAt(first)) ?? { id: String(first), deliverAt: time.due }
    }
  }

  /**
   * Cancels one, and schedules another, at one moment. Both are there, and neither is, if it fails.
   * @param old at most one of each name
   * @param planned undefined: none
   * @returns `late`: the old one may be delivered, or is being cancelled, and nothing was written
   */
  async replace(
    old: readonly { topic: string; entry: DueEntry; key: Uint8Array }[],
    planned: { due: number; record: (time: DueTime) => LaterRecord } | undefined,
    level: Durability,
  ): Promise<Ticket | 'late' | undefined> {
    await this.#clockwork.ready()
    if (old.some(({ entry }) => this.#isLate(entry))) return 'late'
    const time = planned && { due: planned.due, order: Math.max(planned.due, this.#clockwork.closing + 1) }
    const records = [
      ...old.map(({ topic, entry, key }) => cancelOnce(topic, entry, key)),
      ...(planned === undefined || time === undefined ? [] : [planned.record(time)]),
    ]
    const write = async () => {
      const messages = records.map((record) => ({ topic: laterTopic, ...record }))
      const offsets = await this.#parts.write({ messages, registers: [] })
      for (const [index, { entry }] of old.entries()) this.#clockwork.addCancel(entry, offsets[index])
      const at = offsets[records.length - 1]
      if (time === undefined) return undefined
      this.#clockwork.add(time, at)
      return { id: String(at), deliverAt: time.due }
    }
    try {
      const ticket = await this.#clockwork.track(write())
      await this.#reach(level)
      return ticket
    } catch (error) {
      if (isConflict(error)) return 'late'
      throw error
    }
  }

  /** What a transaction schedules, with all else of it. @param write all that is left to be written */
  async transact(
    { scheduled = [], ...parts }: TransactionParts,
    write: (parts: TransactionParts) => Promise<readonly number[]>,
  ): Promise<number[]> {
    await this.#clockwork.ready()
    const placed = scheduled.map((message) => {
      const time = this.#timeOf(message)
      return { time, message, record: { topic: laterTopic, ...laterRecord(message, time) } }
    })
    const { length } = parts.messages
    const writeAll = async () => {
      const messages = [...parts.messages, ...placed.map(({ record }) => record)]
      const offsets = await write({ ...parts, messages })
      for (const [index, { time, message }] of placed.entries()) {
        this.#clockwork.add(time, offsets[length + index])
        this.#note(message, time, offsets[length + index])
      }
      return offsets.slice(0, length)
    }
    try {
      return await this.#clockwork.track(writeAll())
    } catch (error) {
      if (!isConflict(error) || error.topic !== laterTopic) throw error
      const message = 'a message with one of the ids is scheduled, or was delivered, already, so nothing was written'
      throw new BookendError('BOOKEND_CONFLICT', message)
    }
  }

  async cancel(topic: string, { id: name, deliverAt }: Ticket, level: Durability): Promise<boolean> {
    await this.#clockwork.ready()
    const id = Number(name)
    if (!Number.isSafeInteger(id) || id < 0 || id >= (await this.#clockwork.topics.later.bounds()).next) return false
    const [place] = await this.#clockwork.topics.later.records([id])
    const stored = place && entryOf(place)
    // Where it is not there any more it was delivered, or written anew under the same number.
    const isThat = stored?.topic === topic && stored.id === id && !stored.isCancel && stored.due === deliverAt
    if (place !== undefined && !isThat) return false
    const entry = stored ?? { due: deliverAt, order: deliverAt, id }
    // Of what comes again it is all of it that ends.
    const repeat = place && deliveredOf(place).repeat
    const key = repeat && repeatKey(topic, repeat.name)
    if (key !== undefined && !(await this.#isLast(key, id))) return false
    const cancelled = { ...entry, at: id, isCancel: false }
    if (!(await this.#clockwork.track(this.#cancel(topic, cancelled, key)))) return false
    const text = place && idIn(place)
    if (text !== undefined) this.#ids.forget({ topic, id: text, entry: cancelled })
    await this.#reach(level)
    return true
  }

  /** False: the repeat has come on since then, or has ended, or another has taken its name. */
  async #isLast(key: Uint8Array, id: number): Promise<boolean> {
    const last = await lastWith(this.#clockwork.topics.later, key)
    const entry = last && entryOf(last)
    return entry?.id === id && !entry.isCancel
  }

  /** @returns false: it is too late, or was cancelled */
  async #cancel(topic: string, entry: DueEntry, key: Uint8Array | undefined): Promise<boolean> {
    if (this.#isLate(entry)) return false
    const { value, extras, condition } = cancelOnce(topic, entry, key)
    try {
      const at = await this.#clockwork.topics.later.append(value, extras, 'process', condition)
      this.#clockwork.addCancel(entry, at)
      return true
    } catch (error) {
      if (isConflict(error)) return false
      throw error
    }
  }

  /** It was delivered, or may be any moment. */
  #isLate(entry: DueEntry): boolean {
    return isOutOfTurn(entry) ? this.#clockwork.isOutOfTurnLate(entry) : entry.order <= this.#clockwork.closing
  }

  #timeOf({ due, id }: PlannedMessage): DueTime {
    if (id !== undefined) this.#clockwork.keep(id.windowMs)
    const at = 'at' in due ? due.at : this.#clockwork.now() + due.inMs
    return { due: at, order: Math.max(at, this.#clockwork.closing + 1) }
  }

  async #append({ value, extras, condition }: LaterRecord, time: DueTime): Promise<Ticket> {
    const at = await this.#clockwork.topics.later.append(value, extras, 'process', condition)
    this.#clockwork.add(time, at)
    return { id: String(at), deliverAt: time.due }
  }

  #note(message: PlannedMessage, time: DueTime, at: number): void {
    const id = this.#ids.isAsked ? idOf(message) : undefined
    if (id === undefined) return
    this.#ids.note({ topic: message.topic, id, entry: { ...time, id: at, at, isCancel: false } })
  }

  async #ticketAt(offset: number): Promise<Ticket | undefined> {
    const [place] = await this.#clockwork.topics.later.records([offset])
    const entry = place && entryOf(place)
    return entry && { id: String(entry.id), deliverAt: entry.due }
  }

  async #reach(level: Durability): Promise<void> {
    if (level !== 'process') await this.#parts.engine.flush(level)
  }
}

/** The last record with the key; undefined: there is none. */
export async function lastWith(
  later: Pick<EngineTopic, 'bounds' | 'keyed'>,
  key: Uint8Array,
): Promise<RecordPlace | undefined> {
  const { first, next } = await later.bounds()
  for (let to = next; to > first; ) {
    const part = await later.keyed(key, { from: first, to, max: 1, isReverse: true })
    if (part.records.length > 0) return part.records[0]
    if (part.to <= part.from) break
    if (part.to >= to) throw new BookendError('BOOKEND_CORRUPT', 'looking for a key has come to no end')
    to = part.to
  }
  return undefined
}

function isConflict(error: unknown): error is BookendError {
  return error instanceof BookendError && error.code === 'BOOKEND_CONFLICT'
}
