/** What a repair states where damage took what a segment said of its topics: their names, and where they go on. */
import type { TopicState } from '../append/topic-state.js'
import { nameForLost } from '../index/legible-frames.js'
import type { LogExtent } from './log-extent.js'
import type { Amendment, Restatement } from './repair-segment.js'
import { beginningOf } from './verify-log.js'
import type { SegmentReport, TopicInSegment } from './verify-report.js'

export interface KnownTopic {
  name: string
  first: number
  /** The first segment that holds something of it. */
  since: number
}

/** Each topic's name, made up where nothing says it; the first offset of it that can be read; and where it begins. */
export function namesOf(reports: readonly SegmentReport[], recovered: readonly TopicState[]): Map<number, KnownTopic> {
  const nowhere = Number.POSITIVE_INFINITY
  const names = new Map(recovered.map(({ id, name, first }) => [id, { name, first, since: nowhere }]))
  for (const { segment, topics } of reports) {
    for (const { id, name } of topics) {
      const known = names.get(id) ?? { name: '', first: 0, since: nowhere }
      names.set(id, { ...known, name: name || known.name, since: Math.min(known.since, segment) })
    }
  }
  const taken = new Set([...names.values()].map(({ name }) => name))
  for (const { id, legibleName } of reports.flatMap(({ topics }) => topics)) {
    const known = names.get(id)
    if (known?.name === '') known.name = nameForLost(id, legibleName, taken)
  }
  return names
}

/** What the damage took of what the segment says of its topics. */
export function statementsOf(
  { segment, topics }: SegmentReport,
  extent: LogExtent,
  beginnings: readonly TopicInSegment[],
  names: ReadonlyMap<number, KnownTopic>,
): { restated: Restatement[]; amendments: Amendment[] } {
  const stated = ({ id, readable }: TopicInSegment, next: number) => {
    const { name = '', first = 0 } = names.get(id) ?? {}
    return { topic: id, name, next, readable: Math.max(readable, first) }
  }
  const undeclared = topics.filter(({ isDeclared }) => !isDeclared)
  return {
    restated: [
      ...undeclared.map((topic) => ({
        // Else it goes on from the segment before.
        ...stated(topic, names.get(topic.id)?.since === segment ? beginningOf(extent, topic) : topic.first),
        before: topic.firstAt - extent.files.base(segment),
        goesOnAt: topic.goesOnAt,
      })),
      ...beginnings.map((topic) => ({
        ...stated(topic, topic.readable),
        before: Number.POSITIVE_INFINITY,
        goesOnAt: topic.readable,
      })),
    ],
    amendments: topics.filter(({ next, goesOnAt }) => goesOnAt > next).map((topic) => stated(topic, topic.goesOnAt)),
  }
}
