/**
 * Threads that append to one topic, with conditions and without, behind every touch of a shared word of the writer, with power cuts in
 * between, against the plain model: a log is a list, and a condition holds if the list has just that length when the call's turn comes.
 */
import { writeBulkFrame } from '../../src/format/frame-encoder.js'
import { frameBytes, frameFlag, frameKind, frameWord, kindOf, offsetOf } from '../../src/format/frame-layout.js'
import { guardBytes, writeGuardFrame } from '../../src/format/guard-layout.js'
import { RingConsumer, RingMemory, RingProducer } from '../../src/ring/append-ring.js'
import type { LaneWords } from '../../src/ring/lane-words.js'
import type { Role } from '../../src/ring/word-table.js'
import { LaneIntake } from '../../src/threads/writer/lane-intake.js'
import { Engine } from './engine.js'
import { groupOf, putFrame, runOf, sizeOf } from './frames.js'
import { behindEveryTouch } from './interleaving.js'
import { readAll } from './model.js'
import { imageStyles } from './power-cuts.js'
import type { Seeded } from './seeded.js'
import { everybody } from './shared-words.js'
import type { SimulatedDisk } from './simulated-disk.js'
import { bootB, StorageLog } from './storage-log.js'
import { simulatedWorld } from './worlds.js'

const ringBytes = 1 << 15
const threadCount = 3
const rounds = 10

/** One call of a thread, and what has become of it. */
interface Call {
  readonly count: number
  /** Undefined: no condition. */
  readonly expected: number | undefined
  /** Place of its first frame, and ring position behind its last. */
  readonly at: number
  readonly end: number
  outcome: { kind: 'written' | 'conflict'; offset: number } | undefined
}

/** What a record says it is. */
interface Identity {
  thread: number
  call: number
  index: number
}

const identityOf = (value: Uint8Array): Identity => {
  const [thread, call, index] = new Uint32Array(value.slice(0, 12).buffer)
  return { thread, call, index }
}

class AppendingThread {
  readonly calls: Call[] = []
  readonly words: LaneWords<Role>
  readonly #engine: Engine
  readonly #id: number
  readonly #producer: RingProducer
  readonly #bulks = new Map<number, Uint8Array>()
  #bulkId = 0
  #settled = 0

  constructor(engine: Engine, id: number) {
    const lane = engine.lanes.claim()
    if (lane === undefined) throw new Error('there are more lanes than threads')
    this.#engine = engine
    this.#id = id
    const words = engine.lanes.open(lane, ...everybody)
    this.words = words
    const memory = new RingMemory(RingMemory.allocate(ringBytes))
    const bulk = {
      take: (bulkId: number) => {
        const frames = this.#bulks.get(bulkId)
        if (frames === undefined) throw new Error(`bulk ${bulkId} was taken before or never sent`)
        this.#bulks.delete(bulkId)
        return frames
      },
      close: () => {},
    }
    const ring = new RingConsumer(memory, words.ringTail, words.ringHead)
    engine.turns.attach(new LaneIntake({ words, ring, times: undefined, bulk }))
    this.#producer = new RingProducer(memory, words.ringTail, words.ringHead, () => this.settledHead())
    words.wakeHead.store(0)
  }

  get bulksUntaken(): number {
    return this.#bulks.size
  }

  /** A call like any other; nothing where the ring has no room. */
  append(random: Seeded): void {
    const next = this.#engine.cells.next(0).load()
    // Most think that they know the end of the topic; some have looked a while ago, or are wrong.
    const expected = random.chance(0.3) ? undefined : Math.max(0, next + random.pick([0, 0, 0, 0, 1, 2, -1]))
    const count = 1 + random.below(3)
    const values = Array.from({ length: count }, (_, index) => {
      const value = new Uint8Array(16 + random.below(random.chance(0.1) ? 9_000 : 200))
      new Uint32Array(value.buffer, 0, 3).set([this.#id, this.calls.length, index])
      return value
    })
    const isBulk = random.chance(0.15)
    // What goes alone and through the ring says by itself what it expects, mostly.
    const isLone = count === 1 && !isBulk && random.chance(0.7)
    const frames = isLone
      ? [{ topic: 0, value: values[0], flags: frameFlag.awaited, expectedOffset: expected }]
      : groupOf(0, values, frameFlag.awaited)
    const bytes = isBulk ? frameBytes(8) : frames.reduce((sum, frame) => sum + sizeOf(frame), 0)
    const condition = expected === undefined || isLone ? undefined : { expectedOffset: expected }
    const ahead = condition === undefined ? 0 : guardBytes(condition)
    const at = this.#producer.place(ahead + bytes)
    if (at < 0) return
    const { memory } = this.#producer
    if (condition !== undefined) writeGuardFrame(memory.bytes, memory.words, at, 0, condition, frameFlag.awaited)
    if (isBulk) {
      const run = runOf(groupOf(0, values)).bytes
      this.#bulkId += 1
      this.#bulks.set(this.#bulkId, run)
      writeBulkFrame(memory.words, at + ahead, this.#bulkId, run.length, frameFlag.awaited)
    } else {
      let place = at + ahead
      for (const frame of frames) place = putFrame(memory.bytes, memory.words, place, frame)
    }
    this.#producer.advance(ahead + bytes)
    this.calls.push({ count, expected, at, end: this.#producer.tail, outcome: undefined })
    this.#producer.publish()
    this.#engine.lanes.dirty.add(this.words.number)
  }

  /** Reads what the writer has stamped, before its space is used again. */
  settledHead(): number {
    const head = this.words.ringHead.load()
    const { words } = this.#producer.memory
    for (
      let call = this.calls[this.#settled];
      call !== undefined && call.end <= head;
      call = this.calls[this.#settled]
    ) {
      const word = call.at >>> 2
      const tail = words[word + frameWord.tail]
      const kind = kindOf(tail)
      if (kind === frameKind.cancelled) throw new Error('nothing is refused for lack of space here')
      const offset = offsetOf(words[word + frameWord.offsetLow], tail)
      const isRefused = kind === frameKind.conflict || kind === frameKind.refused
      call.outcome = { kind: isRefused ? 'conflict' : 'written', offset }
      if (
        kind === frameKind.conflict &&
        kindOf(words[((call.at + guardBytes({})) >>> 2) + frameWord.tail]) === frameKind.data
      )
        throw new Error('a message that was refused is left for who looks for the newest in the ring')
      this.#settled += 1
    }
    return head
  }
}

/** @returns how many calls were judged. @throws what was not as in the model */
export async function watchGuards(random: Seeded): Promise<number> {
  const world = simulatedWorld()
  const engine = new Engine(world, { segmentBytes: 1 << 18 })
  const { writer, cells, reader } = engine
  engine.offer([{ declare: 'a', topic: 0 }])
  writer.doWork()
  world.disk.settle()
  const threads = Array.from({ length: threadCount }, (_, id) => new AppendingThread(engine, id))
  const left: Identity[][] = []
  for (let round = 0; round < rounds; round++) {
    for (const thread of threads) for (let calls = random.below(4); calls > 0; calls--) thread.append(random)
    await behindEveryTouch(
      () => {
        if (random.chance(0.1)) random.pick(threads).append(random)
      },
      () => {
        writer.doWork()
      },
    )
    for (const thread of threads) thread.settledHead()
    engine.reaper.tend()
    await new Promise(setImmediate)
    if (random.chance(0.3))
      left.push(afterPowerCut(world.disk.imageAfter(world.disk.events.length, random, random.pick(imageStyles))))
  }
  await engine.settle()
  for (const thread of threads) thread.settledHead()
  const next = cells.next(0).load()
  const records = next === 0 ? [] : readAll(reader, 0, 0, next, 'dense').map(({ value }) => identityOf(value))
  checkCalls(threads, records)
  for (const found of left) checkPrefix(found, records, threads)
  return threads.reduce((sum, { calls }) => sum + calls.length, 0)
}

function afterPowerCut(disk: SimulatedDisk): Identity[] {
  const log = new StorageLog(simulatedWorld(disk), { bootId: bootB, segmentBytes: 1 << 18 })
  const topic = log.recovered.topics.find(({ name }) => name === 'a')
  const next = topic?.next ?? 0
  const records = next === 0 ? [] : readAll(log.reader, 0, 0, next, 'dense').map(({ value }) => identityOf(value))
  log.close(false)
  return records
}

function checkCalls(threads: readonly AppendingThread[], records: readonly Identity[]): void {
  const written = new Set<string>()
  for (const [thread, { calls, bulksUntaken }] of threads.entries()) {
    if (bulksUntaken > 0) throw new Error(`${bulksUntaken} transfers of thread ${thread} were never taken`)
    let from = 0
    for (const [number, { count, expected, outcome }] of calls.entries()) {
      const what = `call ${number} of thread ${thread}`
      if (outcome === undefined) throw new Error(`${what} is not answered`)
      const { kind, offset } = outcome
      if (offset < from) throw new Error(`${what} was judged at ${offset}, before the one in front of it, at ${from}`)
      from = offset
      if (kind === 'conflict') {
        if (expected === undefined || offset === expected)
          throw new Error(`${what} is refused, and its condition holds`)
        continue
      }
      if (expected !== undefined && offset !== expected)
        throw new Error(`${what} expected ${expected}, and got ${offset}`)
      from = offset + count
      for (let index = 0; index < count; index++) {
        const found = records[offset + index]
        if (found?.thread !== thread || found.call !== number || found.index !== index)
          throw new Error(`${what} was told offset ${offset}, where another message stands`)
        written.add(`${thread} ${number}`)
      }
    }
  }
  for (const [offset, { thread, call }] of records.entries())
    if (!written.has(`${thread} ${call}`))
      throw new Error(`offset ${offset} holds a message of a call that was refused`)
}

/** A power cut leaves the beginning of what was to come, in whole groups. */
function checkPrefix(
  found: readonly Identity[],
  records: readonly Identity[],
  threads: readonly AppendingThread[],
): void {
  for (const [offset, identity] of found.entries()) {
    const { thread, call, index } = records[offset]
    if (identity.thread !== thread || identity.call !== call || identity.index !== index)
      throw new Error(`a power cut leaves at ${offset} what was never written there`)
  }
  const last = found.at(-1)
  if (last !== undefined && last.index !== threads[last.thread].calls[last.call].count - 1)
    throw new Error(`a power cut leaves half of call ${last.call} of thread ${last.thread}`)
}
