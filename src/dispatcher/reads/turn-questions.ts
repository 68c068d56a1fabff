/** Questions about a topic that are asked in one turn of the event loop travel together: a task costs its thread as much as some twenty small answers. */
import type { TopicRef } from '../../threads/reader/reader.js'

interface AskedQuestion<Q, A> {
  readonly question: Q
  resolve(answer: A): void
  reject(error: unknown): void
}

export interface TurnQuestionsParts<Q, A> {
  /** One task. Its answers, in order. */
  ask(topic: TopicRef, questions: readonly Q[]): Promise<readonly A[]>
  /** How many go into one task, of so many. */
  perTask(count: number): number
}

export class TurnQuestions<Q, A> {
  readonly #parts: TurnQuestionsParts<Q, A>
  #waiting = new Map<number, { readonly topic: TopicRef; readonly all: AskedQuestion<Q, A>[] }>()

  constructor(parts: TurnQuestionsParts<Q, A>) {
    this.#parts = parts
  }

  ask(topic: TopicRef, question: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      let asked = this.#waiting.get(topic.id)
      if (asked === undefined) {
        asked = { topic, all: [] }
        this.#waiting.set(topic.id, asked)
        if (this.#waiting.size === 1) queueMicrotask(() => this.#send())
      }
      asked.all.push({ question, resolve, reject })
    })
  }

  #send(): void {
    const waiting = this.#waiting
    this.#waiting = new Map()
    for (const { topic, all } of waiting.values()) {
      const perTask = this.#parts.perTask(all.length)
      for (let at = 0; at < all.length; at += perTask) void this.#ask(topic, all.slice(at, at + perTask))
    }
  }

  async #ask(topic: TopicRef, asked: readonly AskedQuestion<Q, A>[]): Promise<void> {
    try {
      const answers = await this.#parts.ask(
        topic,
        asked.map(({ question }) => question),
      )
      asked.forEach(({ resolve }, index) => {
        resolve(answers[index])
      })
    } catch (error) {
      if (asked.length === 1) return asked[0].reject(error)
      // One damaged record must not fail its neighbours: in a few steps it is asked for by itself, and they without it.
      const half = asked.length >>> 1
      void this.#ask(topic, asked.slice(0, half))
      void this.#ask(topic, asked.slice(half))
    }
  }
}
