/**
 * What a writer publishes, seen by another thread behind every store of it: what the shared words promise can be read, and right; of an atomic group of several
 * topics all is seen or nothing; rows are of what is published; followers know no more than that, and all that is acknowledged; times do not go back, whatever the clock does; and who
 * sleeps until there is more has been rung for.
 */
import { frameFlag } from '../../src/format/frame-layout.js'
import { TopicCells } from '../../src/ring/topic-cells.js'
import { BellFile } from '../../src/storage/files/bell-file.js'
import { Engine } from './engine.js'
import { groupOf, payloadOf } from './frames.js'
import { behindEveryStore } from './interleaving.js'
import { recordsOf } from './model.js'
import type { Seeded } from './seeded.js'
import { simulatedWorld } from './worlds.js'

const names = ['a', 'b', 'c']
const steps = 25

/** What another thread would wait for. */
class Waits extends Error {}

/** @returns how often it looked. @throws what was not as promised */
export async function watchPublishing(random: Seeded): Promise<number> {
  let clock = 1_000_000
  const engine = new Engine(simulatedWorld(), { ringBytes: 1 << 20, reaper: { now: () => clock } })
  const { state, lane, cells, reader, writer, consumer, reaper, world, files } = engine
  const values: Uint8Array[][] = names.map(() => [])
  const times = new Map<string, number>()
  for (const [topic, name] of names.entries()) engine.offer([{ declare: name, topic }])
  writer.doWork()
  let looks = 0
  let acknowledged = lane.ringHead.load()

  const other = new TopicCells(engine.cellMemory, () => {
    throw new Waits()
  })
  const nexts = (): string => names.map((_, topic) => other.nextOf(topic)).join()
  let [before, after] = ['', '']
  const lookAtTopics = (): void => {
    try {
      const seen = nexts()
      if (seen !== before && seen !== after) throw new Error(`${before} goes to ${after}, and ${seen} is seen`)
    } catch (error) {
      if (!(error instanceof Waits)) throw error
    }
  }

  // Somebody follows.
  state.followerCalls.store(1)
  const lookAtBell = (): void => {
    const bell = BellFile.forHearing(world.disk, world.directory, files.id)
    const told = bell?.read()?.published ?? 0
    bell?.close()
    const published = state.published.load()
    if (told > published) throw new Error(`followers are told of ${told}, and ${published} is published`)
    const head = lane.ringHead.load()
    if (head !== acknowledged && told < published)
      throw new Error(`followers are told of ${told}, and what ends at ${published} is acknowledged`)
    acknowledged = head
  }

  const look = (): void => {
    looks += 1
    lookAtBell()
    lookAtTopics()
    // It may be taken back yet.
    if (engine.rows.seek(state.published.load()))
      throw new Error(`a row of what is not published: ${engine.rows.position}`)
    for (const topic of names.keys()) {
      const next = cells.next(topic).load()
      if (cells.first(topic).load() >= next) continue
      const chunk = reader.read({ topic, offset: next - 1, to: next, resume: undefined })
      const [{ value, timestamp }] = recordsOf(chunk.bytes, topic, next - 1, next)
      if (Buffer.compare(value, values[topic][next - 1]) !== 0) throw new Error(`wrong bytes at ${topic}/${next - 1}`)
      times.set(`${topic}/${next - 1}`, timestamp)
      const before = times.get(`${topic}/${next - 2}`) ?? 0
      if (timestamp < before) throw new Error(`time goes back from ${before} to ${timestamp} at ${topic}/${next - 1}`)
    }
  }

  const nextValue = (topic: number): Uint8Array => {
    const bytes = random.chance(0.2) ? random.below(70_000) : random.below(300)
    const value = payloadOf(topic, values[topic].length, bytes)
    values[topic].push(value)
    return value
  }

  for (let step = 0; step < steps; step++) {
    clock += random.pick([0, 1, 1_000, -1, -5_000])
    const count = random.chance(0.2) ? 1 + random.below(8) : 1
    const first = random.below(names.length)
    const topics = random.chance(0.3) ? [first, (first + 1) % names.length] : [first]
    before = nexts()
    const frames = topics.flatMap((topic, index) =>
      groupOf(
        topic,
        Array.from({ length: count }, () => nextValue(topic)),
        index < topics.length - 1 ? frameFlag.continues : 0,
      ),
    )
    after = values.map(({ length }) => length).join()
    if (engine.offer(frames) < 0) throw new Error('the ring is large enough')
    const head = consumer.head
    lane.wakeHead.store(head)
    const token = lane.bell.arm()
    await behindEveryStore(look, () => {
      writer.doWork()
    })
    if (consumer.head > head && lane.bell.token() === token)
      throw new Error('the dispatcher sleeps on what was published')
    // Segments are made for it.
    for (let turn = 0; turn < 3; turn++) reaper.tend()
    await new Promise(setImmediate)
  }
  return looks
}
