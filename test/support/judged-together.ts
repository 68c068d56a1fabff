/**
 * Calls with conditions of every kind, many handed over at once, so that they are judged one after the other and written together; on a disk that is full
 * now and then. Against the plain model, in which each is written before the next is judged: lists of messages, the ids and keys in them, a number.
 */
import assert from 'node:assert/strict'
import { GroupFrames } from '../../src/dispatcher/appends/group-frames.js'
import type { TopicHandle } from '../../src/dispatcher/topic-directory.js'
import { frameKind } from '../../src/format/frame-layout.js'
import { type Guard, isChanged } from '../../src/format/guard-layout.js'
import { registerTopic, registerValue } from '../../src/format/hidden-topics.js'
import { IdExtras } from '../../src/format/id-header.js'
import { tagOf } from '../../src/format/key-tag.js'
import { idHeader } from '../../src/limits.js'
import { failedCall } from '../../src/memory/errno.js'
import { Engine } from './engine.js'
import { framePlaces } from './frame-places.js'
import { readAll } from './model.js'
import { imageStyles } from './power-cuts.js'
import type { Seeded } from './seeded.js'
import { bootB, StorageLog } from './storage-log.js'
import { simulatedWorld } from './worlds.js'

const ENOSPC = 28
const [a, b, register] = ['a', 'b', registerTopic('r', 'n')].map((name, id) => ({ name, id }) as TopicHandle)
const keys = ['a', 'b', 'c'].map((key) => new TextEncoder().encode(key))

/** A message as it is found again. */
interface Said {
  readonly call: number
  readonly id: string | undefined
  readonly key: Uint8Array | undefined
}

/** What the call has to come to. */
type Verdict = 'written' | 'known' | 'conflict' | 'changed'

interface Call {
  readonly verdict: Verdict
  /** Of the message that its first guard is about, or of what is there. */
  readonly offset: number
  /** Its one frame says by itself what has to hold. */
  readonly isLone?: boolean
  /** Places of its guards and of its messages in the ring. */
  readonly guards: readonly number[]
  readonly messages: readonly { topic: number; offset: number; at: number }[]
}

class Together {
  readonly #world = simulatedWorld()
  readonly #engine = new Engine(this.#world, { segmentBytes: 1 << 18, ringBytes: 1 << 18 })
  readonly #random: Seeded
  readonly #topics: Said[][] = [[], []]
  #number: number | undefined
  #calls = 0
  #waiting: Call[] = []

  constructor(random: Seeded) {
    this.#random = random
    for (const { id } of [a, b]) this.#engine.cells.raiseIdSpan(id, { windowMs: 1_000_000, max: 1_000_000 })
    this.#engine.offer([a, b].map(({ name, id }) => ({ declare: name, topic: id })))
    this.#engine.writer.doWork()
  }

  get calls(): number {
    return this.#calls
  }

  /** A call that is judged behind all others. */
  hand(topic = this.#random.pick([a, b]), isKeyed = this.#random.chance(0.2)): void {
    const random = this.#random
    const said = this.#topics[topic.id]
    const call: Said = {
      call: this.#calls,
      id: random.chance(0.3) ? `id ${random.below(20)}` : undefined,
      key: isKeyed || random.chance(0.2) ? random.pick(keys) : undefined,
    }
    // Of several topics now and then, and with a number.
    const other = random.chance(0.2) ? [a, b].find((each) => each !== topic) : undefined
    const set = random.chance(0.2)
      ? { value: this.#calls, below: Math.max(0, this.#calls - random.below(8)) }
      : undefined
    const guard = this.#guard(topic.id, call, isKeyed, other !== undefined || set !== undefined)
    const shares = [topic, ...(other === undefined ? [] : [other])].map((each, index) => ({
      topic: each,
      values: [numbered(this.#calls, random)],
      extras: [index === 0 ? extrasOf(call) : undefined],
      conditions: index === 0 ? [guard] : [{}],
    }))
    const group = new GroupFrames(shares, set === undefined ? [] : [{ topic: register, ...set }])
    const { producer } = this.#engine
    const at = producer.place(group.guardBytes + group.bytes)
    if (at < 0) return
    const memory = { ...producer.memory, text: Buffer.from(producer.memory.bytes.buffer) }
    const guards = framePlaces(memory.words, at, group.writeGuards(memory, at, 0))
    producer.advance(group.writeFrames(memory, at + group.guardBytes, 0) - at)
    const [verdict, offset] = this.#judge(said, call, guard, set)
    const messages: { topic: number; offset: number; at: number }[] = []
    if (verdict === 'written') {
      let place = at + group.guardBytes
      for (const [index, { topic: each, values, extras }] of shares.entries()) {
        messages.push({ topic: each.id, offset: this.#topics[each.id].length, at: place })
        this.#topics[each.id].push(index === 0 ? call : { call: call.call, id: undefined, key: undefined })
        place += new GroupFrames([{ topic: each, values, extras, conditions: [] }]).bytes
      }
      this.#number = set?.value ?? this.#number
    }
    this.#waiting.push({ verdict, offset, guards, messages })
    this.#calls += 1
  }

  /** A lone message: what has to hold stands in its frame. */
  handLone(): void {
    const random = this.#random
    const topic = random.pick([a, b])
    const said = this.#topics[topic.id]
    const id = random.chance(0.7) ? `id ${random.below(20)}` : undefined
    const key = random.chance(0.2) ? random.pick(keys) : undefined
    const expectedOffset = random.chance(0.5) ? Math.max(0, said.length - random.pick([0, 0, 0, 1])) : undefined
    const extras = id === undefined ? key && { key, headers: undefined } : new IdExtras(key, id)
    const at = this.#engine.offer([
      { topic: topic.id, value: numbered(this.#calls, random), ...(extras && { extras }), expectedOffset },
    ])
    if (at < 0) return
    const call: Said = { call: this.#calls, id, key }
    const [verdict, offset] = this.#judge(said, call, { expectedOffset }, undefined)
    if (verdict === 'written') said.push(call)
    const messages = [{ topic: topic.id, offset, at }]
    this.#waiting.push({ verdict, offset, isLone: true, guards: [], messages })
    this.#calls += 1
  }

  /** Some without a condition between them: of one topic, or of several at one moment. */
  handPlain(): void {
    const random = this.#random
    const topics = random.pick([[a], [a], [b], [a, b], [b, a], [b, b, a]])
    const call = { call: this.#calls, id: undefined, key: undefined }
    const group = new GroupFrames(
      topics.map((topic) => ({ topic, values: [numbered(this.#calls, random)], extras: [], conditions: [] })),
    )
    const { producer } = this.#engine
    const at = producer.place(group.bytes)
    if (at < 0) return
    const memory = { ...producer.memory, text: Buffer.from(producer.memory.bytes.buffer) }
    producer.advance(group.writeFrames(memory, at, 0) - at)
    const places = framePlaces(memory.words, at, topics.length)
    const messages = topics.map(({ id }, index) => ({
      ...{ topic: id, at: places[index] },
      offset: this.#topics[id].push(call) - 1,
    }))
    this.#waiting.push({ verdict: 'written', offset: messages[0].offset, guards: [], messages })
    this.#calls += 1
  }

  /** All that was handed over is judged, whatever the disk says at first. */
  async settle(): Promise<void> {
    const engine = this.#engine
    const random = this.#random
    let refusals = random.below(3)
    this.#world.disk.fault = ({ call, file }) => {
      if (call !== 'write' || !file.endsWith('.seg') || refusals === 0) return
      refusals -= 1
      throw Object.assign(failedCall('pwritev', ENOSPC), { written: random.below(60_000) })
    }
    const { ringHead, ringTail } = engine.lane
    engine.publish()
    for (let turn = 0; ringHead.load() < ringTail.load(); turn++) {
      assert.ok(turn < 1_000, 'a call is never answered')
      engine.writer.doWork()
      // What is refused for space is only offered, as far as this goes: it waits.
      await engine.settle(2)
    }
    this.#world.disk.fault = () => {}
    for (const call of this.#waiting) this.#check(call)
    this.#waiting = []
  }

  /** What is in the log is what was written. */
  check(): void {
    const { reader, cells } = this.#engine
    const { disk } = this.#world
    const found = [a, b].map(({ id }) => numbersOf(readAll(reader, id, 0, cells.next(id).load(), 'dense')))
    assert.deepEqual(
      found,
      this.#topics.map((said) => said.map(({ call }) => call)),
    )
    assert.equal(registerValue(cells.first(register.id).load() || 0), this.#number)
    // A power cut leaves whole calls, and with one everything in front of it.
    const image = disk.imageAfter(disk.events.length, this.#random, this.#random.pick(imageStyles))
    const log = new StorageLog(simulatedWorld(image), { bootId: bootB, segmentBytes: 1 << 18 })
    const nextOf = (id: number) => log.recovered.topics.find((topic) => topic.name === [a, b][id].name)?.next ?? 0
    const kept = [0, 1].map((id) => this.#topics[id].slice(0, nextOf(id)).map(({ call }) => call))
    const last = Math.max(-1, ...kept.flat())
    for (const [id, said] of this.#topics.entries())
      assert.deepEqual(
        kept[id],
        said.map(({ call }) => call).filter((call) => call <= last),
        'a cut left half of a call',
      )
    log.close(false)
  }

  #guard(topic: number, { id, key }: Said, isKeyed: boolean, isIdNew: boolean): Guard {
    const random = this.#random
    const { length } = this.#topics[topic]
    return {
      expectedOffset: random.chance(0.4) ? Math.max(0, length - random.pick([0, 0, 0, 1])) : undefined,
      id: id === undefined ? undefined : { text: id, windowMs: 1_000_000, max: 1_000_000 },
      isIdNew,
      // Looked up before what is not published yet.
      unchanged:
        isKeyed && key !== undefined ? { tag: tagOf(key), asOf: this.#engine.cells.next(topic).load() } : undefined,
    }
  }

  #judge(
    said: readonly Said[],
    { id, key }: Said,
    { expectedOffset, isIdNew, unchanged }: Guard,
    set: { value: number; below: number } | undefined,
  ): [Verdict, number] {
    const known = id === undefined ? -1 : said.findIndex((other) => other.id === id)
    if (known >= 0) return [isIdNew === true ? 'conflict' : 'known', known]
    const next = said.length
    if (expectedOffset !== undefined && expectedOffset !== next) return ['conflict', next]
    if (unchanged !== undefined && said.findLastIndex((other) => other.key === key) >= unchanged.asOf)
      return ['changed', next]
    if (set !== undefined && this.#number !== undefined && this.#number >= set.below) return ['conflict', -1]
    return ['written', next]
  }

  #check({ verdict, offset, isLone, guards, messages }: Call): void {
    const engine = this.#engine
    if (isLone === true) {
      const kind = { written: frameKind.data, known: frameKind.known, conflict: frameKind.refused, changed: 0 }[verdict]
      const [{ at }] = messages
      assert.deepEqual([engine.kindAt(at), engine.offsetAt(at)], [kind, offset], `a lone call is to be ${verdict}`)
      return
    }
    const kinds = guards.map((guard) => engine.kindAt(guard))
    const { words } = engine.producer.memory
    const refused = guards.find((_, index) => kinds[index] === frameKind.conflict)
    const isRefused = verdict === 'conflict' || verdict === 'changed'
    assert.equal(refused !== undefined, isRefused, `a call that is to be ${verdict} ended with ${kinds}`)
    if (refused !== undefined) assert.equal(isChanged(words, refused), verdict === 'changed')
    if (guards.length > 0 && offset >= 0) assert.equal(engine.offsetAt(guards[0]), offset)
    for (const message of messages) {
      assert.equal(engine.kindAt(message.at), frameKind.data)
      assert.equal(engine.offsetAt(message.at), message.offset, 'a message in the ring has another offset')
    }
  }
}

/** @returns how many calls were judged. @throws what was not as in the model */
export async function judgeTogether(random: Seeded): Promise<number> {
  const together = new Together(random)
  // From here on the writer knows all keys of both.
  for (const topic of [a, b]) together.hand(topic, true)
  await together.settle()
  for (let round = 0; round < 12; round++) {
    for (let calls = 1 + random.below(30); calls > 0; calls--)
      random.pick([
        () => together.handPlain(),
        ...[1, 2, 3].map(() => () => together.handLone()),
        ...[1, 2, 3, 4].map(() => () => together.hand()),
      ])()
    await together.settle()
  }
  together.check()
  return together.calls
}

function extrasOf({ id, key }: Said) {
  const headers = id === undefined ? undefined : Buffer.from(JSON.stringify({ [idHeader]: id }))
  return id === undefined && key === undefined ? undefined : { key, headers }
}

function numbered(number: number, random: Seeded): Uint8Array {
  const value = new Uint8Array(8 + random.below(random.chance(0.3) ? 3_000 : 100))
  new DataView(value.buffer).setUint32(0, number)
  return value
}

function numbersOf(records: readonly { value: Uint8Array }[]): number[] {
  return records.map(({ value }) => new DataView(value.buffer, value.byteOffset, value.length).getUint32(0))
}
