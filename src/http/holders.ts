/**
 * Threads that hold copies of what is known of streams, and append by them without asking. Before that changes which a copy tells, that the stream is
 * open and there, all copies are taken back: when they are, no thread reads or writes by them any more, and what was written by them is in the log.
 */
export interface CopyHolder {
  /** Resolves when it holds none, and nothing that it appends by it is under way; or when it has ended. */
  recall(topic: string): Promise<void>
}

export class Holders {
  readonly #byTopic = new Map<string, Set<CopyHolder>>()
  /** Under way, by topic. */
  readonly #recalls = new Map<string, Promise<unknown>>()

  /** In the turn in which it is given the copy: what changes the stream later finds it here. */
  add(topic: string, holder: CopyHolder): void {
    const holders = this.#byTopic.get(topic)
    if (holders === undefined) this.#byTopic.set(topic, new Set([holder]))
    else holders.add(holder)
  }

  /** It has ended. */
  remove(holder: CopyHolder): void {
    for (const [topic, holders] of this.#byTopic)
      if (holders.delete(holder) && holders.size === 0) this.#byTopic.delete(topic)
  }

  /** From the turn in which this is called the caller gives no more of them away until it is done. */
  recall(topic: string): Promise<unknown> {
    const holders = this.#byTopic.get(topic)
    const before = this.#recalls.get(topic)
    if (holders === undefined) return before ?? Promise.resolve()
    this.#byTopic.delete(topic)
    const recall = Promise.all([before, ...Array.from(holders, (holder) => holder.recall(topic))])
    this.#recalls.set(topic, recall)
    void recall.then(() => {
      if (this.#recalls.get(topic) === recall) this.#recalls.delete(topic)
    })
    return recall
  }
}
