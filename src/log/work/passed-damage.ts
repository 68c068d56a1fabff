/** Messages that cannot be read: a dead letter stands for all of a range, and each of them is passed as it is met. */
import type { Engine, EngineTopic } from '../../engine/engine.js'
import type { EngineGroup, Subscription } from '../../engine/group-seat.js'
import { BookendError } from '../../errors.js'
import { damageLetter } from '../../messages/dead-letter.js'

export interface PassedDamageParts {
  readonly engine: Engine
  readonly topic: EngineTopic
  readonly group: EngineGroup
  /** Name of the topic for dead letters. */
  readonly deadLetter: string
}

interface Range {
  readonly first: number
  readonly end: number
  /** Resolves when its dead letter is stored. */
  readonly stored: Promise<void>
}

export class PassedDamage {
  readonly #parts: PassedDamageParts
  readonly #ranges: Range[] = []

  constructor(parts: PassedDamageParts) {
    this.#parts = parts
  }

  /**
   * Goes on behind a message that a seat has failed with.
   * @returns undefined: it is no damage that could be passed; otherwise whether this call has stored a dead letter
   * @throws what has kept its dead letter from being stored: then it is met again
   */
  async pass(seat: Subscription<object>, error: unknown): Promise<boolean | undefined> {
    if (!(error instanceof BookendError) || error.code !== 'BOOKEND_CORRUPT') return undefined
    const { offset } = error
    if (offset === undefined || seat.passDamaged === undefined) return undefined
    const known = this.#ranges.find(({ first, end }) => first <= offset && offset < end)
    const range = known ?? this.#meet(offset, error)
    await range.stored
    // Behind its letter: a crash in between makes two of them, and never none.
    await seat.passDamaged(offset)
    return known === undefined
  }

  #meet(first: number, error: BookendError): Range {
    // Others may have met its end before.
    const known = this.#ranges.filter((range) => range.first > first).map((range) => range.first)
    const end = Math.min(error.next ?? first + 1, ...known)
    const range = { first, end, stored: this.#store(first, end, error) }
    this.#ranges.push(range)
    range.stored.catch(() => this.#ranges.splice(this.#ranges.indexOf(range), 1))
    return range
  }

  async #store(first: number, end: number, error: BookendError): Promise<void> {
    const { engine, topic, group, deadLetter } = this.#parts
    const { value, extras } = damageLetter(topic.name, first, end, group.name, error)
    await engine.topic(deadLetter).append(value, extras, engine.facts.durability)
  }
}
