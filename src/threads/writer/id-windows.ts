/**
 * The ids of messages, as far back as each topic remembers them: who appends under one of them is told where its message stands. What
 * stands in the log is the truth: a topic's window is read out of it when the first id comes.
 */

/** A message that was appended under an id. */
export interface KnownId {
  id: string
  offset: number
  /** Of its batch, ms since the epoch. */
  time: number
}

/** Ids of a topic, those appended at or after `since`, in order of offsets. Under one id the first message counts. */
export type RecallIds = (topic: number, since: number) => Iterable<KnownId>

interface Remembered {
  readonly windowMs: number
  readonly max: number
  /** In the order in which they came. */
  readonly ids: Map<string, KnownId>
}

export class IdWindows {
  readonly #recall: RecallIds
  readonly #now: () => number
  readonly #windows = new Map<number, Remembered>()

  constructor(recall: RecallIds, now: () => number) {
    this.#recall = recall
    this.#now = now
  }

  /** The offset of what was appended under this id; undefined: nothing was, as far as the topic remembers. */
  find(topic: number, id: string, windowMs: number, max: number): number | undefined {
    const { ids, ...window } = this.#windowOf(topic, windowMs, max)
    this.#forget(ids, window)
    return ids.get(id)?.offset
  }

  /** Behind the append, or what has failed would be taken for written. */
  note(topic: number, known: KnownId): void {
    const window = this.#windows.get(topic)
    if (window === undefined) return
    window.ids.set(known.id, known)
    this.#forget(window.ids, window)
  }

  #windowOf(topic: number, windowMs: number, max: number): Remembered {
    const known = this.#windows.get(topic)
    if (known !== undefined && known.windowMs >= windowMs && known.max >= max) return known
    // Asked for more than anybody has before: what lies further back is in the log.
    const wanted = { windowMs: Math.max(windowMs, known?.windowMs ?? 0), max: Math.max(max, known?.max ?? 0) }
    const ids = new Map<string, KnownId>()
    for (const each of this.#recall(topic, this.#now() - wanted.windowMs)) {
      if (ids.has(each.id)) continue
      ids.set(each.id, each)
      this.#forget(ids, wanted)
    }
    const window = { ...wanted, ids }
    this.#windows.set(topic, window)
    return window
  }

  #forget(ids: Map<string, KnownId>, { windowMs, max }: Omit<Remembered, 'ids'>): void {
    const since = this.#now() - windowMs
    for (const [id, { time }] of ids) {
      if (ids.size <= max && time >= since) return
      ids.delete(id)
    }
  }
}
