/** Appends that are written only if the topic goes on where the caller thinks it does. */
import { text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, expectMistake } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ shared, open }) => {
  it('an append with the expected offset is written, and one with another is a conflict that leaves nothing', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    expect(await topic.append('a', { expectedOffset: 0, key: 'k', headers: { h: '1' } })).toBe(0)
    for (const [expectedOffset, call] of [
      [0, () => topic.append('b', { expectedOffset: 0 })],
      [7, () => topic.append('b', { expectedOffset: 7, key: 'k' })],
      [0, () => topic.appendMany(['b', 'c'], { expectedOffset: 0 })],
      [0, () => topic.appendMany([], { expectedOffset: 0 })],
    ] as const) {
      const error = await codedFailureOf(call)
      expect(error).toMatchObject({ code: 'BOOKEND_CONFLICT', topic: name, expected: expectedOffset, actual: 1 })
      expect(error.message).toContain(name)
      expect(await topic.bounds()).toEqual({ first: 0, next: 1 })
    }
    expect(await topic.appendMany(['b', 'c'], { expectedOffset: 1 })).toEqual({ first: 1, count: 2 })
    expect(await topic.appendMany([], { expectedOffset: 3 })).toEqual({ first: 3, count: 0 })
    expect(await topic.append('d')).toBe(3)
    const all = await collect(topic.read())
    expect(all.map(({ value, keyText }) => [value, keyText])).toEqual([
      ['a', 'k'],
      ['b', undefined],
      ['c', undefined],
      ['d', undefined],
    ])
  })

  it('the first append of a topic can be expected, and one that is refused makes no message', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    expect(await codedFailureOf(() => topic.append('a', { expectedOffset: 3 }))).toMatchObject({
      code: 'BOOKEND_CONFLICT',
      expected: 3,
      actual: 0,
    })
    expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
    expect(await collect(topic.read())).toEqual([])
    expect(await topic.append('a', { expectedOffset: 0 })).toBe(0)
  })

  it('of many that expect the same offset one is written, and each of the others hears what is there', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    for (let round = 0; round < 20; round++) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 10 }, (_, index) => topic.append(`${round} ${index}`, { expectedOffset: round })),
      )
      const written = outcomes.filter(({ status }) => status === 'fulfilled')
      expect(written).toEqual([{ status: 'fulfilled', value: round }])
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected')
          expect(outcome.reason).toMatchObject({ code: 'BOOKEND_CONFLICT', expected: round, actual: round + 1 })
      }
    }
    expect((await collect(topic.read())).map(({ value }) => value.split(' ')[0])).toEqual(
      Array.from({ length: 20 }, (_, round) => String(round)),
    )
  })

  it('calls keep their order, conditions or none, and a refused one stops none of those behind it', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    const outcomes = await Promise.allSettled([
      topic.append('a'),
      topic.append('b', { expectedOffset: 1 }),
      topic.append('no', { expectedOffset: 1 }),
      topic.append('c'),
      topic.appendMany(['d', 'e'], { expectedOffset: 3 }),
      topic.appendMany(['no', 'no'], { expectedOffset: 3 }),
      topic.append('f', { expectedOffset: 5 }),
    ])
    expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.actual))).toEqual(
      [0, 1, 2, 2, { first: 3, count: 2 }, 5, 5],
    )
    expect((await collect(topic.read())).map(({ value }) => value).join('')).toBe('abcdef')
  })

  it('holds for what does not fit the ring, and for what waits for room in it', async () => {
    const log = await open({ ringBytes: 64 << 10 })
    const topic = log.topic('t')
    const large = new Uint8Array(100_000).fill(1)
    expect(await topic.append(large, { expectedOffset: 0 })).toBe(0)
    expect(await codedFailureOf(() => topic.append(large, { expectedOffset: 0 }))).toMatchObject({ actual: 1 })
    expect(await topic.appendMany([large, large], { expectedOffset: 1 })).toEqual({ first: 1, count: 2 })
    // Far more than the ring holds at once: the right ones and the wrong ones take turns.
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, index) =>
        topic.append(new Uint8Array(5_000).fill(index), { expectedOffset: 3 + Math.floor(index / 2) }),
      ),
    )
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual(outcomes.map((_, index) => index % 2 === 0))
    const lengths = (await collect(topic.read())).map(({ value }) => value.length)
    expect(lengths).toEqual([...new Array(3).fill(100_000), ...new Array(30).fill(5_000)])
  })

  it('what was appended under an id is not appended again: the first offset is the answer', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    expect(await topic.append('a', { id: 'one', key: 'k', headers: { h: '1' } })).toBe(0)
    const outcomes = await Promise.all([
      topic.append('again', { id: 'one' }),
      topic.append('b'),
      topic.append('c', { id: 'two', expectedOffset: 2 }),
      // Written before: whatever it expects.
      topic.append('again', { id: 'two', expectedOffset: 2 }),
      topic.append('again', { id: 'two', expectedOffset: 0 }),
      topic.append('d', { id: 'One' }),
    ])
    expect(outcomes).toEqual([0, 1, 2, 2, 2, 3])
    expect(await topic.appendMany(['e', 'f'], { id: 'many' })).toEqual({ first: 4, count: 2 })
    expect(await topic.appendMany(['e', 'f'], { id: 'many' })).toEqual({ first: 4, count: 2 })
    // A condition that does not hold leaves no id behind.
    expect(await codedFailureOf(() => topic.append('no', { id: 'three', expectedOffset: 0 }))).toMatchObject({
      actual: 6,
    })
    expect(await topic.append('g', { id: 'three' })).toBe(6)
    // Another topic has ids of its own.
    expect(await log.topic(`${name}-other`, { codec: text }).append('a', { id: 'one' })).toBe(0)
    expect(await log.queue(`${name}-queue`, { codec: text }).push('a', { id: 'one' })).toBe(0)
    expect(await log.queue(`${name}-queue`, { codec: text }).push('b', { id: 'one' })).toBe(0)
    const all = await collect(topic.read())
    expect(all.map(({ value }) => value).join('')).toBe('abcdefg')
    expect([all[0].headers, all[0].keyText]).toEqual([{ h: '1', 'bookend-id': 'one' }, 'k'])
    expect(all[2].headers).toEqual({ 'bookend-id': 'two' })
    await expectMistake(() => topic.append('x', { id: 'y', headers: { 'bookend-id': 'z' } }), TypeError)
  })

  it('of many at once under one id one is written, and all are told where it stands', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name)
    const sizes = [10, 100_000, 700_000]
    for (const [round, size] of sizes.entries()) {
      const outcomes = await Promise.all(
        Array.from({ length: 6 }, () => topic.append(new Uint8Array(size), { id: `round ${round}` })),
      )
      expect(outcomes).toEqual(new Array(6).fill(round))
    }
    expect((await collect(topic.read())).map(({ value }) => value.length)).toEqual(sizes)
  })

  it('conditions that are none are refused before anything is written, and all by offers, which tell nobody', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    await expectMistake(() => topic.append('a', { expectedOffset: -1 }), RangeError)
    await expectMistake(() => topic.append('a', { expectedOffset: 0.5 }), RangeError)
    await expectMistake(() => topic.append('a', { expectedOffset: '0' as never }), TypeError)
    await expectMistake(() => topic.appendMany(['a'], { expectedOffset: null as never }), TypeError)
    await expectMistake(() => topic.offer('a', { expectedOffset: 0 }), TypeError)
    await expectMistake(() => topic.offer('a', { id: 'x' }), TypeError)
    await expectMistake(() => topic.append('a', { id: '' }), RangeError)
    await expectMistake(() => topic.append('a', { id: 'é'.repeat(513) }), RangeError)
    await expectMistake(() => topic.append('a', { id: '\ud800' }), RangeError)
    await expectMistake(() => topic.append('a', { id: 7 as never }), TypeError)
    await expectMistake(() => log.topic(name, { dedupe: { windowMs: 0 } }), RangeError)
    await expectMistake(() => log.topic(name, { dedupe: { max: 1.5 } }), RangeError)
    await expectMistake(() => log.topic(name, { dedupe: { window: 1 } as never }), TypeError)
    await expectMistake(() => log.queue(name).push(new Uint8Array(0), { expectedOffset: 0 } as never), TypeError)
    expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
  })
})
