/**
 * Versions of keys: what the writer says of keys that it has seen, against the plain list of what was appended; and many who append with versions side by
 * side, each with a look of its own that takes its time: every message that is written stands behind the one that it expected.
 */
import assert from 'node:assert/strict'
import { type PackedKeys, unpackKeys } from '../../src/collections/packed-keys.js'
import { ChangedKeyError } from '../../src/dispatcher/appends/changed-key.js'
import type { ExpectedVersion } from '../../src/engine/terms.js'
import { BookendError } from '../../src/errors.js'
import { conflictError } from '../../src/failures.js'
import { frameFlag, frameKind, frameWord } from '../../src/format/frame-layout.js'
import { type Guard, guardBytes, isChanged, writeGuardFrame } from '../../src/format/guard-layout.js'
import { tagOf } from '../../src/format/key-tag.js'
import { withVersions } from '../../src/local/key-versions.js'
import { newestOffsets } from '../../src/local/newest-offsets.js'
import { KeyedAppends } from '../../src/threads/writer/keyed-appends.js'
import { Engine } from './engine.js'
import { putFrame, sizeOf } from './frames.js'
import { readAll } from './model.js'
import type { Seeded } from './seeded.js'
import { simulatedWorld } from './worlds.js'

/** The last two have one tag. */
const keys = ['a', 'b', 'c', 'plumless', 'buckeroo'].map((key) => new TextEncoder().encode(key))

/** @returns how often a key was said to be unchanged. @throws where it was not, or where it could have been said */
export function watchKeys(random: Seeded): number {
  const next = [0, 0, 0]
  const last = new Map<string, number>()
  const appends = new KeyedAppends((topic) => next[topic], 4 + random.below(20))
  let said = 0
  for (let step = 0; step < 400; step++) {
    if (random.chance(0.7)) {
      const frames = Array.from({ length: 1 + random.below(4) }, () => ({
        topic: random.below(3),
        value: new Uint8Array(random.below(30)),
        extras: random.chance(0.8) ? { key: random.pick(keys), headers: undefined } : undefined,
      }))
      const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + sizeOf(frame), 0))
      const words = new Uint32Array(bytes.buffer)
      let at = 0
      for (const frame of frames) {
        const { topic, extras } = frame
        // As the writer stamps it.
        const start = at
        at = putFrame(bytes, words, at, frame)
        words[(start >>> 2) + frameWord.offsetLow] = next[topic]
        if (extras !== undefined) last.set(`${topic} ${tagOf(extras.key)}`, next[topic])
        next[topic] += 1
      }
      appends.note({ bytes, words }, 0, bytes.length)
      continue
    }
    const topic = random.below(2)
    const tag = tagOf(random.pick(keys))
    const asOf = Math.max(0, next[topic] - random.below(random.chance(0.5) ? 3 : 40))
    const isUnchanged = appends.isUnchanged(topic, { tag, asOf })
    const newest = last.get(`${topic} ${tag}`) ?? -1
    assert.ok(!isUnchanged || newest < asOf, `a key is at ${newest}, and was said to be unchanged since ${asOf}`)
    assert.ok(isUnchanged || asOf < next[topic], 'what is looked up now is said to have changed')
    if (isUnchanged) said += 1
  }
  return said
}

/** @returns how many messages were written with a version. @throws what was not as promised */
export async function raceForVersions(random: Seeded): Promise<number> {
  const engine = new Engine(simulatedWorld(), { segmentBytes: 1 << 18 })
  engine.offer([{ declare: 't', topic: 0 }])
  engine.writer.doWork()
  const { producer, reader } = engine
  const { memory } = producer
  const turns = async () => {
    for (let turn = random.below(4); turn > 0; turn--) await new Promise(setImmediate)
  }
  const topic = {
    name: 't',
    next: () => engine.cells.next(0).load(),
    async lastOf(key: Uint8Array, to: number) {
      await turns()
      const look = async (packed: PackedKeys) => reader.newest({ topic: 0, from: 0, to, asked: unpackKeys(packed) })
      return (await newestOffsets([{ key, to }], look))[0]
    },
  }
  const waiting: { at: number; settle(): void }[] = []
  const write = async (key: Uint8Array, value: Uint8Array, guard: Guard): Promise<number> => {
    const frame = { topic: 0, value, extras: { key, headers: undefined }, flags: frameFlag.awaited }
    const ahead = guardBytes(guard)
    const at = producer.place(ahead + sizeOf(frame))
    writeGuardFrame(memory.bytes, memory.words, at, 0, guard, frameFlag.awaited)
    producer.advance(putFrame(memory.bytes, memory.words, at + ahead, frame) - at)
    engine.publish()
    return new Promise((resolve, reject) => {
      const settle = () => {
        if (engine.kindAt(at) === frameKind.guard) resolve(engine.offsetAt(at))
        else reject(isChanged(memory.words, at) ? new ChangedKeyError('t') : conflictError('t', 0, engine.offsetAt(at)))
      }
      waiting.push({ at, settle })
    })
  }
  const known = new Map<Uint8Array, number>()
  let written = 0
  const party = async () => {
    for (let call = 0; call < 12; call++) {
      await turns()
      const key = random.pick(keys.slice(2))
      const version = known.get(key) ?? ('none' as const)
      const expected: ExpectedVersion = random.chance(0.1) ? random.pick(['none', 'exists', 0] as const) : version
      const value = saying(key, `${expected}`)
      try {
        const message = { topic, extras: { key, headers: undefined }, condition: { expectedVersion: expected } }
        const guardOf = ([guard]: readonly (Guard | undefined)[]) => write(key, value, guard ?? {})
        const offset = await withVersions([message], guardOf, async () => {})
        known.set(key, Math.max(known.get(key) ?? -1, offset))
        written += 1
      } catch (error) {
        if (!(error instanceof BookendError) || error.code !== 'BOOKEND_CONFLICT') throw error
        assert.equal(error.expected, expected)
        assert.notEqual(error.actual, expected)
        if (typeof error.actual === 'number') known.set(key, Math.max(known.get(key) ?? -1, error.actual))
      }
    }
  }
  let isOver = false
  const parties = Promise.all(Array.from({ length: 5 }, party)).finally(() => {
    isOver = true
  })
  while (!isOver) {
    await new Promise(setImmediate)
    if (random.chance(0.2)) {
      const key = random.pick(keys)
      engine.offer([{ topic: 0, value: saying(key, ''), extras: { key, headers: undefined } }])
    }
    if (random.chance(0.3)) continue
    engine.writer.doWork()
    engine.reaper.tend()
    for (const { settle } of waiting.splice(0)) settle()
  }
  await parties
  const last = new Map<string, number>()
  for (const { offset, value } of readAll(reader, 0, 0, topic.next(), 'dense')) {
    const [name, expected] = Buffer.from(value).toString().split(' ')
    const actual = last.get(name) ?? 'none'
    const holds = expected === '' || (expected === 'exists' ? actual !== 'none' : expected === `${actual}`)
    assert.ok(holds, `message ${offset} expected ${expected} of its key, and stands behind ${actual}`)
    last.set(name, offset)
  }
  return written
}

/** What a message says of itself. @param expected empty: it expects nothing */
function saying(key: Uint8Array, expected: string): Uint8Array {
  return new TextEncoder().encode(`${Buffer.from(key)} ${expected}`)
}
