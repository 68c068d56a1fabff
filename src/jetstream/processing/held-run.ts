/** Messages that a processor was given together: of one attempt, in the order of their offsets, some of others between them perhaps. */
import type { WorkLease } from '../../dispatcher/processing/work-desk.js'
import { assert } from '../../errors.js'
import { chunkBytesOf, type LooseMessage } from '../../messages/chunk-builder.js'
import type { CarriedMessages } from '../../threads/reader/handler-task.js'
import type { HeldMessage } from '../groups/leased-messages.js'

export class HeldRun implements WorkLease {
  readonly generation: number
  readonly #messages: readonly HeldMessage[]
  readonly attempt: number
  /** How many are neither acknowledged nor given back. */
  #left: number

  /** @param messages at least one */
  constructor(generation: number, messages: readonly HeldMessage[]) {
    this.generation = generation
    this.#messages = messages
    this.attempt = messages[0].attempt
    this.#left = messages.length
  }

  get first(): number {
    return this.#messages[0].message.offset
  }

  get end(): number {
    return offsetOf(this.#messages[this.#messages.length - 1]) + 1
  }

  carried(offset: number): CarriedMessages {
    return chunkBytesOf(this.#messages.slice(this.#indexOf(offset)).map(({ message }) => message))
  }

  message(offset: number): LooseMessage | undefined {
    const held = this.#messages[this.#indexOf(offset)]
    return held !== undefined && offsetOf(held) === offset ? held.message : undefined
  }

  get isSettled(): boolean {
    return this.#left === 0
  }

  /** Those from `first` to before `end`, each once: they are acknowledged, or given back. */
  settle(first: number, end: number): readonly HeldMessage[] {
    const settled = this.#messages.slice(this.#indexOf(first), this.#indexOf(end))
    this.#left -= settled.length
    assert(this.#left >= 0, 'a message is settled once')
    return settled
  }

  /** Of the first one at or above that offset. */
  #indexOf(offset: number): number {
    let low = 0
    let high = this.#messages.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (offsetOf(this.#messages[middle]) < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

function offsetOf({ message }: HeldMessage): number {
  return message.offset
}
