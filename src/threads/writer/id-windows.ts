/**
 * The ids of messages, as far back as each topic remembers them: who appends under one of them is told where its message stands. What
 * stands in the log is the truth: before a topic's first id of this life its window is read out of it.
 *
 * Readers do that, and what they have found is {@link IdWindows.learn | learned}, part by part, between other work. Where an id comes without that
 * (its thread blocks, or the reading has failed) it is read here, and everybody waits.
 *
 * Invariant: a window that is known holds every message with an id that was appended to its topic within its span: several of one id, where less was remembered
 * before, and of those the first counts until it is forgotten. So parts that were read before are joined
 * with what was noted since, and never take its place.
 */

import type { IdSpan } from '../../engine/terms.js'
import type { IdsPart } from '../protocol.js'
import { type IdPlace, IdTable, type KnownId, placeOf } from './id-table.js'

/** Ids of a topic, those appended at or after `since`, in order of offsets. Under one id the first message counts. */
export type RecallIds = (topic: number, since: number) => Iterable<KnownId>

/** Below all offsets. */
const nothing = -1

interface Remembered extends IdSpan {
  readonly ids: IdTable
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
  find(topic: number, bytes: Uint8Array, id: IdPlace, span: IdSpan): number | undefined {
    return this.idsOf(topic, span).offsetOf(bytes, id)
  }

  /** What the topic remembers now. Good for this moment. */
  idsOf(topic: number, span: IdSpan): Pick<IdTable, 'offsetOf'> {
    const window = this.#windowOf(topic, span)
    this.#forget(window)
    return window.ids
  }

  /** Behind the append, or what has failed would be taken for written. @param time of its batch */
  note(topic: number, bytes: Uint8Array, id: IdPlace, offset: number, time: number): void {
    const window = this.#windows.get(topic)
    if (window === undefined) return
    window.ids.add(bytes, id, offset, time)
    keepMost(window)
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
    this.#addAll(window, known?.ids ?? [])
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

  #addAll(window: Remembered, known: Iterable<KnownId>): void {
    for (const { id, offset, time } of known) {
      const place = placeOf(id)
      // Another message of an id that is there counts when that one is forgotten. They come in order of offsets, so what is there ends with the last one:
      // to look for each of them would take the square of as many as there are of one id.
      if (offset <= (window.ids.lastOffsetOf(id, place) ?? nothing)) continue
      window.ids.add(id, place, offset, time)
      keepMost(window)
    }
  }

  #forget({ ids, windowMs }: Remembered): void {
    const since = this.#now() - windowMs
    while (ids.length > 0 && ids.oldestTime < since) ids.dropOldest()
  }
}

function emptyWindow({ windowMs, max }: IdSpan): Remembered {
  return { windowMs, max, ids: new IdTable() }
}

function keepMost({ ids, max }: Remembered): void {
  while (ids.length > max) ids.dropOldest()
}

function covers(known: IdSpan, { windowMs, max }: IdSpan): boolean {
  return known.windowMs >= windowMs && known.max >= max
}
