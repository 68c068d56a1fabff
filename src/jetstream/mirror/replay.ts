/** The way back: a topic of a log on JetStream, copied into a local log, where the local topic itself says how far it has come. */
import { BookendError } from '../../errors.js'
import type { Log } from '../../log/log.js'
import type { Topic } from '../../log/topic.js'
import { checkName } from '../../log/validate.js'
import type { Message } from '../../messages/message.js'
import { Copier, type CopyTarget, type Mirror, notACopy } from './copier.js'
import { sourceOf } from './topic-source.js'

/** How a topic is replayed. */
export interface ReplayOptions {
  /** Name of the topic in the local log; that of the other one unless said. */
  as?: string
}

/** Of a message whose offset is another one here, since the topic over there did not begin with its first message any more. */
const offsetHeader = 'bookend-offset'

/**
 * Copies a topic of any open log into a topic of a local one, exactly once, from now on until it is stopped. Offsets are the same, unless the first messages
 * were trimmed away before: then the header `bookend-offset` of each says where it stood.
 * @param from the log that is read, on JetStream as a rule
 * @param log the log that is written, and this replay the only one that writes into that topic
 * @throws TypeError, RangeError for bad arguments; see {@link Mirror.finished}
 */
export async function replay(from: Log, topic: string, log: Log, options: ReplayOptions = {}): Promise<Mirror> {
  checkName('topic', topic)
  const { as = topic } = options
  checkName('topic', as)
  const what = `topic "${topic}" of ${from.directory}`
  return new Copier(sourceOf(from.topic(topic), what), new LocalTarget(log.topic(as), what))
}

class LocalTarget implements CopyTarget {
  readonly #topic: Topic<Uint8Array>
  readonly #what: string
  /** How far offsets here are behind those over there. */
  #base = 0
  #next = 0

  constructor(topic: Topic<Uint8Array>, what: string) {
    this.#topic = topic
    this.#what = what
  }

  async begin(first: number): Promise<number> {
    const { first: oldest, next } = await this.#topic.bounds()
    this.#next = next
    this.#base = next === 0 ? first : 0
    if (next > oldest) {
      const stood = (await this.#topic.get(next - 1))?.headers?.[offsetHeader]
      if (stood !== undefined) this.#base = Number(stood) + 1 - next
      if (!Number.isSafeInteger(this.#base) || this.#base < 0)
        throw notACopy(this.#what, `its header ${offsetHeader} is ${stood}`)
    }
    return next + this.#base
  }

  async add(messages: readonly Message<Uint8Array>[]): Promise<void> {
    if (messages[0].offset !== this.#next + this.#base) throw new Error('the copy has moved')
    // Calls keep their order, and what a crash leaves of them is their beginning: where that ends is asked when it starts again.
    const appended = messages.map(({ value, key, headers, offset }) => {
      const told = this.#base > 0 ? { ...headers, [offsetHeader]: String(offset) } : headers
      return this.#topic.append(value, { ...(key && { key }), ...(told && { headers: told }) })
    })
    for (const [index, done] of (await Promise.all(appended)).entries())
      if (done !== this.#next + index)
        throw new BookendError(
          'BOOKEND_FORMAT',
          `somebody else writes into topic "${this.#topic.name}", which is a copy of ${this.#what}`,
        )
    this.#next += messages.length
  }

  async note(): Promise<void> {}

  async end(): Promise<void> {}
}
