/** What waits, for whoever lists it: read out of the log, so in every thread, and where it is read only. */
import type { Engine } from '../engine/engine.js'
import type { PendingMessage } from '../engine/terms.js'
import { dueTopic, laterTopic } from '../format/hidden-topics.js'
import { markNames } from './delivery.js'
import { type DuePlace, dueStart } from './due-order.js'
import { entryOf, pendingOf } from './later-record.js'
import { type LaterTopics, PendingEntries } from './pending.js'

/** All of it at once, and nothing is written. */
const listing = { inMemory: Number.POSITIVE_INFINITY, perPage: 0 }
/** Looked up together. */
const listedTogether = 256

/** As it was at the first step; what is delivered meanwhile may be left out. */
export async function* pendingMessages(
  engine: Pick<Engine, 'topic' | 'checkOpen'>,
  register: (name: string) => Promise<number | undefined>,
  topic: string | undefined,
): AsyncGenerator<PendingMessage> {
  engine.checkOpen()
  const topics = { later: engine.topic(laterTopic), due: engine.topic(dueTopic) }
  const order = await register(markNames.order)
  const id = await register(markNames.id)
  const mark = order === undefined || id === undefined ? dueStart : { order, id }
  for await (const { place, stored, entry } of pendingRecords(topics, mark)) {
    if (topic !== undefined && stored.topic !== topic) continue
    engine.checkOpen()
    yield pendingOf(place, { ...entry, due: stored.due })
  }
}

/** Records of what waits behind the mark. @throws what reading throws, damage as well */
export async function* pendingRecords(topics: LaterTopics, mark: DuePlace) {
  const onDamage = (error: unknown) => {
    throw error
  }
  const pending = await PendingEntries.load(topics, mark, onDamage, listing)
  for (;;) {
    const { entries } = await pending.take(Number.POSITIVE_INFINITY, listedTogether)
    if (entries.length === 0) return
    const places = await topics.later.records(entries.map(({ at }) => at))
    for (const [index, entry] of entries.entries()) {
      const place = places[index]
      const stored = place && entryOf(place)
      if (place !== undefined && stored !== undefined) yield { place, stored, entry }
    }
  }
}
