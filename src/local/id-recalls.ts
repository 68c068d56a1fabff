/**
 * Has the writer know the ids of a topic before the first append with one: the reader threads read them, a chunk a task, and the writer learns each
 * part between its other work. Of what asks for the same topic meanwhile, each has its turn.
 */
import type { KeepAlive } from '../dispatcher/keep-alive.js'
import type { ReadSide } from '../dispatcher/reads/read-side.js'
import type { IdSpan } from '../engine/terms.js'
import { transfer } from '../threads/control-plane.js'
import type { IdsAnswer, TopicRef } from '../threads/reader/reader.js'
import { callWriter, type StartingThreads } from './starting-threads.js'

export interface IdRecallsParts {
  threads: Pick<StartingThreads, 'state' | 'writerControl'>
  reads: Pick<ReadSide, 'ids'>
  keepAlive: Pick<KeepAlive, 'during'>
  /** The wall clock. */
  now(): number
}

export class IdRecalls {
  readonly #parts: IdRecallsParts
  readonly #last = new Map<number, Promise<void>>()
  /** The most that has been asked for, by any thread. */
  readonly #spans = new Map<number, IdSpan>()

  constructor(parts: IdRecallsParts) {
    this.#parts = parts
  }

  /** @param next what the topic holds below it is read. @throws what kept it from that: the writer reads the ids itself then */
  recall(topic: TopicRef, next: number, asked: IdSpan): Promise<void> {
    const known = this.#spans.get(topic.id) ?? asked
    const span = { windowMs: Math.max(asked.windowMs, known.windowMs), max: Math.max(asked.max, known.max) }
    this.#spans.set(topic.id, span)
    const before = this.#last.get(topic.id)
    const done = before === undefined ? this.#read(topic, next, span) : before.then(() => this.#read(topic, next, span))
    const settled = done.catch(() => {})
    this.#last.set(topic.id, settled)
    void settled.then(() => {
      if (this.#last.get(topic.id) === settled) this.#last.delete(topic.id)
    })
    return this.#parts.keepAlive.during(done)
  }

  async #read(topic: TopicRef, to: number, span: IdSpan): Promise<void> {
    const { threads, reads, now } = this.#parts
    const since = now() - span.windowMs
    let at: { next?: number; resume?: IdsAnswer['resume'] } = {}
    for (let isFirst = true, isLast = false; !isLast; isFirst = false) {
      const { bytes, next, resume } = await reads.ids({ topic, since, to, offset: at.next, resume: at.resume })
      isLast = next >= to
      const part = isFirst ? (isLast ? 'only' : 'first') : isLast ? 'last' : 'more'
      await callWriter(threads, (writer) => writer.learnIds(topic.id, span, part, transfer(bytes, [bytes.buffer])))
      at = { next, resume }
    }
  }
}
