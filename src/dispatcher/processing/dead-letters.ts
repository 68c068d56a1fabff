/** Where messages go that cannot be handled: to a topic, with what is known about them in headers. */

import type { BookendError } from '../../errors.js'
import { ChunkCursor } from '../../messages/chunk-cursor.js'
import { damageLetter, type Letter, letterOf } from '../../messages/dead-letter.js'
import { failedWord } from '../../messages/job-words.js'
import { StoredMessage } from '../../messages/message.js'
import type { TopicRef } from '../../threads/reader/reader.js'
import type { OwnMessage } from './held-messages.js'

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
  readonly maxMessageBytes: number
  /**
   * Appends a letter, as durably as the log promises.
   * @param of the message that it stands for: where the log has transactions its acknowledgement is in one with the letter
   * @param id the same for every try, so that who remembers ids stores it once
   * @param word what its topic of results is told, with the letter
   * @returns false: others are done with the message, or its group was moved, and nothing was appended
   */
  store(target: TopicRef, letter: Letter, of: OwnMessage | undefined, id: string, word?: LastWord): Promise<boolean>
}

/** What a topic of results is told of a message that is given up. */
export interface LastWord extends Letter {
  readonly topic: string
}

export class DeadLetters {
  readonly #host: DeadLetterHost
  readonly #source: TopicRef
  readonly #group: string
  readonly #target: TopicRef
  readonly #results: string | undefined

  /** @param results topic that is told of each message that it was given up */
  constructor(host: DeadLetterHost, source: TopicRef, group: string, target: TopicRef, results?: string) {
    this.#host = host
    this.#source = source
    this.#group = group
    this.#target = target
    this.#results = results
  }

  /**
   * Stores a copy of the message.
   * @returns false: there is nothing to store, as the message was trimmed away meanwhile, or is done
   * @throws if it cannot be read, or not be stored
   */
  async addMessage(held: OwnMessage, attempts: number, error: Error): Promise<boolean> {
    const { offset } = held
    const message = await messageAt(this.#host, this.#source, offset)
    if (message === undefined) return false
    const why = { group: this.#group, attempts, error }
    const results = this.#results
    const word = results === undefined ? undefined : { topic: results, ...failedWord(message, attempts, error) }
    return this.#store(offset, letterOf(message, why, this.#host.maxMessageBytes), held, word)
  }

  /** Stands for messages that cannot be read: an empty value, and the range in the headers. */
  async addDamage(first: number, end: number, error: BookendError): Promise<void> {
    await this.#store(first, damageLetter(this.#source.name, first, end, this.#group, error), undefined)
  }

  #store(offset: number, letter: Letter, of: OwnMessage | undefined, word?: LastWord): Promise<boolean> {
    return this.#host.store(this.#target, letter, of, `${this.#source.name}/${this.#group}/${offset}`, word)
  }
}
