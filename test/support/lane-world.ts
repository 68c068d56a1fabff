/**
 * Lanes of several threads, whose steps come behind every touch of the writer's: handing over in its two steps, ending between any two of them,
 * taking a lane that was left. What was handed over is taken, in order; lanes come back; nobody sleeps on what was published for him.
 */
import { frameFlag, frameWord, kindOf } from '../../src/format/frame-layout.js'
import { RingConsumer, RingMemory, RingProducer } from '../../src/ring/append-ring.js'
import type { LaneWords } from '../../src/ring/lane-words.js'
import { TopicNames } from '../../src/ring/topic-names.js'
import type { Role } from '../../src/ring/word-table.js'
import { LaneIntake } from '../../src/threads/writer/lane-intake.js'
import { Engine } from './engine.js'
import { putFrame, sizeOf } from './frames.js'
import { behindEveryTouch } from './interleaving.js'
import { readAll } from './model.js'
import type { Seeded } from './seeded.js'
import { everybody } from './shared-words.js'
import { simulatedWorld } from './worlds.js'

const smallRing = 1 << 14
const threadCount = 4
const rounds = 12

/** A thread that appends, in steps between which it may end. */
export class TestThread {
  readonly words: LaneWords<Role>
  handedOver = 0
  readonly #engine: Engine
  readonly #id: number
  readonly #producer: RingProducer
  #isMarked = true
  /** Asleep on its bell since it saw this head; -1: awake. */
  #sawHead = -1
  #token = 0

  constructor(engine: Engine, id: number, ringBytes = smallRing) {
    const lane = engine.lanes.claim()
    if (lane === undefined) throw new Error('there are more lanes than threads')
    this.#engine = engine
    this.#id = id
    const words = engine.lanes.open(lane, ...everybody)
    this.words = words
    const memory = new RingMemory(RingMemory.allocate(ringBytes))
    const ring = new RingConsumer(memory, words.ringTail, words.ringHead)
    const bulk = { take: () => new Uint8Array(0), close: () => {} }
    engine.turns.attach(new LaneIntake({ words, ring, times: undefined, bulk }))
    this.#producer = new RingProducer(memory, words.ringTail, words.ringHead)
    words.wakeHead.store(0)
  }

  /** One step of handing a message over. */
  step(random: Seeded): void {
    if (!this.#isMarked) this.#mark()
    else this.handOver(8 + random.below(60), frameFlag.awaited)
  }

  /** A message: up to its tail, and not marked yet. Returns its place in the ring; -1: no room. */
  handOver(bytes: number, flags: number): number {
    const value = new Uint8Array(bytes)
    new Uint32Array(value.buffer, 0, 2).set([this.#id, this.handedOver])
    const frame = { topic: 0, value, flags }
    const at = this.#producer.place(sizeOf(frame))
    if (at < 0) return -1
    putFrame(this.#producer.memory.bytes, this.#producer.memory.words, at, frame)
    this.#producer.advance(sizeOf(frame))
    this.#producer.publish()
    this.handedOver += 1
    this.#isMarked = false
    return at
  }

  append(bytes: number, flags = 0): number {
    const at = this.handOver(bytes, flags)
    this.#mark()
    return at
  }

  kindAt(at: number): number {
    return kindOf(this.#producer.memory.words[(at >>> 2) + frameWord.tail])
  }

  #mark(): void {
    this.#engine.lanes.dirty.add(this.words.number)
    this.#isMarked = true
  }

  /** It was terminated: whatever it was about to do is not done. Then the owner hears of it. */
  end(): void {
    this.#engine.lanes.end(this.words.number)
  }

  /** Sleeps until all that it has handed over is taken; looks when it is rung. */
  sleepOrLook(): void {
    const { bell, ringHead } = this.words
    if (this.#sawHead >= 0 && bell.token() === this.#token) return
    // As Watch does: armed before the look.
    this.#token = bell.arm()
    this.#sawHead = ringHead.load()
  }

  checkAwake(): void {
    const head = this.words.ringHead.load()
    if (this.#sawHead >= 0 && this.#sawHead < head && this.words.bell.token() === this.#token)
      throw new Error(`thread ${this.#id} sleeps at ring position ${this.#sawHead}, and ${head} is published`)
  }
}

/** @returns how many messages were handed over. @throws what was not as promised */
export async function watchLanes(random: Seeded): Promise<number> {
  const engine = new Engine(simulatedWorld(), { segmentBytes: 8 << 20 })
  const { writer, lanes, cells, reader } = engine
  engine.offer([{ declare: 'a', topic: 0 }])
  writer.doWork()
  const all: TestThread[] = []
  let alive: TestThread[] = []
  const begin = (): void => {
    const thread = new TestThread(engine, all.length)
    all.push(thread)
    alive.push(thread)
  }
  for (let count = 0; count < threadCount; count++) begin()

  const stepOfOthers = (share: number) => (): void => {
    for (const thread of alive) thread.sleepOrLook()
    if (alive.length === 0 || !random.chance(share)) return
    const thread = random.pick(alive)
    for (let steps = random.below(3); steps > 0; steps--) thread.step(random)
    if (random.chance(0.85)) return
    thread.end()
    alive = alive.filter((other) => other !== thread)
  }
  for (let round = 0; round < rounds; round++) {
    while (alive.length < threadCount) begin()
    for (let steps = random.below(12); steps > 0; steps--) random.pick(alive).step(random)
    await behindEveryTouch(stepOfOthers(random.pick([0.02, 0.1, 0.3])), () => {
      writer.doWork()
    })
    for (const thread of alive) thread.checkAwake()
    if (alive.length === 0) begin()
  }
  for (const thread of alive) thread.end()
  // As its loop does: for as long as it sees work.
  for (let turn = 0; writer.hasWork; turn++) {
    if (turn > 10_000) throw new Error('the writer sees work for ever')
    writer.doWork()
    engine.reaper.tend()
    await new Promise(setImmediate)
  }
  for (let lane = 1; lane < lanes.count; lane++)
    if (lanes.isOpen(lane) || lanes.isEnding(lane)) throw new Error(`lane ${lane} is not free again`)
  const next = cells.next(0).load()
  const taken = new Map<number, number>()
  if (next > 0)
    for (const { value } of readAll(reader, 0, 0, next, 'dense')) {
      const [id, index] = new Uint32Array(value.slice(0, 8).buffer)
      const expected = taken.get(id) ?? 0
      if (index !== expected) throw new Error(`message ${index} of thread ${id} stands where ${expected} should`)
      taken.set(id, expected + 1)
    }
  let sum = 0
  for (const [id, { handedOver }] of all.entries()) {
    sum += handedOver
    if ((taken.get(id) ?? 0) !== handedOver)
      throw new Error(`thread ${id} has handed over ${handedOver} messages, and ${taken.get(id) ?? 0} are in the log`)
  }
  return sum
}

/** One thread asks for the number of a name behind every touch of another that does: both get the same. @returns how often */
export async function watchNaming(random: Seeded): Promise<number> {
  const shared = TopicNames.allocate([{ id: 0, name: 'known' }], 1, 1)
  const [mine, others] = [new TopicNames(shared), new TopicNames(shared)]
  let times = 0
  for (let round = 0; round < 20; round++) {
    const name = `t${random.below(1_000_000)}`
    const seen: number[] = []
    let own = -1
    await behindEveryTouch(
      () => {
        times += 1
        const number = random.chance(0.5) ? others.intern(name) : others.find(name)
        if (number >= 0) seen.push(number)
      },
      () => {
        own = mine.intern(name)
      },
    )
    for (const number of seen)
      if (number !== own) throw new Error(`"${name}" has number ${own} for one thread, and ${number} for another`)
  }
  return times
}
