/** Messages of several topics and numbers of registers that come to be at one moment, or not at all. */
import { json, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, expectMistake } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ shared, open, supports }) => {
  if (!supports.transactions) {
    it('there are none', async () => {
      expect((await shared()).log.supports.transactions).toBe(false)
    })
    return
  }

  it('all of a transaction is there when it resolves, in each topic in the order of the calls', async () => {
    const { log, name } = await shared()
    const [a, b] = [log.topic(`${name}-a`, { codec: text }), log.topic(`${name}-b`, { codec: json })]
    await a.append('before')
    const { offsets } = await log.transaction((tx) => {
      tx.append(a, 'one', { key: 'k', headers: { h: '1' } })
      tx.append(b, { two: 2 })
      tx.append(a, 'three', { expectedOffset: 2 })
      tx.append(b, 'four', { id: 'four' })
      tx.set(`${name}-r`, 7)
    })
    expect(offsets).toEqual([1, 0, 2, 1])
    expect((await collect(a.read())).map(({ value, keyText, headers }) => [value, keyText, headers])).toEqual([
      ['before', undefined, undefined],
      ['one', 'k', { h: '1' }],
      ['three', undefined, undefined],
    ])
    expect((await collect(b.read())).map(({ value }) => value)).toEqual([{ two: 2 }, 'four'])
    expect(await log.register(`${name}-r`)).toBe(7)
    // The id is one of the topic's from now on.
    expect(await b.append('again', { id: 'four' })).toBe(1)
    expect(await log.topics()).not.toContain(`.r.${name}-r`)
    expect((await log.topics()).filter((each) => each.startsWith('.'))).toEqual([])
  })

  it('where one condition does not hold, nothing of it is there: no message, no id, no number', async () => {
    const { log, name } = await shared()
    const [a, b] = [log.topic(`${name}-a`, { codec: text }), log.topic(`${name}-b`, { codec: text })]
    await a.append('zero', { id: 'zero' })
    for (const [options, expected] of [
      [{ expectedOffset: 3 }, { topic: a.name, expected: 3, actual: 2 }],
      [{ id: 'zero' }, { topic: a.name, actual: 0 }],
    ] as const) {
      const failing = log.transaction((tx) => {
        tx.append(b, 'no', { id: 'no' })
        tx.append(a, 'no', { expectedOffset: 1 })
        tx.append(a, 'no', options)
        tx.set(`${name}-r`, 1)
      })
      expect(await codedFailureOf(() => failing)).toMatchObject({ code: 'BOOKEND_CONFLICT', ...expected })
      expect([await a.bounds(), await b.bounds(), await log.register(`${name}-r`)]).toEqual([
        { first: 0, next: 1 },
        { first: 0, next: 0 },
        undefined,
      ])
    }
    expect(await b.append('yes', { id: 'no' })).toBe(0)
  })

  it('nothing is written before build has returned, and nothing at all if it throws', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    const error = new Error('no')
    let late: Parameters<Parameters<typeof log.transaction>[0]>[0] | undefined
    const failing = log.transaction(async (tx) => {
      tx.append(topic, 'a')
      late = tx
      await topic.append('meanwhile')
      expect((await topic.bounds()).next).toBe(1)
      throw error
    })
    await expect(failing).rejects.toBe(error)
    expect((await topic.bounds()).next).toBe(1)
    await expectMistake(() => late?.append(topic, 'late'), TypeError)
    await expectMistake(() => late?.set('r', 1), TypeError)
    expect(await log.transaction(() => {})).toEqual({ offsets: [] })
  })

  it('mistakes are told before anything is written', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    const other = (await open()).topic(name, { codec: text })
    await expectMistake(() => log.transaction('x' as never), TypeError)
    await expectMistake(() => log.transaction((tx) => tx.append('x' as never, 'a')), TypeError)
    await expectMistake(() => log.transaction((tx) => tx.append(other, 'a')), TypeError)
    await expectMistake(
      () => log.transaction((tx) => tx.append(topic, 'a', { durability: 'process' } as never)),
      TypeError,
    )
    await expectMistake(() => log.transaction((tx) => tx.set('', 1)), RangeError)
    await expectMistake(() => log.transaction((tx) => tx.set('r', -1)), RangeError)
    await expectMistake(() => log.transaction((tx) => tx.set('r', 2 ** 53)), RangeError)
    await expectMistake(() => log.register('.r'), RangeError)
    await expectMistake(() => log.producer('a b'), RangeError)
    expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
  })

  it('buffers are the caller’s again as soon as a call has returned, whatever it waits for', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name)
    const [value, key] = [new Uint8Array(3), new Uint8Array(1)]
    /** What was right when it was called is not there any more when it is written. */
    const spoilt = <R>(call: () => R): R => {
      value.fill(7)
      key.fill(107)
      const result = call()
      value.fill(9)
      key.fill(109)
      return result
    }
    await spoilt(() => topic.append(value, { key }))
    await spoilt(() => topic.append(value, { key, expectedVersion: 'exists' }))
    await spoilt(() => topic.appendMany([value, value], { key, expectedVersion: 'exists' }))
    await log.transaction((tx) => {
      spoilt(() => tx.append(topic, value, { key }))
      spoilt(() => tx.append(topic, value, { key }))
    })
    await log.transaction(async (tx) => {
      spoilt(() => tx.append(topic, value, { key, id: 'a' }))
      spoilt(() => tx.schedule(topic, value, { key, delayMs: 0 }))
      await undefined
    })
    await spoilt(() => log.producer(`${name}-p`).append(topic, value, 1, { key }))
    await spoilt(() => topic.schedule(value, { key, delayMs: 0 }))
    const found: string[] = []
    for await (const message of topic.read({ follow: true })) {
      found.push(`${message.value} ${message.keyText}`)
      if (found.length === 10) break
    }
    expect(new Set(found)).toEqual(new Set(['7,7,7 k']))
  })

  it('a register is what was set last, rising or falling, as large as numbers are', async () => {
    const { log, name } = await shared()
    expect(await log.register(name)).toBeUndefined()
    for (const value of [0, 5, 3, 2 ** 32, 2 ** 53 - 2, 1]) {
      await log.transaction((tx) => {
        tx.set(name, 9)
        tx.set(name, value)
      })
      expect(await log.register(name)).toBe(value)
    }
    const all = Array.from({ length: 50 }, (_, value) => log.transaction((tx) => tx.set(name, value)))
    await Promise.all(all)
    if (supports.callOrder) expect(await log.register(name)).toBe(49)
  })

  it('of transactions that read and write one number, those that come too late are told', async () => {
    const { log, name } = await shared()
    const account = log.topic(name, { codec: json })
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        log.transaction((tx) => {
          tx.append(account, index, { expectedOffset: 0 })
          tx.set(name, index)
        }),
      ),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(1)
    const [{ value }] = await collect(account.read())
    expect(await log.register(name)).toBe(value)
  })

  it('what does not fit the ring is written whole, and what no segment holds is refused', async () => {
    const log = await open({ ringBytes: 64 << 10 })
    const topics = Array.from({ length: 30 }, (_, index) => log.topic(`t${index}`))
    const value = new Uint8Array(10_000).fill(1)
    const { offsets } = await log.transaction((tx) => {
      for (const topic of topics) for (let index = 0; index < 2; index++) tx.append(topic, value)
      tx.set('r', 1)
    })
    expect(offsets).toEqual(topics.flatMap(() => [0, 1]))
    for (const topic of topics)
      expect((await collect(topic.read())).map((each) => each.value.length)).toEqual([10_000, 10_000])
    expect(await log.register('r')).toBe(1)
    // In whatever order they are given, and with a condition of one of them.
    const mixed = await log.transaction((tx) => {
      for (let index = 0; index < 10; index++)
        for (const topic of [1, 2, 1]) tx.append(topics[topic], value, index === 5 ? { id: `${topic}` } : undefined)
    })
    const inTurn = Array.from({ length: 10 }, (_, index) => [2 * index + 2, index + 2, 2 * index + 3])
    expect(mixed.offsets).toEqual(inTurn.flat())
    const tooLarge = log.transaction((tx) => {
      for (let index = 0; index < 200; index++) tx.append(topics[0], value)
    })
    expect((await codedFailureOf(() => tooLarge)).code).toBe('BOOKEND_TOO_LARGE')
    // Many at once: what the ring has no room for waits, and keeps its order.
    const many = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        log.transaction((tx) => {
          tx.append(topics[0], new Uint8Array(3_000).fill(index))
          tx.append(topics[1], new Uint8Array(3_000).fill(index))
        }),
      ),
    )
    expect(many.map((each) => each.offsets)).toEqual(many.map((_, index) => [2 + index, 22 + index]))
  })

  it('a producer writes each sequence once, whatever comes again, and remembers the last', async () => {
    const { log, name } = await shared()
    const [a, b] = [log.topic(`${name}-a`, { codec: text }), log.topic(`${name}-b`, { codec: text })]
    const producer = log.producer(name)
    expect(await producer.last()).toBe(-1)
    expect(await producer.append(a, 'zero', 0)).toBe(0)
    expect(await producer.append(a, 'zero', 0)).toBeUndefined()
    expect(await producer.append(b, 'ten', 10, { key: 'k' })).toBe(0)
    expect(await producer.append(a, 'five', 5)).toBeUndefined()
    expect(await producer.append(a, 'large', 2 ** 40)).toBe(1)
    expect(await producer.last()).toBe(2 ** 40)
    expect(await log.producer(`${name}-other`).append(a, 'other', 3)).toBe(2)
    // A condition that does not hold leaves the number where it is.
    const conflict = await codedFailureOf(() => producer.append(a, 'no', 2 ** 41, { expectedOffset: 0 }))
    expect(conflict).toMatchObject({ code: 'BOOKEND_CONFLICT', topic: a.name, actual: 3 })
    expect(await producer.last()).toBe(2 ** 40)
    expect(await log.register(name)).toBeUndefined()
    expect((await collect(a.read())).map(({ value }) => value)).toEqual(['zero', 'large', 'other'])
    await expectMistake(() => producer.append(a, 'x', -1), RangeError)
    await expectMistake(() => producer.append(a, 'x', 1.5), RangeError)
    await expectMistake(() => producer.append({} as never, 'x', 1), TypeError)
  })

  it.runIf(supports.callOrder)(
    'a producer need not wait for one call before the next, and repeats all it is not sure of',
    async () => {
      const { log, name } = await shared()
      const topic = log.topic(name, { codec: json })
      const producer = log.producer(name)
      const sequences = Array.from({ length: 200 }, (_, index) => index)
      const first = await Promise.all(sequences.slice(0, 150).map((each) => producer.append(topic, each, each)))
      expect(first).toEqual(sequences.slice(0, 150))
      const second = await Promise.all(sequences.slice(100).map((each) => producer.append(topic, each, each)))
      expect(second).toEqual(sequences.slice(100).map((each) => (each < 150 ? undefined : each)))
      expect((await collect(topic.read())).map(({ value }) => value)).toEqual(sequences)
    },
  )

  it.runIf(supports.callOrder)('a transaction that has nothing to wait for stands where it was called', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    const before = topic.append('before')
    const written = log.transaction((tx) => tx.append(topic, 'in it'))
    const after = topic.append('after')
    expect([await before, await written, await after]).toEqual([0, { offsets: [1] }, 2])
  })

  it('of many topics, in any order, each message is told its own offset', async () => {
    const { log, name } = await shared()
    const topics = Array.from({ length: 20 }, (_, index) => log.topic(`${name}-${index}`, { codec: json }))
    const order = Array.from({ length: 100 }, (_, index) => (index * 7 + (index >> 3)) % topics.length)
    const { offsets } = await log.transaction((tx) => {
      for (const [index, each] of order.entries()) tx.append(topics[each], index)
    })
    const found = await Promise.all(order.map((each, index) => topics[each].get(offsets[index])))
    expect(found.map((message) => message?.value)).toEqual([...order.keys()])
  })

  it('deliveries are done with what a transaction writes, and stay held where it is refused', async () => {
    const { log, name } = await shared()
    const [from, to] = [log.topic(`${name}-from`, { codec: json }), log.topic(`${name}-to`, { codec: json })]
    for (let index = 0; index < 6; index++) await from.append(index)
    const group = from.group('g')
    const deliveries = group.consume()
    const held = []
    for (let index = 0; index < 6; index++) held.push((await deliveries.next()).value)
    const [zero, one, two, three, four] = held
    const { offsets } = await log.transaction((tx) => {
      tx.append(to, 'of two and three')
      tx.ack(three)
      tx.ack(two)
    })
    expect(offsets).toEqual([0])
    expect(await group.position()).toMatchObject({ committed: 0, lag: 4 })
    // Nothing of it: the message, and the acknowledgement.
    const refused = log.transaction((tx) => {
      tx.append(to, 'no', { expectedOffset: 7 })
      tx.ack(zero)
    })
    expect((await codedFailureOf(() => refused)).code).toBe('BOOKEND_CONFLICT')
    expect(await group.position()).toMatchObject({ committed: 0, lag: 4 })
    // Twice is a conflict, whoever does it, and leaves nothing behind.
    for (const again of [two, three]) {
      const twice = log.transaction((tx) => {
        tx.append(to, 'no')
        tx.ack(again)
        tx.ack(zero)
      })
      expect((await codedFailureOf(() => twice)).code).toBe('BOOKEND_CONFLICT')
    }
    await log.transaction((tx) => {
      tx.append(to, 'of zero')
      tx.ack(zero)
    })
    await one.ack()
    expect(await group.position()).toMatchObject({ committed: 4, lag: 2 })
    // What is held on can be given back, and done in a transaction by who gets it then.
    await four.nack()
    const fourAgain = (await deliveries.next()).value
    expect([fourAgain.value, fourAgain.attempt]).toEqual([4, 2])
    await log.transaction((tx) => tx.ack(fourAgain))
    expect(await group.position()).toMatchObject({ committed: 5, lag: 1 })
    expect((await collect(to.read())).map(({ value }) => value)).toEqual(['of two and three', 'of zero'])
    await deliveries.return?.()
  })

  it('of two transactions that acknowledge one message at the same time one is written', async () => {
    const { log, name } = await shared()
    const [from, to] = [log.topic(`${name}-from`), log.topic(`${name}-to`, { codec: json })]
    await from.append(new Uint8Array(1))
    const deliveries = from.group('g').consume()
    const { value: delivery } = await deliveries.next()
    const outcomes = await Promise.allSettled(
      [1, 2, 3].map((each) =>
        log.transaction((tx) => {
          tx.append(to, each)
          tx.ack(delivery)
        }),
      ),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(1)
    expect((await collect(to.read())).length).toBe(1)
    await deliveries.return?.()
  })

  it('a group is committed up to an offset, wherever it was, and a move of it means more than what was delivered before', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: json })
    for (let index = 0; index < 10; index++) await topic.append(index)
    const group = topic.group('g')
    await log.transaction((tx) => {
      tx.commit(group, 4)
      tx.set(`${name}-at`, 4)
    })
    expect([await group.position(), await log.register(`${name}-at`)]).toMatchObject([{ committed: 4, lag: 6 }, 4])
    const deliveries = group.consume()
    const { value: four } = await deliveries.next()
    expect(four.value).toBe(4)
    await log.transaction((tx) => tx.commit(group, 2))
    expect(await group.position()).toMatchObject({ committed: 4 })
    await group.seek(1)
    const late = log.transaction((tx) => tx.ack(four))
    expect((await codedFailureOf(() => late)).code).toBe('BOOKEND_CONFLICT')
    expect(await group.position()).toMatchObject({ committed: 1, lag: 9 })
    await expectMistake(() => log.transaction((tx) => tx.commit(group, 11)), RangeError)
    await expectMistake(() => log.transaction((tx) => tx.commit({} as never, 1)), TypeError)
    // Whatever its prototype is.
    for (const fake of [{}, Object.create(Object.getPrototypeOf(four))])
      await expect(log.transaction((tx) => tx.ack(fake as never))).rejects.toThrow(/^ack\(\) takes a delivery/)
    await group.remove()
    await log.transaction((tx) => tx.commit(topic.group('g'), 3))
    expect(await topic.group('g').position()).toMatchObject({ committed: 3 })
    await deliveries.return?.()
  })
})
