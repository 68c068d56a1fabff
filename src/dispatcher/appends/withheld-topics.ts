/**
 * Topics whose ids are being read back, before their first append with one goes to the writer. Meanwhile what is appended to them waits here,
 * each topic in its order, and what is appended to others passes it.
 *
 * ```
 *   plain --an id, further back than was read--> withheld --read, or not to be had--> plain, read so far
 *                                                    |
 *                                                    +--this thread blocks (flushSync): the writer reads it itself--> plain
 * ```
 *
 * Nothing depends on the reading but the time that others wait: an id whose window the writer has not, it reads back before it judges.
 */
import type { IdSpan } from '../../engine/terms.js'
import type { TopicHandle } from '../topic-directory.js'
import { type Waiter, wakes } from '../watch.js'
import type { HeldBack } from './frame-intake.js'

/** Has the writer know a topic's ids. Where it cannot, the writer reads them itself. */
export type AskRecall = (topic: TopicHandle, span: IdSpan) => Promise<void>

interface Withheld {
  readonly held: HeldBack[]
  readonly isRead: Promise<void>
}

export class WithheldTopics implements Waiter {
  readonly #recall: AskRecall
  readonly #raise: (topic: TopicHandle, span: IdSpan) => void
  readonly #release: (held: readonly HeldBack[]) => void
  readonly #topics = new Map<TopicHandle, Withheld>()
  /** What this thread knows the writer to know. */
  readonly #known = new Map<TopicHandle, IdSpan>()

  /**
   * @param raise says to the writer how far back ids of a topic count
   * @param release takes what has waited, in its order, behind everything else that waits
   */
  constructor(
    recall: AskRecall,
    raise: (topic: TopicHandle, span: IdSpan) => void,
    release: (held: readonly HeldBack[]) => void,
  ) {
    this.#recall = recall
    this.#raise = raise
    this.#release = release
  }

  /** What waits. */
  get count(): number {
    let count = 0
    for (const { held } of this.#topics.values()) count += held.length
    return count
  }

  /** An append with an id is about to be written: from here on the topic {@link TopicHandle.isWithheld} unless its ids are known so far back. */
  need(topic: TopicHandle, { windowMs, max }: IdSpan): void {
    const known = this.#known.get(topic)
    if (topic.isWithheld || (known !== undefined && known.windowMs >= windowMs && known.max >= max)) return
    const span = { windowMs: Math.max(windowMs, known?.windowMs ?? 0), max: Math.max(max, known?.max ?? 0) }
    this.#raise(topic, span)
    this.#known.set(topic, span)
    // Nobody can have appended to it.
    if (!topic.isInLog) return
    topic.isWithheld = true
    const isRead = this.#recall(topic, span)
      .catch(() => {})
      .then(() => this.#end(topic))
    this.#topics.set(topic, { held: [], isRead })
  }

  /** Its topic is withheld. */
  hold(topic: TopicHandle, held: HeldBack): void {
    this.#topics.get(topic)?.held.push(held)
  }

  /** Resolves when the topic is withheld no more. */
  async whenPlain(topic: TopicHandle): Promise<void> {
    await this.#topics.get(topic)?.isRead
  }

  /** Resolves when nothing waits of what does now. */
  async whenAllPlain(): Promise<void> {
    await Promise.all([...this.#topics.values()].map(({ isRead }) => isRead))
  }

  /** This thread blocks, and cannot wait for others. */
  releaseAll(): void {
    for (const topic of [...this.#topics.keys()]) this.#end(topic)
  }

  /** No bell tells of what is waited for here: a reader's answer does. */
  settle(): void {}

  wakesAt(): number {
    return wakes.never
  }

  refuse(error: Error): void {
    for (const [topic, { held }] of this.#topics) {
      topic.isWithheld = false
      for (const { reject } of held) reject(error)
    }
    this.#topics.clear()
  }

  #end(topic: TopicHandle): void {
    const withheld = this.#topics.get(topic)
    if (withheld === undefined) return
    this.#topics.delete(topic)
    // First: what is released is written, and not held again.
    topic.isWithheld = false
    this.#release(withheld.held)
  }
}
