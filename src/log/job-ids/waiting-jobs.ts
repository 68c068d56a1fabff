/**
 * Which jobs wait that were pushed under an id, however long ago: the topic's window, which is the writer's affair, knows those of the last minutes.
 *
 * A job that waits is in the topic and not done, or among what is scheduled: it was pushed with a delay, or has failed and comes again. What was pushed since the
 * last look is read at the next one, so whoever pushes nothing under ids pays nothing. Two who push under one id at a time are told apart by the window.
 */
import type { Engine, EngineTopic } from '../../engine/engine.js'
import type { Ticket } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import { defaultMaxIds, idHeader } from '../../limits.js'
import { bytes } from '../../messages/codec.js'
import type { Dedupe } from '../append-options.js'
import { TracedTopic } from '../traced-topic.js'

/** So many more messages to read: those that are done are passed. */
const manyMessages = 1_000

export class WaitingJobs {
  readonly #engine: Engine
  /** As bytes. */
  readonly messages: TracedTopic<Uint8Array>
  readonly #topic: EngineTopic
  readonly #group: string
  readonly #max: number
  /** Where each id was seen last, in the order of offsets. Done or not. */
  #seen = new Map<string, number>()
  /** How many there were when those that are done were left out. */
  #kept = manyMessages
  /** All below was seen. */
  #next = 0
  #reading: Promise<void> | undefined

  /** @param dedupe with how many messages behind the last one are looked at */
  constructor(engine: Engine, topic: string, group: string, dedupe: Dedupe | undefined) {
    this.#engine = engine
    this.messages = new TracedTopic(engine, topic, bytes, dedupe)
    this.#topic = engine.topic(topic)
    this.#group = group
    this.#max = dedupe?.max ?? defaultMaxIds
  }

  /** Where it stands, or the ticket by which it comes; undefined: none waits. */
  async find(id: string): Promise<number | Ticket | undefined> {
    const { name } = this.#topic
    // It goes from there into the topic, and back when it has failed.
    const ofScheduled = () => this.#engine.schedules?.waiting(name, id)
    return (await ofScheduled()) ?? (await this.#inTopic(id)) ?? (await ofScheduled())
  }

  async #inTopic(id: string): Promise<number | undefined> {
    const { next } = await this.#topic.bounds()
    while (this.#next < next) {
      this.#reading ??= this.#read(next).finally(() => {
        this.#reading = undefined
      })
      await this.#reading
    }
    const offset = this.#seen.get(id)
    if (offset === undefined) return undefined
    const group = this.#topic.group(this.#group)
    // Others may have done it.
    await group.peek()
    return group.isDone(offset) ? undefined : offset
  }

  async #read(to: number): Promise<void> {
    const { first } = await this.#topic.bounds()
    let from = Math.max(this.#next, first, to - this.#max)
    if (to - from > manyMessages) from = Math.max(from, (await this.#topic.group(this.#group).position()).committed)
    while (from < to)
      try {
        for await (const { offset, headers } of this.messages.read({ from, to })) {
          from = offset + 1
          const id = headers?.[idHeader]
          if (id === undefined) continue
          this.#seen.delete(id)
          this.#seen.set(id, offset)
        }
        from = to
      } catch (error) {
        from = behind(error, from, to)
      }
    this.#next = to
    if (this.#seen.size > 2 * this.#kept) await this.#forgetDone()
  }

  async #forgetDone(): Promise<void> {
    const group = this.#topic.group(this.#group)
    await group.peek()
    this.#seen = new Map([...this.#seen].filter(([, offset]) => !group.isDone(offset)))
    this.#kept = Math.max(manyMessages, this.#seen.size)
  }
}

/** Where it goes on behind what is not there, or cannot be read. @throws everything else */
function behind(error: unknown, from: number, to: number): number {
  const { code, first, next } = error instanceof BookendError ? error : { code: undefined }
  if (code === 'BOOKEND_TRIMMED') return Math.min(to, Math.max(from + 1, first ?? to))
  if (code === 'BOOKEND_CORRUPT') return Math.min(to, Math.max(from + 1, next ?? to))
  throw error
}
