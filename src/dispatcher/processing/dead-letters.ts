/** Where messages go that cannot be handled: to a topic, with what is known about them in headers. */

import type { Durability, Extras } from '../../engine/terms.js'
import type { BookendError } from '../../errors.js'
import { ChunkCursor } from '../../messages/chunk-cursor.js'
import { letterHeaders } from '../../messages/dead-letter.js'
import { StoredMessage } from '../../messages/message.js'
import type { TopicRef } from '../../threads/reader/reader.js'

/** What dead letters need of the log. */
export interface DeadLetterHost {
  readonly durability: Durability
  readonly maxMessageBytes: number
  /** One record; of length 0 if it was trimmed meanwhile. */
  record(topic: TopicRef, offset: number): Promise<{ bytes: Uint8Array; length: number }>
  /** @param id the same for every try, so that who remembers ids stores it once */
  append(topic: TopicRef, value: Uint8Array, extras: Extras | undefined, level: Durability, id: string): Promise<number>
}

const encoder = new TextEncoder()
/** Of an error's text in a header: enough to recognise it. */
const maxErrorLength = 1_000

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
    const { bytes, length } = await this.#host.record(this.#source, offset)
    const cursor = new ChunkCursor(bytes, this.#source.id, offset, offset + 1)
    if (length === 0 || !cursor.next()) return false
    const message = new StoredMessage<Uint8Array>({ topic: this.#source.name, decode: undefined }, cursor)
    const headers = {
      ...message.headers,
      ...this.#headers(error, offset),
      [letterHeaders.timestamp]: String(message.timestamp),
      [letterHeaders.attempts]: String(attempts),
    }
    await this.#append(offset, message.value, message.key, headers)
    return true
  }

  /** Stands for messages that cannot be read: an empty value, and the range in the headers. */
  addDamage(first: number, end: number, error: BookendError): Promise<void> {
    const headers = { ...this.#headers(error, first), [letterHeaders.next]: String(end), [letterHeaders.attempts]: '0' }
    return this.#append(first, new Uint8Array(0), undefined, headers)
  }

  #headers(error: Error, offset: number): Record<string, string> {
    return {
      [letterHeaders.error]: `${error.name}: ${error.message}`.slice(0, maxErrorLength),
      [letterHeaders.topic]: this.#source.name,
      [letterHeaders.offset]: String(offset),
      [letterHeaders.group]: this.#group,
    }
  }

  async #append(
    offset: number,
    value: Uint8Array,
    key: Uint8Array | undefined,
    headers: Record<string, string>,
  ): Promise<void> {
    const { maxMessageBytes, durability } = this.#host
    let kept = value
    let encoded = encoder.encode(JSON.stringify(headers))
    if (value.length + (key?.length ?? 0) + encoded.length > maxMessageBytes) {
      // The largest messages have no room for more headers. The original still stands where these say.
      kept = new Uint8Array(0)
      encoded = encoder.encode(JSON.stringify({ ...headers, [letterHeaders.value]: `left out: ${value.length} bytes` }))
    }
    const id = `${this.#source.name}/${this.#group}/${offset}`
    await this.#host.append(this.#target, kept, { key, headers: encoded }, durability, id)
  }
}
