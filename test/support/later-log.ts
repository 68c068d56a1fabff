/**
 * A log in memory for what is scheduled: groups that are there as a whole or not, written when the test says so, and cut where it says so, as by a power cut. The clock is the
 * test's too.
 */
import type { EngineTopic } from '../../src/engine/engine.js'
import type { Condition, Extras, Payload, TransactionParts } from '../../src/engine/terms.js'
import { conflictError } from '../../src/failures.js'
import { Clockwork, type ClockworkParts, type SchedulerClock } from '../../src/later/clockwork.js'
import { Repeats } from '../../src/later/repeats.js'
import { Scheduler } from '../../src/later/scheduler.js'
import { idHeader } from '../../src/limits.js'
import { chunkOf, type LooseMessage } from '../../src/messages/chunk-builder.js'

interface Written {
  messages: { topic: string; value: Uint8Array; extras: Extras | undefined }[]
  registers: { name: string; value: number }[]
  trims: { topic: string; before: number }[]
}

interface Asked {
  readonly group: Written
  readonly conditions: { topic: string; condition: Condition | undefined }[]
  resolve(offsets: number[]): void
  reject(error: Error): void
}

export class TestClock implements SchedulerClock {
  time = 1_000
  readonly #wakes = new Set<{ at: number; call: () => void }>()
  /** Of a timer, which knows nothing of jumps. */
  #steady = 0

  now(): number {
    return this.time
  }

  wake(ms: number, call: () => void): () => void {
    const wake = { at: this.#steady + ms, call }
    this.#wakes.add(wake)
    return () => this.#wakes.delete(wake)
  }

  pass(ms: number): void {
    this.time += ms
    this.#steady += ms
    for (const wake of [...this.#wakes].sort((a, b) => a.at - b.at)) {
      if (wake.at > this.#steady || !this.#wakes.delete(wake)) continue
      wake.call()
    }
  }
}

export class LaterLog {
  readonly groups: Written[]
  readonly #topics = new Map<string, { messages: LooseMessage[]; first: number }>()
  readonly #registers = new Map<string, number>()
  #asked: Asked[] = []
  #answers: (() => void)[] = []
  /** What is written is told by {@link answer}, as a ring tells it: a while after everybody may read it. */
  answersLater = false
  #isDead = false
  readonly errors: unknown[] = []
  /** Looking up messages of that topic fails. */
  failure: { topic: string; error: Error } | undefined
  readonly scheduler: Scheduler
  readonly repeats: Repeats

  constructor(groups: readonly Written[], clock: TestClock, limits: ClockworkParts['limits']) {
    this.groups = []
    for (const group of groups) this.#apply(group)
    const parts: ClockworkParts = {
      engine: { topic: (name) => this.topic(name), flush: async () => {} },
      write: (parts) => this.#ask(parts),
      register: async (name) => this.#registers.get(name),
      clock,
      onError: (error) => this.errors.push(error),
      limits,
    }
    const clockwork = new Clockwork(parts)
    this.scheduler = new Scheduler(parts, clockwork)
    this.repeats = new Repeats(this.scheduler, clockwork)
    clockwork.start()
  }

  /** Some of what was asked for is written, in its order. */
  publish(count = this.#asked.length): void {
    for (const { group, conditions, resolve, reject } of this.#asked.splice(0, count)) {
      const conflict = conditions.map(({ topic, condition }) => this.#conflictOf(topic, condition)).find((each) => each)
      const offsets = conflict === undefined ? this.#apply(group) : []
      this.#answers.push(() => (conflict === undefined ? resolve(offsets) : reject(conflict)))
    }
    if (!this.answersLater) this.answer()
  }

  /** Those who have asked for what is written are told so. */
  answer(count = this.#answers.length): void {
    for (const tell of this.#answers.splice(0, count)) tell()
  }

  /** Time of the mark. */
  get lastDue(): number {
    return this.#registers.get('due') ?? -1
  }

  /** Nothing that is asked for after this is ever answered. */
  die(): void {
    this.#isDead = true
    this.#asked = []
    this.#answers = []
  }

  messages(topic: string): LooseMessage[] {
    return this.#of(topic).messages
  }

  topic(name: string): EngineTopic {
    const known = () => this.#of(name)
    const add = (values: readonly Payload[], extras: Extras | undefined, condition: Condition | undefined) => {
      const messages = values.map((value) => ({
        topic: name,
        value,
        extras,
        condition: undefined as Condition | undefined,
      }))
      messages[0].condition = condition
      return this.#ask({ messages, registers: [] }).then(([first]) => first)
    }
    const topic: Partial<EngineTopic> = {
      name,
      append: (value, extras, _, condition) => add([value], extras, condition),
      appendMany: (values, extras, _, condition) => add(values, extras, condition),
      bounds: async () => ({ first: known().first, next: known().messages.length }),
      records: async (offsets) => {
        if (this.failure?.topic === name) throw this.failure.error
        return offsets.map((offset) => {
          const { first, messages } = known()
          if (offset < first || offset >= messages.length) return undefined
          const cursor = chunkOf([messages[offset]])
          cursor.next()
          return cursor
        })
      },
      read: ({ from, to }) => {
        let at = from
        return {
          next: async () => {
            const some = known().messages.slice(at, Math.min(at + 5, to))
            at += some.length
            return some.length === 0 ? undefined : chunkOf(some)
          },
          close: () => {},
        }
      },
      keyed: async (key, { from, to, max }) => {
        const found = known().messages.filter(
          ({ offset, extras }) => offset >= from && offset < to && extras?.key && Buffer.compare(extras.key, key) === 0,
        )
        const places = found.slice(-max).map((message) => {
          const cursor = chunkOf([message])
          cursor.next()
          return cursor
        })
        return { records: places.reverse(), from, to: from }
      },
      trim: async (before) => {
        await this.#askFor({ messages: [], registers: [], trims: [{ topic: name, before }] }, [])
      },
    }
    return topic as EngineTopic
  }

  #ask({ messages, registers }: TransactionParts): Promise<number[]> {
    const written = messages.map(({ topic, value, extras }) => ({
      topic,
      value: new Uint8Array(value as Uint8Array),
      extras,
    }))
    const conditions = messages.map(({ topic, condition }) => ({ topic, condition }))
    return this.#askFor({ messages: written, registers: registers.map((each) => ({ ...each })), trims: [] }, conditions)
  }

  #askFor(group: Written, conditions: Asked['conditions']): Promise<number[]> {
    return new Promise((resolve, reject) => {
      if (!this.#isDead) this.#asked.push({ group, conditions, resolve, reject })
    })
  }

  #conflictOf(topic: string, condition: Condition | undefined): Error | undefined {
    const { messages } = this.#of(topic)
    const { expectedOffset = messages.length, id } = condition ?? {}
    if (expectedOffset !== messages.length) return conflictError(topic, expectedOffset, messages.length)
    const first = id && messages.findIndex(({ extras }) => headersOf(extras)[idHeader] === id.text)
    return first === undefined || first < 0 ? undefined : conflictError(topic, first, first)
  }

  #apply(group: Written): number[] {
    this.groups.push(group)
    const offsets = group.messages.map(({ topic, value, extras }) => {
      const { messages } = this.#of(topic)
      messages.push({ offset: messages.length, time: 1, value, extras })
      return messages.length - 1
    })
    for (const { name, value } of group.registers) this.#registers.set(name, value)
    for (const { topic, before } of group.trims) this.#of(topic).first = Math.max(this.#of(topic).first, before)
    return offsets
  }

  #of(name: string): { messages: LooseMessage[]; first: number } {
    const known = this.#topics.get(name) ?? { messages: [], first: 0 }
    this.#topics.set(name, known)
    return known
  }
}

export function headersOf(extras: Extras | undefined): Record<string, string> {
  return extras?.headers === undefined ? {} : JSON.parse(Buffer.from(extras.headers).toString())
}
