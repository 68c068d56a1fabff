/**
 * What the kept, indexed segments hold of each topic: the bytes that retention by size compares, and from which segment on a
 * topic's records count. Memory goes with the number of topics, not of segments.
 */

/** A topic's records in one segment. */
export interface SegmentRow {
  topic: number
  name: string
  firstOffset: number
  count: number
  frameBytes: number
}

/** What the footer of a sealed segment says, or its batches where it has none. */
export interface SegmentFacts {
  /** Time of the newest batch. */
  lastTime: number
  rows: readonly SegmentRow[]
}

interface Holding {
  bytes: number
  /** Offset behind the last record. */
  end: number
  /** First segment of the run that counts: what older ones hold of the topic was moved forward into this one. */
  since: number
  /** The segments that hold the run; undefined: too many to be worth remembering. */
  segments: number[] | undefined
}

/** A topic in more segments than this is no topic of a few messages. */
const maxRememberedSegments = 64

export class RetentionLedger {
  readonly #holdings = new Map<number, Holding>()

  /** Segments are added in order. */
  add(segment: number, { rows }: SegmentFacts): void {
    for (const { topic, firstOffset, count, frameBytes } of rows) {
      if (count === 0) continue
      const holding = this.#holdings.get(topic)
      const end = firstOffset + count
      // Starting at or below what came before: all records of the topic were written anew here.
      if (holding === undefined || firstOffset < holding.end) {
        this.#holdings.set(topic, { bytes: frameBytes, end, since: segment, segments: [segment] })
      } else {
        holding.bytes += frameBytes
        holding.end = end
        if (holding.segments?.length === maxRememberedSegments) holding.segments = undefined
        holding.segments?.push(segment)
      }
    }
  }

  /** The segment is about to be deleted. Oldest first. */
  remove(segment: number, { rows }: SegmentFacts): void {
    for (const { topic, count, frameBytes, firstOffset } of rows) {
      const holding = this.#holdings.get(topic)
      if (count === 0 || holding === undefined || segment < holding.since) continue
      holding.bytes -= frameBytes
      if (holding.segments?.[0] === segment) holding.segments.shift()
      if (firstOffset + count >= holding.end) this.#holdings.delete(topic)
    }
  }

  /** The segment was written anew: the same topics, of which it holds what it did or the end of it. */
  replace(segment: number, before: SegmentFacts, after: SegmentFacts): void {
    const left = new Map(after.rows.map((row) => [row.topic, row]))
    for (const { topic, count, frameBytes, firstOffset } of before.rows) {
      const holding = this.#holdings.get(topic)
      if (count === 0 || holding === undefined || segment < holding.since) continue
      const row = left.get(topic)
      holding.bytes -= frameBytes - (row?.frameBytes ?? 0)
      if ((row?.count ?? 0) > 0) continue
      holding.segments = holding.segments?.filter((each) => each !== segment)
      if (firstOffset + count >= holding.end) this.#holdings.delete(topic)
    }
  }

  /** Bytes of the topic in all segments added and not removed. */
  bytesOf(topic: number): number {
    return this.#holdings.get(topic)?.bytes ?? 0
  }

  /** Offset behind the topic's last record in them; -1 without any. */
  endOf(topic: number): number {
    return this.#holdings.get(topic)?.end ?? -1
  }

  /** The segments that hold its records, in order; undefined: there are many. */
  segmentsOf(topic: number): readonly number[] | undefined {
    return this.#holdings.get(topic)?.segments
  }

  /** True if the records that `segment` holds of the topic stand in a later segment too. */
  isMoved(topic: number, segment: number): boolean {
    const since = this.#holdings.get(topic)?.since
    return since !== undefined && segment < since
  }
}
