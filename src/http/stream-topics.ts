/** The topics of streams, as handles that are made once. */
import type { Log } from '../log/log.js'
import type { Topic } from '../log/topic.js'
import type { StreamState } from './stream-state.js'

export class StreamTopics {
  readonly #log: Log
  readonly #topics = new Map<string, Topic<Uint8Array>>()

  constructor(log: Log) {
    this.#log = log
  }

  topic(name: string): Topic<Uint8Array> {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = this.#log.topic(name)
      this.#topics.set(name, topic)
    }
    return topic
  }

  forget(name: string): void {
    this.#topics.delete(name)
  }

  /** Position behind the last message. */
  async endOf(stream: StreamState): Promise<number> {
    return stream.positionOf((await this.topic(stream.topic).bounds()).next)
  }

  /** @returns position behind the messages */
  append(stream: StreamState, messages: readonly Uint8Array[]): Promise<number> {
    const topic = this.topic(stream.topic)
    return messages.length === 1
      ? topic.append(messages[0]).then((offset) => stream.positionOf(offset + 1))
      : topic.appendMany(messages).then(({ first, count }) => stream.positionOf(first + count))
  }
}
