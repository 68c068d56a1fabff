/** Appends that are written only if the last message with their key is the one that the caller thinks it is. */
import { type AppendOptions, type Log, type Topic, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, expectMistake } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

/** One checksum. */
const [plumless, buckeroo] = ['plumless', 'buckeroo']

onEveryEngine(({ shared, supports }) => {
  const topicFor = async (): Promise<{ log: Log; topic: Topic<string> } | undefined> => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    if (log.supports.expectedVersion) return { log, topic }
    const error = await codedFailureOf(() => topic.append('a', { key: 'k', expectedVersion: 'none' }))
    expect(error.code).toBe('BOOKEND_UNSUPPORTED')
    expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
    return undefined
  }

  it('is written where the version is the expected one, and else a conflict that says what is and leaves nothing', async () => {
    const { topic } = (await topicFor()) ?? {}
    if (topic === undefined) return
    const refused = async (options: AppendOptions, actual: number | 'none') => {
      const { next } = await topic.bounds()
      const { expectedVersion: expected } = options
      for (const call of [() => topic.append('no', options), () => topic.appendMany(['no', 'no'], options)])
        expect(await codedFailureOf(call)).toMatchObject({
          code: 'BOOKEND_CONFLICT',
          topic: topic.name,
          expected,
          actual,
        })
      expect(await topic.bounds()).toEqual({ first: 0, next })
    }
    await refused({ key: plumless, expectedVersion: 0 }, 'none')
    await refused({ key: plumless, expectedVersion: 'exists' }, 'none')
    expect(await topic.append('a', { key: plumless, expectedVersion: 'none' })).toBe(0)
    await refused({ key: plumless, expectedVersion: 'none' }, 0)
    // Others, with keys that look the same, and without.
    expect(await topic.append('b', { key: buckeroo, expectedVersion: 'none' })).toBe(1)
    expect(await topic.append('c')).toBe(2)
    expect(await topic.append('d', { key: plumless, expectedVersion: 0, headers: { h: '1' } })).toBe(3)
    await refused({ key: plumless, expectedVersion: 0 }, 3)
    await refused({ key: buckeroo, expectedVersion: 3 }, 1)
    expect(await topic.appendMany(['e', 'f'], { key: buckeroo, expectedVersion: 'exists' })).toEqual({
      first: 4,
      count: 2,
    })
    await refused({ key: buckeroo, expectedVersion: 4 }, 5)
    expect(await topic.append('g', { key: buckeroo, expectedVersion: 5, expectedOffset: 6 })).toBe(6)
    const all = await collect(topic.read())
    expect(all.map(({ value, keyText }) => `${value} ${keyText}`)).toEqual([
      ...['a plumless', 'b buckeroo', 'c undefined', 'd plumless'],
      ...['e buckeroo', 'f buckeroo', 'g buckeroo'],
    ])
  })

  it('of many that expect one version one is written, and each of the others hears what is there; other keys are in nobody’s way', async () => {
    const { topic } = (await topicFor()) ?? {}
    if (topic === undefined) return
    for (let round = 0; round < 6; round++) {
      const { next } = await topic.bounds()
      const last = [plumless, buckeroo].map((key) => topic.last(key))
      const versions = (await Promise.all(last)).map((message) => message?.offset ?? ('none' as const))
      const calls = Array.from({ length: 20 }, (_, index) => {
        const which = index % 2
        const key = [plumless, buckeroo][which]
        return topic.append(`${index}`, { key, expectedVersion: versions[which] })
      })
      const noise = Array.from({ length: 20 }, (_, index) => topic.append('noise', { key: `other ${index}` }))
      const outcomes = await Promise.allSettled(calls)
      await Promise.all(noise)
      for (const which of [0, 1]) {
        const own = outcomes.filter((_, index) => index % 2 === which)
        const [written] = own.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
        for (const outcome of own)
          if (outcome.status === 'rejected')
            expect(outcome.reason).toMatchObject({
              code: 'BOOKEND_CONFLICT',
              expected: versions[which],
              actual: written,
            })
        expect(own.filter(({ status }) => status === 'fulfilled').length).toBe(1)
      }
      expect((await topic.bounds()).next).toBe(next + 22)
    }
  })

  it('what was called before counts, awaited or not, and buffers may be used again', async () => {
    const { log, topic } = (await topicFor()) ?? {}
    if (log === undefined || topic === undefined) return
    const first = topic.append('a', { key: 'k' })
    const key = new TextEncoder().encode('k')
    const second = topic.append('b', { key, expectedVersion: 'exists' })
    key.fill(0)
    expect([await first, await second]).toEqual([0, 1])
    expect((await topic.get(1))?.keyText).toBe('k')
    if (!supports.transactions) return
    // In a transaction as well, whose keys are looked up before it is written.
    const bytes = log.topic(topic.name)
    const [again, value] = [Buffer.from('k'), Buffer.from('c')]
    const third = log.transaction((tx) => tx.append(bytes, value, { key: again, expectedVersion: 1 }))
    again.fill(0)
    value.fill(0)
    expect(await third).toEqual({ offsets: [2] })
    expect(await topic.get(2)).toMatchObject({ keyText: 'k', value: 'c' })
  })

  it('with an id: what was written under it is the answer, whatever the version is by now', async () => {
    const { topic } = (await topicFor()) ?? {}
    if (topic === undefined) return
    const options = { key: 'k', expectedVersion: 'none', id: 'one' } as const
    expect(await topic.append('a', options)).toBe(0)
    expect(await topic.append('b', { key: 'k' })).toBe(1)
    expect(await topic.append('a', options)).toBe(0)
    const other = await codedFailureOf(() => topic.append('a', { ...options, id: 'two' }))
    expect(other).toMatchObject({ expected: 'none', actual: 1 })
    expect(await topic.append('c', { key: 'k', expectedVersion: 1, id: 'two' })).toBe(2)
  })

  it('in a transaction: versions of several keys and topics, all of them as they were before it', async () => {
    const { log, topic } = (await topicFor()) ?? {}
    if (log === undefined || topic === undefined || !supports.transactions) return
    const other = log.topic(`${topic.name}-other`, { codec: text })
    await topic.appendMany(['a', 'b'], { key: 'x' })
    const move = (version: number) =>
      log.transaction((tx) => {
        tx.append(topic, 'c', { key: 'x', expectedVersion: version })
        tx.append(topic, 'd', { key: 'y', expectedVersion: 'none' })
        tx.append(other, 'e', { key: 'x', expectedVersion: 'none' })
        tx.append(topic, 'f', { key: 'x' })
      })
    expect(await codedFailureOf(() => move(0))).toMatchObject({ topic: topic.name, expected: 0, actual: 1 })
    const both = await Promise.allSettled([move(1), move(1)])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect((await collect(topic.read())).map(({ value }) => value).join('')).toBe('abcdf')
    expect(await other.bounds()).toEqual({ first: 0, next: 1 })
    await expectMistake(
      () =>
        log.transaction((tx) => {
          tx.append(topic, 'g', { key: 'x' })
          tx.append(topic, 'h', { key: 'x', expectedVersion: 4 })
        }),
      TypeError,
    )
    await expectMistake(
      () =>
        log.transaction((tx) => {
          tx.append(topic, 'g')
          tx.append(topic, 'h', { key: 'x', expectedVersion: 4 })
          tx.append(other, 'h', { key: 'y', expectedVersion: 'none' })
          tx.append(topic, 'i', { key: 'x', expectedVersion: 4 })
        }),
      TypeError,
    )
  })

  it('in a transaction of thousands of keys, each is the one that it should be, and the one that is not is told of', async () => {
    const { log, topic } = (await topicFor()) ?? {}
    if (log === undefined || topic === undefined || !supports.transactions) return
    // More than one look is for.
    const keys = Array.from({ length: 4_500 }, (_, index) => `key ${index}`)
    const put = (versions: readonly (number | 'none')[]) =>
      log.transaction((tx) => {
        keys.forEach((key, index) => {
          tx.append(topic, 'a', { key, expectedVersion: versions[index] })
        })
      })
    const absent = keys.map(() => 'none' as const)
    const { offsets } = await put(absent)
    expect(offsets).toEqual([...keys.keys()])
    expect(await codedFailureOf(() => put(absent))).toMatchObject({ code: 'BOOKEND_CONFLICT', actual: 0 })
    const last = keys.length - 1
    const stale = offsets.map((offset) => (offset === last ? 7 : offset))
    expect(await codedFailureOf(() => put(stale))).toMatchObject({ expected: 7, actual: last })
    await put(offsets)
    expect(await topic.bounds()).toEqual({ first: 0, next: 2 * keys.length })
  })

  it('versions that are none are refused before anything is written', async () => {
    const { topic } = (await topicFor()) ?? {}
    if (topic === undefined) return
    await expectMistake(() => topic.append('a', { expectedVersion: 'none' }), TypeError)
    await expectMistake(() => topic.append('a', { key: 'k', expectedVersion: 'some' as never }), TypeError)
    await expectMistake(() => topic.append('a', { key: 'k', expectedVersion: -1 }), RangeError)
    await expectMistake(() => topic.appendMany([], { key: 'k', expectedVersion: 'none' }), TypeError)
    await expectMistake(() => topic.offer('a', { key: 'k', expectedVersion: 'none' }), TypeError)
    expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
  })
})
