/** Where the records of each topic stand by the footers of sealed segments: each is read once. */
import type { SegmentFooter } from '../../format/segment-layout.js'
import type { SealedSegment } from './sealed-index.js'

/** A topic's records in one segment. */
export interface Stretch {
  segment: number
  firstOffset: number
  count: number
}

/** The same in a sealed one, and the place of their entries in its index. */
export interface SealedStretch extends Stretch {
  entriesAt: number
}

/** Of the first and the last batch of a segment. */
export interface SegmentTimes {
  readonly firstTime: number
  readonly lastTime: number
}

export class SealedStretches {
  readonly #stretches = new Map<number, SealedStretch[]>()
  /** Of each segment whose footer was read, that footer, and how many topics have a row in its directory. */
  readonly #segments = new Map<number, { readonly footer: SegmentFooter; readonly topics: number }>()
  /** Topics of deleted segments, each counted once a segment, that may still have stretches in them. */
  #stale = 0
  /** First segment that had not been deleted at the last look. */
  #firstKept = 0

  /** Segments are added in order. */
  add(segment: number, { footer, rows }: SealedSegment): void {
    this.#segments.set(segment, { footer, topics: rows.length })
    for (const { topic, firstOffset, count, entriesAt } of rows) {
      if (count === 0) continue
      const stretches = this.#stretches.get(topic)
      const stretch = { segment, firstOffset, count, entriesAt }
      if (stretches === undefined) this.#stretches.set(topic, [stretch])
      else pushStretch(stretches, stretch)
    }
  }

  /** The segment was written anew: what it says now, in the place of what it has said. */
  replace(segment: number, sealed: SealedSegment): void {
    this.remove(segment)
    this.#segments.set(segment, { footer: sealed.footer, topics: sealed.rows.length })
    for (const { topic, firstOffset, count, entriesAt } of sealed.rows) {
      if (count === 0) continue
      const inOrder = [...this.of(topic), { segment, firstOffset, count, entriesAt }]
      const stretches: SealedStretch[] = []
      for (const stretch of inOrder.sort((a, b) => a.segment - b.segment)) pushStretch(stretches, stretch)
      this.#stretches.set(topic, stretches)
    }
    // Those that are deleted are looked for in front.
    const segments = [...this.#segments].sort(([a], [b]) => a - b)
    this.#segments.clear()
    for (const [each, known] of segments) this.#segments.set(each, known)
  }

  /** The topic's records, in order, without those in deleted segments. */
  of(topic: number): readonly SealedStretch[] {
    const stretches = this.#stretches.get(topic)
    if (stretches === undefined) return []
    let gone = 0
    while (gone < stretches.length && stretches[gone].segment < this.#firstKept) gone += 1
    if (gone > 0) stretches.splice(0, gone)
    if (stretches.length === 0) this.#stretches.delete(topic)
    return stretches
  }

  /** Undefined: it was not read, or is not believed. */
  footer(segment: number): SegmentFooter | undefined {
    return this.#segments.get(segment)?.footer
  }

  /** Forgets what the footer of a segment has said. False: it was not known. */
  remove(segment: number): boolean {
    if (!this.#segments.delete(segment)) return false
    for (const [topic, stretches] of this.#stretches) {
      const left = stretches.filter((stretch) => stretch.segment !== segment)
      if (left.length !== stretches.length) this.#stretches.set(topic, left)
    }
    return true
  }

  /** The segments below are deleted. */
  dropBelow(firstKept: number): void {
    this.#firstKept = firstKept
    for (const [segment, { topics }] of this.#segments) {
      if (segment >= firstKept) break
      this.#segments.delete(segment)
      this.#stale += topics
    }
    // What is left of them goes when its topic is looked at; that of all others at once, when it is as much as there are topics.
    if (this.#stale <= this.#stretches.size) return
    for (const topic of this.#stretches.keys()) this.of(topic)
    this.#stale = 0
  }
}

/**
 * Adds what a later segment holds of a topic. Where it starts below the end of what came before, the topic was moved forward:
 * its records stand here again, all that can be read of them, and the older copies do not count.
 */
export function pushStretch<S extends Stretch>(stretches: S[], stretch: S): void {
  for (let last = stretches.at(-1); last !== undefined; last = stretches.at(-1)) {
    if (last.firstOffset + last.count <= stretch.firstOffset) break
    if (last.firstOffset < stretch.firstOffset) {
      last.count = stretch.firstOffset - last.firstOffset
      break
    }
    stretches.pop()
  }
  stretches.push(stretch)
}

/** Subscript of the last stretch that starts at or below `offset`, or -1. */
export function lastAtOrBelow(stretches: readonly Stretch[], offset: number): number {
  let low = 0
  let high = stretches.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (stretches[middle].firstOffset <= offset) low = middle + 1
    else high = middle
  }
  return low - 1
}
