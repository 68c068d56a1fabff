/**
 * Lives of a log whose messages are appended under ids, each ended by a kill or a power cut: under one id nothing is written twice while the
 * topic remembers it, and whoever is answered is told where a message of just that id stands.
 */
import { frameFlag, frameKind, frameWord } from '../../src/format/frame-layout.js'
import { guardBytes, writeGuardFrame } from '../../src/format/guard-layout.js'
import { IdExtras } from '../../src/format/id-header.js'
import { idHeader } from '../../src/limits.js'
import { recallIds } from '../../src/storage/read/recalled-ids.js'
import { Engine } from './engine.js'
import { putFrame, sizeOf } from './frames.js'
import { imageStyles } from './power-cuts.js'
import type { Seeded } from './seeded.js'
import type { SimulatedDisk } from './simulated-disk.js'
import { bootA, bootB } from './storage-log.js'
import { simulatedWorld } from './worlds.js'

const windowMs = 1_000
const lives = 4

interface Answer {
  id: string
  offset: number
}

/** @returns how many appends were answered. @throws what was not as promised */
export async function liveWithIds(random: Seeded): Promise<number> {
  let disk: SimulatedDisk | undefined
  let time = 1_000_000
  let answered = 0
  for (let life = 0; life < lives; life++) {
    const world = simulatedWorld(disk)
    const clock = () => time
    const bootId = life % 2 === 0 ? bootA : bootB
    const engine = new Engine(world, { segmentBytes: 1 << 18, bootId, writerNow: clock, reaper: { now: clock } })
    if (life === 0) engine.offer([{ declare: 'a', topic: 0 }])
    engine.writer.doWork()
    world.disk.settle()
    const answers: Answer[] = []
    let reading = nobody()
    for (let step = 0; step < 60; step++) {
      time += random.pick([0, 0, 1, 20, 200])
      const id = `id ${random.below(12)}`
      // Read by somebody else, at one moment, and learned at others.
      if (random.chance(0.1)) reading = readAside(engine, random)
      if (random.chance(0.3) && reading.next().done === true) reading = nobody()
      if (random.chance(0.3)) engine.append(0, new Uint8Array(random.below(9_000)))
      else answers.push((random.chance(0.5) ? appendNamed : appendLone)(engine, id, random.below(6_000)))
      await engine.settle(2)
      if (random.chance(0.1)) await engine.flush()
    }
    answered += answers.length
    check(engine, answers)
    // The whole machine, or only the process.
    const style = random.chance(0.5) ? 'kept' : random.pick(imageStyles)
    disk = world.disk.imageAfter(world.disk.events.length, random, style)
  }
  return answered
}

function* nobody(): Generator<void> {}

/** The window is read now, and handed over part by part. */
function readAside({ reader, cells, tail, writer }: Engine, random: Seeded): Generator<void> {
  const span = { windowMs: random.pick([windowMs, 5 * windowMs]), max: 1_000 }
  const found = recallIds(reader, 0, tail.first(0), cells.next(0).load(), tail.time - span.windowMs)
  return (function* () {
    let part: 'first' | 'more' | 'last' | 'only' = 'first'
    while (found.length > 0) {
      writer.learnIds(0, span, part, found.splice(0, 1 + random.below(4)))
      part = 'more'
      yield
    }
    writer.learnIds(0, span, part === 'first' ? 'only' : 'last', [])
  })()
}

function appendNamed(engine: Engine, text: string, length: number): Answer {
  const { producer, writer } = engine
  const { memory } = producer
  const id = { text, windowMs, max: 1_000 }
  const headers = Buffer.from(JSON.stringify({ other: 'x', [idHeader]: text }))
  const flags = frameFlag.awaited
  const frame = { topic: 0, value: new Uint8Array(length), extras: { key: undefined, headers }, flags }
  const at = producer.place(guardBytes({ id }) + sizeOf(frame))
  writeGuardFrame(memory.bytes, memory.words, at, 0, { id }, flags)
  producer.advance(putFrame(memory.bytes, memory.words, at + guardBytes({ id }), frame) - at)
  engine.publish()
  for (let turn = 0; engine.lane.ringHead.load() < engine.lane.ringTail.load(); turn++) {
    writer.doWork()
    engine.reaper.tend()
    if (turn > 1_000) throw new Error('an append is never answered')
  }
  if (engine.kindAt(at) !== frameKind.guard) throw new Error(`an append with an id ended as kind ${engine.kindAt(at)}`)
  if (memory.words[(at >>> 2) + frameWord.topic] !== 0) throw new Error('a guard lost its topic')
  return { id: text, offset: engine.offsetAt(at) }
}

/** The same where the message says by itself what its id is. */
function appendLone(engine: Engine, text: string, length: number): Answer {
  engine.cells.raiseIdSpan(0, { windowMs, max: 1_000 })
  const extras = new IdExtras(undefined, text)
  const at = engine.offer([{ topic: 0, value: new Uint8Array(length), extras, flags: frameFlag.awaited }])
  for (let turn = 0; engine.lane.ringHead.load() < engine.lane.ringTail.load(); turn++) {
    engine.writer.doWork()
    engine.reaper.tend()
    if (turn > 1_000) throw new Error('an append is never answered')
  }
  const kind = engine.kindAt(at)
  if (kind !== frameKind.data && kind !== frameKind.known) throw new Error(`an append with an id ended as kind ${kind}`)
  return { id: text, offset: engine.offsetAt(at) }
}

function check({ reader, cells, tail }: Engine, answers: readonly Answer[]): void {
  const found = recallIds(reader, 0, tail.first(0), cells.next(0).load(), 0)
  const byOffset = new Map(found.map((known) => [known.offset, known]))
  const last = new Map<string, number>()
  for (const { id: bytes, time, offset } of found) {
    const id = textOf(bytes)
    const before = last.get(id)
    if (before !== undefined && time < before + windowMs)
      throw new Error(`"${id}" is written again at offset ${offset}, ${time - before} ms after it was written`)
    last.set(id, time)
  }
  for (const { id, offset } of answers)
    if (textOf(byOffset.get(offset)?.id) !== id)
      throw new Error(`"${id}" was told offset ${offset}, where it does not stand`)
}

function textOf(id: Uint8Array | undefined): string {
  return new TextDecoder().decode(id)
}
