/** Keys of the messages of a transaction that is being built: whether one is among them takes no longer with many than with few. */

export interface KeyedMessage {
  readonly topic: string
  readonly extras: { readonly key: Uint8Array | undefined } | undefined
}

export class KeysSoFar {
  readonly #byTopic = new Map<string, Set<string>>()
  #taken = 0

  /** @param messages of the transaction: those of the call before, and what has come since */
  has(messages: readonly KeyedMessage[], { topic, extras }: KeyedMessage): boolean {
    for (; this.#taken < messages.length; this.#taken++) this.#add(messages[this.#taken])
    const key = extras?.key
    return key !== undefined && this.#byTopic.get(topic)?.has(nameOf(key)) === true
  }

  #add({ topic, extras }: KeyedMessage): void {
    if (extras?.key === undefined) return
    let keys = this.#byTopic.get(topic)
    if (keys === undefined) {
      keys = new Set()
      this.#byTopic.set(topic, keys)
    }
    keys.add(nameOf(extras.key))
  }
}

/** A character a byte. */
function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
}
