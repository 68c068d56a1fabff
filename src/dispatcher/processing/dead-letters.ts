/** Where messages go that cannot be handled: to a topic, with what is known about them in headers. */

import type { Durability, Extras } from '../../engine/terms.js'
import type { BookendError } from '../../errors.js'
import { ChunkCursor } from '../../messages/chunk-cursor.js'
import { damageLetter, type Letter, letterOf } from '../../messages/dead-letter.js'
import { StoredMessage } from '../../messages/message.js'
import type { TopicRef } from '../../threads/reader/reader.js'

export interface RecordSource {
  /** One record; of length 0 if it was trimmed meanwhile. */
  record(topic: TopicRef, offset: number): Promise<{ bytes: Uint8Array; length: number }>
}

/** Undefined: it was trimmed away. @throws if it cannot be read */
export async function messageAt(
  source: RecordSource,
  topic: TopicRef,
  offset: number,
): Promise<StoredMessage<Uint8Array> | undefined> {
  const { bytes, length } = await source.record(topic, offset)
  const cursor = new ChunkCursor(bytes, topic.id, offset, offset + 1)
  if (length === 0 || !cursor.next()) return undefined
  return new StoredMessage<Uint8Array>({ topic: topic.name, decode: undefined }, cursor)
}

/** What dead letters need of the log. */
export interface DeadLetterHost extends RecordSource {
  readonly durability: Durability
  readonly maxMessageBytes: number
  /** @param id the same for every try, so that who remembers ids stores it once */
  append(topic: TopicRef, value: Uint8Array, extras: Extras | undefined, level: Durability, id: string): Promise<number>
}

export class DeadLetters {
  readonly #host: DeadLetterHost
  readonly #source: TopicRef
  readonly #group: string
  readonly #target: TopicRef

  constructor(host: DeadLetterHost, source: TopicRef, group: string, target: TopicRef) {
    this.#host = host
    this.#source = source
    this.#group = group
    this.#target = target
  }

  /**
   * Stores a copy of the message, as durably as the log promises.
   * @returns false if the message was trimmed away meanwhile: there is nothing to store
   * @throws if it cannot be read, or not be stored
   */
  async addMessage(offset: number, attempts: number, error: Error): Promise<boolean> {
    const message = await messageAt(this.#host, this.#source, offset)
    if (message === undefined) return false
    const why = { group: this.#group, attempts, error }
    await this.#append(offset, letterOf(message, why, this.#host.maxMessageBytes))
    return true
  }

  /** Stands for messages that cannot be read: an empty value, and the range in the headers. */
  addDamage(first: number, end: number, error: BookendError): Promise<void> {
    return this.#append(first, damageLetter(this.#source.name, first, end, this.#group, error))
  }

  async #append(offset: number, { value, extras }: Letter): Promise<void> {
    const id = `${this.#source.name}/${this.#group}/${offset}`
    await this.#host.append(this.#target, value, extras, this.#host.durability, id)
  }
}
