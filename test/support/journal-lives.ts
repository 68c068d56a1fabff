/** Lives of a group whose messages are acknowledged in transactions and outside, each ended by a power cut: see ack-layout.ts. */
import assert from 'node:assert/strict'
import { type OffsetRange, OffsetRanges } from '../../src/collections/offset-ranges.js'
import { AckJournal } from '../../src/dispatcher/groups/ack-journal.js'
import type { StoredGroup } from '../../src/dispatcher/groups/group-entry.js'
import { JournalKeeper } from '../../src/dispatcher/groups/journal-keeper.js'
import type { TopicHandle } from '../../src/dispatcher/topic-directory.js'
import { type GroupState, groupRecordAt } from '../../src/format/group-layout.js'
import { journalTopic } from '../../src/format/hidden-topics.js'
import { maxGroupRanges } from '../../src/limits.js'
import { foldedAcks } from '../../src/storage/files/folded-acks.js'
import { GroupWorld, groupsPath, topicState } from './groups.js'
import { imageStyles } from './power-cuts.js'
import type { Seeded } from './seeded.js'
import { SimulatedDisk } from './simulated-disk.js'

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

/**
 * A group gets the cell of one before, and passes the journal that is there; a power cut takes the end of the journal, whose numbers are given again
 * from there on. Another cut, or damage to a record: whoever opens the log then adds all of the journal from there on. @throws where it is not so
 */
export async function cutShortJournal(random: Seeded): Promise<void> {
  const disk = new SimulatedDisk()
  const journalTo = (next: number) => [topicState(0, 't', topicSize), topicState(1, journalTopic(0), next)]
  const passed = 1 + random.below(20)
  await new GroupWorld(disk, { topics: journalTo(passed) }).keeper.create('t', 'g', 0, [[0, passed]])
  const before = new GroupWorld(disk, { topics: journalTo(passed), durability: 'disk' })
  const group = before.registry.known('t', 'g') as StoredGroup
  const commits = random.below(3)
  for (let committed = 1; committed <= commits; committed++) {
    const state = { committed, ranges: [], applied: passed }
    await Promise.all([before.commits.commit(group, state), before.settle()])
  }
  const left = random.below(passed + 1)
  disk.settle()
  const [{ state }] = new GroupWorld(disk, { topics: journalTo(left) }).opened
  assert.equal(state.applied ?? 0, left, 'what is gone is passed no more')
  const again = left + 1 + random.below(20)
  for (const style of imageStyles) {
    const image = disk.imageAfter(disk.events.length, random, style)
    const images = [0, 1].map((parity) => {
      const damaged = image.copy()
      damaged.bytes(groupsPath)[groupRecordAt(0, parity) + 8] ^= 0x80
      return damaged
    })
    for (const each of [image, ...images]) {
      let from = Number.POSITIVE_INFINITY
      const readAcks = (_: unknown, first: number) => {
        from = first
        return []
      }
      new GroupWorld(each, { topics: journalTo(again), readOnly: true, readAcks })
      assert.ok(from <= left, `a journal that goes on at ${left} is read from ${from} on`)
    }
  }
}

/** How far things had come when the disk had seen so many events. */
interface Reached {
  readonly event: number
  readonly to: number
}

const reachedBy = (steps: readonly Reached[], event: number) => steps.findLast((step) => step.event <= event)?.to ?? 0

/**
 * A group goes on, in transactions and outside, while its journal is taken over and trimmed; then a power cut. The record that is left holds what is trimmed, and
 * nothing of transactions that were not on the device. @throws where it is not so
 */
export async function cutTrimmedJournal(random: Seeded): Promise<void> {
  const disk = new SimulatedDisk()
  const topics = [topicState(0, 't', topicSize), topicState(1, journalTopic(0), topicSize)]
  const world = new GroupWorld(disk, { topics })
  const opening = world.registry.open('t', 'g', () => 0)
  await world.settle()
  const group = await opening
  disk.settle()
  disk.holdSyncs()
  const trimmed: Reached[] = []
  const durable: Reached[] = []
  const keeper = new JournalKeeper({
    ...{ registry: world.registry, commits: world.commits },
    trim: async (_, to) => {
      trimmed.push({ event: disk.events.length, to })
    },
  })
  /** Of the transaction that has acknowledged it; 0: none has. */
  const positions: number[] = []
  let position = 0
  for (let step = 0; step < 40; step++) {
    const first = positions.length
    const isPlain = random.chance(0.3)
    if (!isPlain)
      group.journal.add(first - positions.filter((at) => at === 0).length, [{ first, end: first + 1 }], ++position)
    positions.push(isPlain ? 0 : position)
    group.state = { committed: first + 1, ranges: [] }
    if (isPlain) void world.commits.commit(group, group.state)
    if (random.chance(0.5)) {
      world.state.durable.store(position)
      durable.push({ event: disk.events.length, to: position })
    }
    if (random.chance(0.4)) void keeper.tend().catch(() => {})
    for (let turn = random.below(4); turn > 0; turn--) {
      if (random.chance(0.7)) world.commits.settle()
      if (random.chance(0.8)) world.writer.doWork()
      if (random.chance(0.7)) world.keeper.tend()
      if (random.chance(0.5)) disk.finishSyncs()
      await new Promise(setImmediate)
    }
  }
  keeper.stop()
  for (let image = 0; image < 20; image++) {
    const event = random.below(disk.events.length + 1)
    const left = disk.imageAfter(event, random, random.pick(imageStyles))
    const [{ state }] = new GroupWorld(left, { topics, readOnly: true }).opened
    const gone = reachedBy(trimmed, event)
    assert.ok((state.applied ?? 0) >= gone, `a journal is trimmed to ${gone}, and its record holds ${state.applied}`)
    for (const offset of doneIn(state))
      assert.ok(positions[offset] <= reachedBy(durable, event), `${offset} is done, and its transaction may be gone`)
  }
}
