/**
 * Processors against a model, from random seeds: handlers that throw, reject, die and take their time; any order, batch size and
 * concurrency; stops and new starts in between. What is checked is in {@link Run}.
 */
import { describe, expect, it } from 'vitest'
import type { GroupProcessor } from '../../../src/dispatcher/processing/processor.js'
import type { ProcessOrder } from '../../../src/engine/group-seat.js'
import { BookendError } from '../../../src/errors.js'
import type { Message } from '../../../src/messages/message.js'
import { deathOfThisThread, die, ProcessingWorld, setHandler } from '../../support/processing.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

const retries = 3

/** What a message does to its handler. */
interface Character {
  /** Attempts at which it fails; Infinity: poison. */
  failures: number
  how: 'throw' | 'reject' | 'die'
  key: number
}

class Run {
  readonly random: Seeded
  readonly order: ProcessOrder
  readonly world = new ProcessingWorld()
  readonly desk = this.world.desk()
  readonly messages: Character[] = []
  /** Calls that ended well, for each offset. */
  readonly handled: number[] = []
  readonly buried = new Set<number>()
  readonly #acknowledged = new Set<number>()
  readonly #problems: string[] = []
  #lateDeaths: number
  readonly #slow: number

  constructor(seed: number, order: ProcessOrder) {
    this.random = new Seeded(seed)
    this.order = order
    this.#lateDeaths = this.random.chance(0.3) ? 1 : 0
    this.#slow = this.random.pick([0, 0, 0.02, 0.2])
    setHandler((messages, { attempt }) => this.#handle(messages, attempt))
    this.world.beforeDeadLetter = () => this.#beforeDeadLetter()
    this.desk.onAcknowledge = (first, end) => this.#onAcknowledge(first, end)
  }

  /** A message is done when it was handled, or stored as a dead letter. */
  #isDone(offset: number): boolean {
    return this.handled[offset] > 0 || this.#isBuried(offset)
  }

  #isBuried(offset: number): boolean {
    return this.world.deadLetters.some(({ headers }) => headers['bookend-offset'] === String(offset))
  }

  #expect(holds: boolean, what: string): void {
    if (!holds) this.#problems.push(what)
  }

  append(count: number): void {
    const values = Array.from({ length: count }, () => {
      // One attempt is kept for a death that has nothing to do with the message it falls on.
      const most = retries - this.#lateDeaths
      const isPoison = this.random.chance(0.02)
      const failures = isPoison ? Number.POSITIVE_INFINITY : this.random.chance(0.05) ? 1 + this.random.below(most) : 0
      const how = this.random.pick(['throw', 'throw', 'reject', 'die'] as const)
      const key = this.random.below(7)
      this.messages.push({ failures, how, key })
      this.handled.push(0)
      const bytes = new Uint8Array(8 + this.random.below(60)).fill(this.messages.length - 1)
      return key === 0 ? { value: bytes } : { value: bytes, key: Buffer.from(`key ${key}`) }
    })
    this.world.append(values)
  }

  async #handle(messages: Message[], attempt: number): Promise<void> {
    this.#expect(messages.length > 0, 'a call without messages')
    for (const { offset, value } of messages) this.#expect(value[0] === (offset & 0xff), `${offset} has wrong bytes`)
    this.#checkOrder(messages)
    if (this.random.chance(this.#slow)) await new Promise((resolve) => setTimeout(resolve, 2))
    const culprit = messages.find(({ offset }) => this.messages[offset].failures >= attempt)
    if (culprit !== undefined) {
      const { how } = this.messages[culprit.offset]
      if (how === 'die') return die()
      if (how === 'reject') await Promise.resolve()
      throw new RangeError(`message ${culprit.offset} at attempt ${attempt}`)
    }
    for (const { offset } of messages) this.handled[offset] += 1
    if (this.#lateDeaths > 0 && this.random.chance(0.02)) {
      this.#lateDeaths = 0
      setTimeout(deathOfThisThread(), this.random.below(3))
    }
  }

  #checkOrder(messages: Message[]): void {
    for (const [index, { offset }] of messages.entries()) {
      if (index > 0) this.#expect(offset > messages[index - 1].offset, `${offset} comes in a wrong place of its batch`)
    }
    if (this.order === 'none') return
    const mine = new Set(messages.map(({ offset }) => offset))
    const keys = new Set(messages.map(({ offset }) => this.messages[offset].key))
    const last = messages[messages.length - 1].offset
    for (let offset = 0; offset < last; offset++) {
      const { key } = this.messages[offset]
      // Messages without a key (0) have no order among each other.
      const isBefore = this.order === 'topic' || (key !== 0 && keys.has(key))
      if (!isBefore || mine.has(offset) || this.#isDone(offset)) continue
      const isOvertaken = messages.some(
        (other) => other.offset > offset && (this.order === 'topic' || this.messages[other.offset].key === key),
      )
      this.#expect(!isOvertaken, `${offset} was overtaken by one of ${[...mine].join()}`)
    }
  }

  async #beforeDeadLetter(): Promise<void> {
    if (this.random.chance(0.3)) throw new BookendError('BOOKEND_NO_SPACE', 'the disk of the test is full')
    if (this.random.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, 1))
  }

  #onAcknowledge(first: number, end: number): void {
    for (let offset = first; offset < end; offset++) {
      this.#expect(!this.#acknowledged.has(offset), `${offset} was acknowledged twice`)
      this.#expect(this.#isDone(offset), `${offset} was acknowledged, but nobody has handled it`)
      this.#acknowledged.add(offset)
    }
  }

  start(): GroupProcessor {
    const concurrency = 1 + this.random.below(4)
    const batchSize = this.random.pick([1, 2, 3, 10, 100, 1000])
    return this.world.process(this.desk, { order: this.order, concurrency, batchSize, retries, backoffMs: 1 })
  }

  check(): void {
    const { length } = this.messages
    expect(this.#problems).toEqual([])
    expect(this.#acknowledged.size, 'acknowledged').toBe(length)
    expect(this.desk.ledger.committed).toBe(length)
    const poison = this.messages.flatMap(({ failures }, offset) => (failures > retries ? [offset] : []))
    const dead = this.world.deadLetters.map(({ headers }) => Number(headers['bookend-offset'])).sort((a, b) => a - b)
    // By key, a lane that is ahead of the others does its part again after a stop: a dead letter may come twice, like a message.
    const once = this.order === 'key' ? [...new Set(dead)] : dead
    expect(once, 'dead letters').toEqual(poison)
    for (const offset of poison) expect(this.handled[offset]).toBe(0)
    for (const [offset, count] of this.handled.entries())
      if (!poison.includes(offset)) expect(count, `message ${offset} was handled`).toBeGreaterThan(0)
    for (const { headers, value } of this.world.deadLetters) {
      expect(value[0]).toBe(Number(headers['bookend-offset']) & 0xff)
      expect(Number(headers['bookend-attempts'])).toBeGreaterThan(retries)
    }
  }
}

for (const order of ['topic', 'key', 'none'] as const) {
  describe(`order ${order}`, () => {
    it.each(seedsFrom(order.length * 1000, 25))(
      'every message is handled or a dead letter, acknowledged once, in order (seed %i)',
      async (seed) => {
        const run = new Run(seed, order)
        const { random } = run
        let processors = [run.start()]
        // Only without an order may there be several at a time.
        if (order === 'none' && random.chance(0.5)) processors.push(run.start())
        for (let round = 0; round < 4; round++) {
          run.append(random.below(120))
          if (random.chance(0.4)) await new Promise((resolve) => setTimeout(resolve, random.below(10)))
          if (random.chance(0.3)) {
            await Promise.all(processors.map((processor) => processor.stop()))
            processors = [run.start()]
          } else if (random.chance(0.4)) await processors[0].idle()
        }
        await Promise.all(processors.map((processor) => processor.idle()))
        await Promise.all(processors.map((processor) => processor.stop()))
        run.check()
      },
    )
  })
}
