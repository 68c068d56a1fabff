/**
 * The ids of messages, as far back as each topic remembers them: who appends under one of them is told where its message stands. What
 * stands in the log is the truth: before a topic's first id of this life its window is read out of it.
 *
 * Readers do that, and what they have found is {@link IdWindows.learn | learned}, part by part, between other work. Where an id comes without that
 * (its thread blocks, or the reading has failed) it is read here, and everybody waits.
 *
 * Invariant: a window that is known holds every id of its topic that was appended within its span. So parts that were read before are joined
 * with what was noted since, and never take its place.
 */

import { Fifo } from '../../collections/fifo.js'
import type { IdSpan } from '../../engine/terms.js'
import type { IdsPart } from '../protocol.js'

/** A message that was appended under an id. */
export interface KnownId {
  id: string
  offset: number
  /** Of its batch, ms since the epoch. */
  time: number
}

/** Ids of a topic, those appended at or after `since`, in order of offsets. Under one id the first message counts. */
export type RecallIds = (topic: number, since: number) => Iterable<KnownId>

interface Remembered extends IdSpan {
  /** In the order in which they came. */
  readonly ids: Map<string, KnownId>
  /** The same: a map whose oldest entries are deleted is walked past all of these to the first that is left. */
  readonly order: Fifo<KnownId>
}

export class IdWindows {
  readonly #recall: RecallIds
  readonly #now: () => number
  readonly #windows = new Map<number, Remembered>()
  /** Read by others, and not complete. */
  readonly #learning = new Map<number, Remembered>()

  constructor(recall: RecallIds, now: () => number) {
    this.#recall = recall
    this.#now = now
  }

  /** The offset of what was appended under this id; undefined: nothing was, as far as the topic remembers. */
  find(topic: number, id: string, span: IdSpan): number | undefined {
    const window = this.#windowOf(topic, span)
    this.#forget(window)
    return window.ids.get(id)?.offset
  }

  /** Behind the append, or what has failed would be taken for written. */
  note(topic: number, known: KnownId): void {
    const window = this.#windows.get(topic)
    if (window === undefined) return
    window.ids.set(known.id, known)
    window.order.push(known)
    this.#forget(window)
  }

  /**
   * Ids that others have read out of the log, in order of offsets: all of the span up to where the topic stood when the first part was read.
   */
  learn(topic: number, span: IdSpan, part: IdsPart, ids: Iterable<KnownId>): void {
    if (part === 'first' || part === 'only') this.#learning.set(topic, emptyWindow(span))
    const window = this.#learning.get(topic)
    if (window === undefined) return
    this.#addAll(window, ids)
    if (part === 'first' || part === 'more') return
    this.#learning.delete(topic)
    const known = this.#windows.get(topic)
    // Neither more than is known nor less of anything: otherwise it is read here when it is asked for.
    if (known !== undefined && (covers(known, span) || !covers(span, known))) return
    // What was appended while they read.
    this.#addAll(window, known?.ids.values() ?? [])
    this.#windows.set(topic, window)
  }

  #windowOf(topic: number, span: IdSpan): Remembered {
    const known = this.#windows.get(topic)
    if (known !== undefined && covers(known, span)) return known
    // Asked for more than anybody has before: what lies further back is in the log.
    const windowMs = Math.max(span.windowMs, known?.windowMs ?? 0)
    const window = emptyWindow({ windowMs, max: Math.max(span.max, known?.max ?? 0) })
    this.#addAll(window, this.#recall(topic, this.#now() - windowMs))
    this.#windows.set(topic, window)
    return window
  }

  #addAll(window: Remembered, ids: Iterable<KnownId>): void {
    for (const each of ids) {
      if (window.ids.has(each.id)) continue
      window.ids.set(each.id, each)
      window.order.push(each)
      this.#forget(window)
    }
  }

  #forget({ ids, order, windowMs, max }: Remembered): void {
    const since = this.#now() - windowMs
    for (let oldest = order.peek(); oldest !== undefined; oldest = order.peek()) {
      const isIts = ids.get(oldest.id) === oldest
      if (isIts && ids.size <= max && oldest.time >= since) return
      if (isIts) ids.delete(oldest.id)
      order.shift()
    }
  }
}

function emptyWindow({ windowMs, max }: IdSpan): Remembered {
  return { windowMs, max, ids: new Map(), order: new Fifo() }
}

function covers(known: IdSpan, { windowMs, max }: IdSpan): boolean {
  return known.windowMs >= windowMs && known.max >= max
}
