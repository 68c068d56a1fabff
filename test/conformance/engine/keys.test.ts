import type { Log, Message } from 'bookend'
import { describe, expect, it } from 'vitest'
import { codedFailureOf, collect, expectMistake, failureOf } from '../../scenarios/support.js'
import { Seeded } from '../../support/seeded.js'
import { offsetsOf } from '../../support/words.js'
import { onEveryEngine, onEveryReader } from './fixture.js'

/** The last two have one checksum; some begin as others do. */
const keys = ['order-1', 'order-10', 'order', '', 'Schl\u00fcssel', 'plumless', 'buckeroo']
const binary = new Uint8Array([0, 255, 254, 0])
const total = 3_000

async function fill(log: Log): Promise<void> {
  const random = new Seeded(4)
  const topic = log.topic('t', log.supports.indexes ? { index: { keys: true } } : {})
  for (let offset = 0; offset < total; ) {
    const count = Math.min(1 + random.below(20), total - offset)
    const values = Array.from({ length: count }, () => new Uint8Array(random.below(1_000)))
    const key = random.chance(0.4) ? random.pick([...keys, binary]) : undefined
    await topic.appendMany(values, {
      ...(key !== undefined && { key }),
      ...(random.chance(0.5) && { headers: { a: 'b' } }),
    })
    offset += count
    if (random.chance(0.1)) await log.topic('noise').append(new Uint8Array(30_000), { key: 'order-1' })
  }
  await topic.append(new Uint8Array(1), { key: 'only at the end' })
}

const has = (key: string | Uint8Array) => (message: Message<unknown>) =>
  message.key !== undefined && Buffer.compare(message.key, Buffer.from(key)) === 0

onEveryReader(fill, (reader) => {
  it('messages are found by their keys, the newest first or the oldest, and those of no other', async () => {
    const topic = reader.log.topic('t')
    if (!reader.log.supports.keys) return
    const all = await collect(topic.read())
    for (const key of [...keys, binary, 'only at the end']) {
      const wanted = offsetsOf(all.filter(has(key)))
      const newest = await topic.last(key)
      expect(newest?.offset).toBe(wanted.at(-1))
      expect(newest && JSON.stringify(newest)).toBe(JSON.stringify(all[wanted.at(-1) as number]))
      expect(offsetsOf(await collect(topic.byKey(key, { limit: total })))).toEqual([...wanted].reverse())
      expect(offsetsOf(await collect(topic.byKey(key, { limit: total, reverse: false })))).toEqual(wanted)
      expect(offsetsOf(await collect(topic.byKey(key)))).toEqual([...wanted].reverse().slice(0, 100))
      expect(offsetsOf(await collect(topic.byKey(key, { limit: 7, reverse: false })))).toEqual(wanted.slice(0, 7))
      const [from, to] = [700, 2_100]
      const between = wanted.filter((offset) => offset >= from && offset < to)
      expect(offsetsOf(await collect(topic.byKey(key, { from, to, limit: total })))).toEqual(between.reverse())
    }
    for (const key of ['order-2', 'plumles', 'missing']) {
      expect(await topic.last(key)).toBeUndefined()
      expect(await collect(topic.byKey(key))).toEqual([])
    }
    expect(await reader.log.topic('missing').last('order-1')).toBeUndefined()
  })
})

onEveryEngine(({ shared }) => {
  const found = async () => {
    const { log, name } = await shared()
    return { log, topic: log.topic(name), isHere: log.supports.keys }
  }

  it('an engine that cannot find by key says so', async () => {
    const { topic, isHere } = await found()
    if (isHere) return
    expect((await codedFailureOf(() => topic.last('a'))).code).toBe('BOOKEND_UNSUPPORTED')
    expect((await codedFailureOf(() => topic.byKey('a').next())).code).toBe('BOOKEND_UNSUPPORTED')
  })

  describe('the end of the topic', () => {
    it('what was appended is found at once, and what was trimmed is not', async () => {
      const { topic, isHere } = await found()
      if (!isHere) return
      for (let round = 0; round < 30; round++) {
        await topic.append(new Uint8Array([round]), { key: `k${round % 3}` })
        expect((await topic.last(`k${round % 3}`))?.offset).toBe(round)
      }
      await topic.trim(28)
      expect((await topic.last('k1'))?.offset).toBe(28)
      expect(await topic.last('k0')).toBeUndefined()
      expect(offsetsOf(await collect(topic.byKey('k2')))).toEqual([29])
      expect(await failureOf(() => collect(topic.byKey('k2', { from: 3 })))).toMatchObject({ code: 'BOOKEND_TRIMMED' })
    })
  })

  it('the last messages of many keys that are asked for together are those of each, however long they are', async () => {
    const { log, topic, isHere } = await found()
    if (!isHere) return
    // All of them together are longer than what is answered at a time.
    const some = Array.from({ length: 40 }, (_, number) => `long-${number}`)
    for (const key of some) await topic.append(new Uint8Array(60_000).fill(1), { key })
    const isExpiring = log.supports.expiry
    for (const key of some.slice(0, 20))
      await topic.append(new Uint8Array(60_000).fill(2), { key, ...(isExpiring && { ttlMs: 1 }) })
    await new Promise((resolve) => setTimeout(resolve, 5))
    const lasts = await Promise.all([...some, 'nobody'].map((key) => topic.last(key)))
    const newer = isExpiring ? 0 : 20
    expect(lasts.map((last) => last?.offset)).toEqual([
      ...some.map((_, number) => (number < newer ? 40 + number : number)),
      undefined,
    ])
    expect(lasts.slice(0, -1).map((last) => (last?.value as Uint8Array | undefined)?.[59_999])).toEqual(
      some.map((_, number) => (number < newer ? 2 : 1)),
    )
  })

  it('a key is compared as it was when it was asked for, and wrong arguments are refused', async () => {
    const { topic, isHere } = await found()
    if (!isHere) return
    await topic.append(new Uint8Array(1), { key: new Uint8Array([1, 2]) })
    for (const key of [new Uint8Array([1, 2]), Buffer.from([1, 2])]) {
      const asked = topic.last(key)
      const all = topic.byKey(key)
      key.fill(9)
      expect((await asked)?.offset).toBe(0)
      expect(offsetsOf(await collect(all))).toEqual([0])
    }
    for (const wrong of [undefined, null, 1, {}]) await expectMistake(() => topic.byKey(wrong as never), TypeError)
    await expectMistake(() => topic.byKey('a', { limit: 0 }), RangeError)
    await expectMistake(() => topic.byKey('a', { reverse: 1 as never }), TypeError)
    await expectMistake(() => topic.byKey('a', { from: -1 }), RangeError)
    await expectMistake(() => topic.byKey('a', { where: {} } as never), TypeError)
  })
})

onEveryEngine(({ open }) => {
  it('what is to be indexed is checked, and adds up', async () => {
    const log = await open()
    const wrong = [
      [{ key: true }, TypeError],
      [{ keys: 1 }, TypeError],
      [{ headers: 'type' }, TypeError],
      [{ headers: ['type', 1] }, TypeError],
      [{ headers: ['x'.repeat(2_000)] }, RangeError],
      [{ headers: Array.from({ length: 17 }, (_, number) => `h${number}`) }, RangeError],
    ] as const
    for (const [index, kind] of wrong) await expectMistake(() => log.topic('i', { index: index as never }), kind)
    if (!log.supports.indexes) {
      const error = await codedFailureOf(() => log.topic('i', { index: { keys: true } }))
      expect(error.code).toBe('BOOKEND_UNSUPPORTED')
      return
    }
    const topic = log.topic('i', { index: { keys: true } })
    await log
      .topic('i', { index: { headers: ['type', 'type'] } })
      .append(new Uint8Array(1), { key: 'a', headers: { type: 'x' } })
    expect(await topic.last('a')).toMatchObject({ offset: 0 })
    expect(await topic.count({ where: { type: 'x' } })).toBe(1)
  })
})
