/** Lives of a group whose messages are acknowledged in transactions and outside, each ended by a power cut: see ack-layout.ts. */
import assert from 'node:assert/strict'
import { type OffsetRange, OffsetRanges } from '../../src/collections/offset-ranges.js'
import { AckJournal } from '../../src/dispatcher/groups/ack-journal.js'
import type { TopicHandle } from '../../src/dispatcher/topic-directory.js'
import type { GroupState } from '../../src/format/group-layout.js'
import { maxGroupRanges } from '../../src/limits.js'
import { foldedAcks } from '../../src/storage/files/folded-acks.js'
import type { Seeded } from './seeded.js'

const topicSize = 200

/** Offsets that are done. */
const doneIn = ({ committed, ranges }: GroupState): Set<number> => {
  const done = new Set(Array.from({ length: committed }, (_, offset) => offset))
  for (const { first, end } of ranges) for (let offset = first; offset < end; offset++) done.add(offset)
  return done
}

/** As a record keeps it. */
const clipped = (state: GroupState): GroupState => ({ ...state, ranges: state.ranges.slice(0, maxGroupRanges) })

/** One life of a group: acknowledgements in transactions and outside, flushes of the log, records; then a power cut. */
function live(random: Seeded) {
  const log = { position: 0, durable: 0 }
  let journaled: { ranges: OffsetRange[]; position: number }[] = []
  const journal = new AckJournal({ id: 1, name: '.a.0' } as TopicHandle, () => log.durable, 0)
  const books = new OffsetRanges()
  const state = (): GroupState => foldedAcks({ committed: 0, ranges: [] }, books.list)
  let record: GroupState = { committed: 0, ranges: [], applied: 0 }
  const plain = new Set<number>()
  for (let step = 0; step < 60; step++) {
    const first = random.below(topicSize)
    const ranges = [{ first, end: first + 1 + random.below(2) }]
    const free = ranges.every(
      (range) => state().committed <= range.first && !books.has(range.first) && !books.has(range.end - 1),
    )
    if (random.chance(0.5) && free) {
      // Some are told of together.
      if (log.position === 0 || random.chance(0.7)) log.position += 10
      journal.add(journaled.length, ranges, log.position)
      journaled.push({ ranges, position: log.position })
      for (const range of ranges) books.add(range.first, range.end)
    } else if (free) {
      for (const range of ranges) books.add(range.first, range.end)
      for (const range of ranges) for (let offset = range.first; offset < range.end; offset++) plain.add(offset)
    }
    if (random.chance(0.2))
      log.durable = random.chance(0.5) ? log.position : log.durable + random.below(log.position - log.durable + 1)
    if (random.chance(0.3)) record = clipped(journal.stateOf(state()))
  }
  const survives = log.durable + random.below(log.position - log.durable + 1)
  journaled = journaled.filter(({ position }) => position <= survives)
  return { record, journaled, plain }
}

/** What a transaction has acknowledged is done if and only if the transaction is there. @throws where it is not so */
export function cutJournal(random: Seeded): void {
  const { record, journaled, plain } = live(random)
  const { applied = 0 } = record
  assert.ok(applied <= journaled.length, 'the file holds acknowledgements of transactions that are gone')
  const rest = journaled.slice(applied).flatMap(({ ranges }) => ranges)
  const done = doneIn(foldedAcks(record, rest))
  const there = new Set(journaled.flatMap(({ ranges }) => [...doneIn({ committed: 0, ranges })]))
  for (const offset of there) assert.ok(done.has(offset), `${offset} is acknowledged by a transaction that is there`)
  for (const offset of done)
    assert.ok(there.has(offset) || plain.has(offset), `${offset} is done, and its transaction is gone`)
}
