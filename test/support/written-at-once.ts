/**
 * Lives of a log into which transactions are written, of messages in two topics and the number of a register, each life ended by a kill or a power
 * cut: of each transaction all is there or nothing, the register says which was the last, and the log says that it has one.
 */
import assert from 'node:assert/strict'
import { GroupFrames } from '../../src/dispatcher/appends/group-frames.js'
import type { TopicHandle } from '../../src/dispatcher/topic-directory.js'
import { decodeControlIdentity } from '../../src/format/control-layout.js'
import { frameFlag, frameKind } from '../../src/format/frame-layout.js'
import { needBytes, writeNeedFrame } from '../../src/format/guard-layout.js'
import { registerTopic, registerValue } from '../../src/format/hidden-topics.js'
import { Engine } from './engine.js'
import { framePlaces } from './frame-places.js'
import { readAll } from './model.js'
import { imageStyles } from './power-cuts.js'
import type { Seeded } from './seeded.js'
import type { SimulatedDisk } from './simulated-disk.js'
import { bootA, bootB } from './storage-log.js'
import { simulatedWorld } from './worlds.js'

const lives = 4
const [a, b, register] = ['a', 'b', registerTopic('r', 'n')].map((name, id) => ({ name, id }) as TopicHandle)

/** How many messages of a transaction each of the topics has. */
type Counts = readonly [number, number]

/** @returns how many transactions were written. @throws what was not as promised */
export async function liveAtOnce(random: Seeded): Promise<number> {
  let disk: SimulatedDisk | undefined
  let written = new Map<number, Counts>()
  let number = 0
  let count = 0
  /** Numbers up to this one survive whatever comes. */
  let durable = 0
  for (let life = 0; life < lives; life++) {
    const world = simulatedWorld(disk)
    const said = disk === undefined ? undefined : decodeControlIdentity(disk.bytes('/log/control'))?.features
    const engine = new Engine(world, { segmentBytes: 1 << 18, bootId: life % 2 === 0 ? bootA : bootB })
    if (life > 0 && engine.recovered.topics.some(({ name }) => name === register.name))
      assert.equal(said?.readOnlyCompatible, 1, 'the log holds a register, and does not say so')
    const last = check(engine, written, durable)
    written = new Map([...written].filter(([each]) => each <= last))
    if (life === 0) engine.offer([a, b].map(({ name, id }) => ({ declare: name, topic: id })))
    engine.writer.doWork()
    world.disk.settle()
    for (let step = 0; step < 30; step++) {
      number += 1
      const counts: Counts = [random.below(3), random.below(3)]
      const below = random.pick([undefined, number, number, number - 1])
      const isWritten = writeAtOnce(engine, number, counts, below, random)
      // A register that was never set is below every number.
      const current = Math.max(-1, ...written.keys())
      if (isWritten !== (below === undefined || current < below))
        throw new Error(`${number} was ${isWritten ? '' : 'not '}written over ${current}`)
      if (isWritten) written.set(number, counts)
      if (isWritten) count += 1
      if (random.chance(0.2)) engine.append(0, new Uint8Array(random.below(5_000)))
      await engine.settle(2)
      if (random.chance(0.1)) {
        await engine.flush()
        durable = Math.max(0, ...written.keys())
      }
    }
    check(engine, written, Math.max(0, ...written.keys()))
    // The whole machine, or only the process.
    const isKill = random.chance(0.5)
    if (isKill) durable = Math.max(0, ...written.keys())
    disk = world.disk.imageAfter(world.disk.events.length, random, isKill ? 'kept' : random.pick(imageStyles))
  }
  return count
}

function writeAtOnce(
  engine: Engine,
  number: number,
  [inA, inB]: Counts,
  below: number | undefined,
  random: Seeded,
): boolean {
  const { producer, writer } = engine
  const { memory } = producer
  const share = (topic: TopicHandle, count: number) => ({
    topic,
    values: Array.from({ length: count }, () => numbered(number, random)),
    extras: [],
    conditions: count === 0 ? [] : [{}],
  })
  const shares = [share(a, inA), share(b, inB)].filter(({ values }) => values.length > 0)
  const group = new GroupFrames(shares, [{ topic: register, value: number, below }])
  const needed = group.features & ~engine.state.featuresStated.load()
  const ahead = needed === 0 ? 0 : needBytes
  const start = producer.place(ahead + group.guardBytes + group.bytes)
  if (ahead > 0) writeNeedFrame(memory.words, start, needed, frameFlag.awaited)
  const at = start + ahead
  const text = Buffer.from(memory.bytes.buffer)
  const guards = framePlaces(memory.words, at, group.writeGuards({ ...memory, text }, at, frameFlag.awaited))
  producer.advance(group.writeFrames({ ...memory, text }, at + group.guardBytes, frameFlag.awaited) - start)
  engine.publish()
  for (let turn = 0; engine.lane.ringHead.load() < engine.lane.ringTail.load(); turn++) {
    writer.doWork()
    engine.reaper.tend()
    if (turn > 1_000) throw new Error('a transaction is never answered')
  }
  return guards.every((guard) => engine.kindAt(guard) === frameKind.guard)
}

function numbered(number: number, random: Seeded): Uint8Array {
  const value = new Uint8Array(8 + random.below(random.chance(0.1) ? 60_000 : 3_000))
  new DataView(value.buffer).setUint32(0, number)
  new DataView(value.buffer).setUint32(4, 0xcafe)
  return value
}

/** @returns the register's number */
function check({ reader, cells }: Engine, written: ReadonlyMap<number, Counts>, atLeast: number): number {
  const last = registerValue(cells.first(register.id).load()) ?? 0
  if (last < atLeast || (last > 0 && !written.has(last)))
    throw new Error(`the register says ${last}, where ${atLeast} was kept`)
  const found = [a, b].map(({ id }) => {
    const numbers = new Map<number, number>()
    const next = cells.next(id).load()
    for (const { value } of next === 0 ? [] : readAll(reader, id, 0, next, 'dense')) {
      const view = new DataView(value.buffer, value.byteOffset, value.length)
      if (value.length < 8 || view.getUint32(4) !== 0xcafe) continue
      numbers.set(view.getUint32(0), (numbers.get(view.getUint32(0)) ?? 0) + 1)
    }
    return numbers
  })
  for (const [number, counts] of written)
    found.forEach((numbers, index) => {
      const there = numbers.get(number) ?? 0
      if (there !== (number <= last ? counts[index] : 0))
        throw new Error(
          `of transaction ${number} ${there} of ${counts[index]} messages are there, and the register says ${last}`,
        )
    })
  for (const number of found.flatMap((numbers) => [...numbers.keys()]))
    if (!written.has(number)) throw new Error(`transaction ${number} was refused, and is there`)
  return last
}
