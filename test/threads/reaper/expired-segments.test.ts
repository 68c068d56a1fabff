/** What retention lets go because nobody will ever see it again, with the writer and the reaper at work on the simulated disk. */
import { expect, it } from 'vitest'
import { batchHeaderBytes } from '../../../src/format/batch-layout.js'
import { expiringHeaders } from '../../../src/format/expiry-layout.js'
import { featureSet } from '../../../src/format/features.js'
import { frameFlag } from '../../../src/format/frame-layout.js'
import { hasExpired } from '../../../src/messages/expiry.js'
import { Engine } from '../../support/engine.js'
import { readAll } from '../../support/model.js'
import { simulatedWorld } from '../../support/worlds.js'

const lifeMs = 60_000
const valueBytes = 60_000

function start(names: readonly string[], isStated = true) {
  let now = Date.now()
  const engine = new Engine(simulatedWorld(), { ringBytes: 1 << 20, reaper: { now: () => now } })
  for (const [topic, declare] of names.entries()) engine.offer([{ declare, topic }])
  engine.writer.doWork()
  if (isStated) engine.state.featuresWanted.store(featureSet('expiry'))
  engine.reaper.tend()
  /** @param expiresAt undefined: never */
  const add = (topic: number, expiresAt: number | undefined, bytes = valueBytes) => {
    const headers = expiresAt === undefined ? undefined : Buffer.from(expiringHeaders(expiresAt, '{}'))
    const extras = { key: undefined, headers, expiresAt }
    expect(engine.offer([{ topic, value: new Uint8Array(bytes), extras, flags: frameFlag.awaited }])).toBeGreaterThan(
      -1,
    )
    engine.writer.doWork()
  }
  const fillTo = async (segment: number, topic: number, expiresAt: () => number | undefined) => {
    while (engine.tail.segment < segment) {
      add(topic, expiresAt())
      await engine.settle(2)
    }
    await engine.flush()
    await engine.settle(4)
  }
  const pass = async (ms: number) => {
    for (let round = 0; round < 30; round++) {
      now += ms / 30
      await engine.settle(1)
    }
  }
  const kept = () => engine.files.list().filter((segment) => segment <= engine.tail.segment)
  const first = (topic: number) => engine.cells.first(topic).load()
  return { engine, add, fillTo, pass, kept, first, inTime: () => now + lifeMs }
}

it('a segment goes when the last message in it has expired, though nobody asked for retention, and not before', async () => {
  const { fillTo, pass, kept, first, inTime, engine } = start(['a'])
  const last = inTime()
  await fillTo(3, 0, () => last)
  await pass(lifeMs - 10_000)
  expect([kept(), first(0)]).toEqual([[0, 1, 2, 3], 0])
  await pass(20_000)
  expect(kept()).toEqual([3])
  expect(first(0)).toBeGreaterThan(0)
  expect(first(0)).toBeLessThan(engine.cells.next(0).load())
})

it('what has expired between what stays is left out of its segment, which is written anew once', async () => {
  const { engine, add, pass, inTime } = start(['a'])
  const until = inTime()
  const isShort = (offset: number) => offset % 4 !== 0
  let count = 0
  while (engine.tail.segment < 2) {
    add(0, isShort(count) ? until : undefined, 20_000)
    count += 1
    await engine.settle(2)
  }
  await engine.flush()
  await engine.settle(4)
  await pass(lifeMs / 2)
  const generations = () => [0, 1].map((segment) => engine.files.generationOf(segment))
  expect(generations()).toEqual([0, 0])
  await pass(lifeMs)
  await pass(lifeMs)
  await pass(lifeMs)
  expect(generations()).toEqual([1, 1])
  await pass(10 * lifeMs)
  expect(generations()).toEqual([1, 1])
  expect(engine.cells.first(0).load()).toBe(0)
  const end = engine.catalog.stretches(0, 0, 1e9)[1].end
  const found = readAll(engine.reader, 0, 0, end, 'dense')
  const kept = Array.from({ length: end }, (_, offset) => offset).filter((offset) => !isShort(offset))
  expect(found.map(({ offset }) => offset)).toEqual(kept)
  expect(found.every(({ value }) => value.length === 20_000)).toBe(true)
  // Whatever the clock is by then.
  for (const offset of [1, 2, 3]) {
    const record = engine.reader.readOne(0, offset)
    expect(record && hasExpired(record, new Uint32Array(record.buffer), batchHeaderBytes)).toBe(true)
  }
})

it('one message that stays, or stays longer, keeps it, and so does another topic', async () => {
  for (const [topic, later] of [
    [0, undefined],
    [0, 10 * lifeMs],
    [1, undefined],
  ] as const) {
    const { add, fillTo, pass, kept, first, inTime } = start(['a', 'b'])
    const last = inTime()
    add(0, last)
    // Too large to be moved out of the way.
    for (let count = 0; count < 3; count++) add(topic, later && last + later)
    await fillTo(2, 0, () => last)
    await pass(2 * lifeMs)
    expect([kept(), first(0)]).toEqual([[0, 1, 2], 0])
  }
})

it('a log that does not say that something in it expires is not looked at for it', async () => {
  const { fillTo, pass, kept } = start(['a'], false)
  await fillTo(2, 0, () => 1)
  await pass(lifeMs)
  expect(kept()).toEqual([0, 1, 2])
})

it('what has expired need not be moved: a few messages that stay are, and the rest goes', async () => {
  const { add, fillTo, pass, kept, first, inTime, engine } = start(['a', 'b'])
  add(1, undefined, 100)
  const last = inTime()
  await fillTo(3, 0, () => last)
  // Past the time after which topics that did not pay to be moved are looked at again.
  await pass(lifeMs + 600_000)
  expect(kept()).not.toContain(0)
  expect([first(0) > 0, first(1), engine.cells.next(1).load()]).toEqual([true, 0, 1])
})
