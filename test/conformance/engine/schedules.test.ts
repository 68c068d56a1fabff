/** Messages that are delivered later: once, in the order in which they come due, or not at all if they are cancelled. */
import { json, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, expectMistake } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

const farMs = 30 * 86_400_000

onEveryEngine(({ shared, supports }) => {
  if (!supports.transactions) {
    it('there are none', async () => {
      const { log, name } = await shared()
      expect(log.supports.schedules).toBe(false)
      const topic = log.topic(name, { codec: text })
      for (const call of [
        () => topic.schedule('a', { delayMs: 1 }),
        () => topic.cancel({ id: '0', deliverAt: 0 }),
        () => log.queue(name).push(new Uint8Array(1), { delayMs: 1 }),
        () => log.scheduled(),
      ])
        expect((await codedFailureOf(call)).code).toBe('BOOKEND_UNSUPPORTED')
      expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
    })
    return
  }

  it('is delivered once, in the order of due times, as it was scheduled, and seen by nobody before', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    const deliverAt = Date.now() + farMs
    const ticket = await topic.schedule('far', { deliverAt, key: 'k', headers: { a: 'b' } })
    expect(ticket).toEqual({ id: expect.any(String), deliverAt })
    expect(JSON.parse(JSON.stringify(ticket))).toEqual(ticket)
    const [soon, near] = [Date.now() + 30, Date.now() + 60]
    await log.transaction((tx) => {
      for (const [value, due] of [
        ['c', near],
        ['a', soon],
        ['b', soon],
      ] as const)
        tx.schedule(topic, value, { deliverAt: due, headers: { due: `${due}` } })
    })
    const found = await collect(topic.read({ follow: true, to: 3 }))
    expect(found.map(({ offset, value }) => [offset, value])).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
    ])
    for (const { headers, timestamp } of found)
      expect(timestamp, 'never before it is due').toBeGreaterThanOrEqual(Number(headers?.due))
    expect(await log.scheduled({ topic: name })).toEqual([
      {
        ...ticket,
        topic: name,
        key: new Uint8Array([107]),
        headers: { a: 'b' },
        value: new TextEncoder().encode('far'),
      },
    ])
    // What was delivered cannot be taken back; what waits can.
    const past = await topic.schedule('past', { deliverAt: 1 })
    await collect(topic.read({ follow: true, from: 3, to: 4 }))
    expect(await topic.cancel(past)).toBe(false)
    const cancelled = await Promise.all([topic.cancel(ticket), topic.cancel(ticket)])
    expect(cancelled.sort(), 'by one of them').toEqual([false, true])
    expect(await topic.cancel(ticket)).toBe(false)
    expect(await log.scheduled({ topic: name })).toEqual([])
    expect(await log.topics()).not.toContain('.later')
  })

  it('what is due already comes at once, and what is cancelled never', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    const kept = await topic.schedule('kept', { delayMs: farMs })
    const dropped = await topic.schedule('dropped', { delayMs: 200 })
    // On a machine that stands still for so long it is delivered.
    const isDropped = await topic.cancel(dropped)
    await topic.schedule('past', { deliverAt: new Date(0) })
    await topic.schedule('behind', { deliverAt: dropped.deliverAt + 1 })
    const values = []
    for await (const { value } of topic.read({ follow: true })) {
      values.push(value)
      if (values.includes('past') && values.includes('behind')) break
    }
    expect(values.includes('dropped')).toBe(!isDropped)
    expect(values.at(-1)).toBe('behind')
    for (const wrong of [
      { id: kept.id, deliverAt: kept.deliverAt + 1 },
      { id: '999999999', deliverAt: kept.deliverAt },
      { id: 'none', deliverAt: kept.deliverAt },
    ])
      expect(await topic.cancel(wrong), 'a ticket of nothing').toBe(false)
    expect(await log.topic(`${name}-other`).cancel(kept), 'of another topic').toBe(false)
    const all = []
    for await (const { id } of log.scheduled({ topic: name })) all.push(id)
    expect(all).toEqual([kept.id])
  })

  it('with an id it is scheduled once, and the topic knows the id when it is delivered', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    const first = await topic.schedule('one', { delayMs: 40, id: 'x' })
    expect(await topic.schedule('two', { delayMs: 5, id: 'x' })).toEqual(first)
    const [{ value, headers }] = await collect(topic.read({ follow: true, to: 1 }))
    expect([value, headers]).toEqual(['one', { 'bookend-id': 'x' }])
    expect(await topic.append('three', { id: 'x' })).toBe(0)
    expect(await topic.schedule('four', { delayMs: 5, id: 'x' })).toEqual(first)
    // Appended under the id: it is not delivered a second time.
    expect(await topic.append('five', { id: 'y' })).toBe(1)
    await topic.schedule('six', { delayMs: 1, id: 'y' })
    await topic.schedule('seven', { delayMs: 10 })
    expect((await collect(topic.read({ follow: true, to: 3 }))).map((message) => message.value)).toEqual([
      'one',
      'five',
      'seven',
    ])
  })

  it('in a transaction it waits if and only if that is written, with its acknowledgements', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: json })
    await topic.append({ try: 1 })
    const group = topic.group('g')
    for await (const delivery of group.consume()) {
      const refused = log.transaction((tx) => {
        tx.ack(delivery)
        tx.schedule(topic, 'never', { delayMs: 0 })
        tx.append(topic, 'never', { expectedOffset: 7 })
      })
      expect((await codedFailureOf(() => refused)).code).toBe('BOOKEND_CONFLICT')
      expect(await log.scheduled({ topic: name })).toEqual([])
      const { offsets } = await log.transaction((tx) => {
        tx.ack(delivery)
        tx.schedule(topic, { try: 2 }, { delayMs: 10, key: 'k' })
        tx.append(topic, 'done')
      })
      expect(offsets).toEqual([1])
      break
    }
    expect((await group.position()).committed).toBe(1)
    const found = await collect(topic.read({ follow: true, to: 3 }))
    expect(found.map(({ value, keyText }) => [value, keyText])).toEqual([
      [{ try: 1 }, undefined],
      ['done', undefined],
      [{ try: 2 }, 'k'],
    ])
  })

  it('a job that is pushed with a delay comes into the queue when it is due', async () => {
    const { log, name } = await shared()
    const queue = log.queue(name, { codec: text })
    const never = await queue.push('never', { deliverAt: Date.now() + farMs })
    expect(await queue.push('now')).toBe(0)
    await queue.push('later', { delayMs: 20 })
    expect(await queue.pop({ timeoutMs: 60_000 })).toBe('now')
    expect(await queue.pop({ timeoutMs: 60_000 })).toBe('later')
    expect(await queue.cancel(never)).toBe(true)
    expect(await queue.size()).toBe(0)
  })

  it('a message may count for a time only, from its delivery on, or up to a moment', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    await topic.schedule('over', { delayMs: 1, expiresAt: 5 })
    const deliverAt = Date.now() + 20
    await topic.schedule('long', { deliverAt, ttlMs: farMs })
    await log.transaction((tx) =>
      tx.schedule(topic, 'last', { deliverAt: deliverAt + 1, expiresAt: deliverAt + farMs }),
    )
    await log.queue(name).push(Buffer.from('due'), { deliverAt: 1, ttlMs: farMs })
    const found = await collect(topic.read({ follow: true, to: 4 }))
    expect(found.map(({ value }) => value).sort()).toEqual(['due', 'last', 'long'])
    const expiries = Object.fromEntries(
      found.map(({ value, headers }) => [value, Number(headers?.['bookend-expires'])]),
    )
    expect([expiries.long, expiries.last]).toEqual([deliverAt + farMs, deliverAt + farMs])
    expect(expiries.due).toBeGreaterThan(deliverAt - 1_000)
    const wrong = [{ ttlMs: 1, expiresAt: 1 }, { ttlMs: 0 }, { expiresAt: -1 }, { expiresAt: 'now' as never }]
    for (const option of wrong)
      await expect(topic.schedule('no', { delayMs: 1, ...option })).rejects.toThrow(/ttlMs|expiresAt/)
  })

  it('a job that repeats is pushed again and again, one under each id', async () => {
    const { log, name } = await shared()
    const queue = log.queue(name, { codec: text })
    const first = await queue.every('often', { everyMs: 5 }, 'tick', { key: 'k', headers: { h: '1' } })
    await queue.every('nightly', { cron: '0 3 * * *', timeZone: 'Europe/Berlin', missed: 'skip' }, 'report')
    expect(first.deliverAt).toBeGreaterThan(0)
    for (let times = 0; times < 3; times++) expect(await queue.pop({ timeoutMs: 60_000 })).toBe('tick')
    const [{ keyText, headers }] = await collect(log.topic(name).read({ to: 1 }))
    expect([keyText, headers]).toEqual(['k', { h: '1' }])
    const nightly = (await queue.repeats()).find(({ repeat }) => repeat?.id === 'nightly')
    expect(nightly).toMatchObject({
      topic: name,
      value: new TextEncoder().encode('report'),
      repeat: { rule: { cron: '0 3 * * *', timeZone: 'Europe/Berlin', missed: 'skip' } },
    })
    expect(
      await queue.every('nightly', { cron: '0 3 * * *', timeZone: 'Europe/Berlin', missed: 'skip' }, 'report'),
    ).toEqual({
      id: nightly?.id,
      deliverAt: nightly?.deliverAt,
    })
    const often = (await queue.repeats()).find(({ repeat }) => repeat?.id === 'often')
    expect(await queue.removeRepeat('often')).toBe(true)
    expect(await queue.removeRepeat('often')).toBe(false)
    expect(await queue.cancel(often ?? first), 'of what has ended').toBe(false)
    expect((await queue.repeats()).map(({ repeat }) => repeat?.id)).toEqual(['nightly'])
    expect(await queue.cancel(nightly ?? first), 'a ticket of one ends all').toBe(true)
    expect(await queue.repeats()).toEqual([])
    const old = await queue.every('yearly', { cron: '0 0 1 1 *' }, 'a')
    const ticket = await queue.every('yearly', { cron: '0 0 1 1 *' }, 'b')
    expect(await queue.cancel(old), 'of what another has taken the place of').toBe(false)
    expect([await queue.removeRepeat('yearly'), await queue.cancel(ticket)]).toEqual([true, false])
    for (const [rule, kind] of [
      [{}, TypeError],
      [{ cron: '0 3 * * *', everyMs: 5 }, TypeError],
      [{ cron: 'never' }, RangeError],
      [{ cron: '0 3 * * *', timeZone: 'Europe/Nowhere' }, RangeError],
      [{ everyMs: 5, timeZone: 'UTC' }, TypeError],
      [{ everyMs: 0 }, RangeError],
      [{ everyMs: 5, missed: 'all' as never }, RangeError],
    ] as const)
      await expectMistake(() => queue.every('wrong', rule, 'x'), kind)
  })

  it('mistakes are told before anything is written', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    const wrong: [() => unknown, typeof TypeError | typeof RangeError][] = [
      [() => topic.schedule('a', {}), TypeError],
      [() => topic.schedule('a', { delayMs: 1, deliverAt: 1 }), TypeError],
      [() => topic.schedule('a', undefined as never), TypeError],
      [() => topic.schedule('a', { delayMs: -1 }), RangeError],
      [() => topic.schedule('a', { delayMs: Number.NaN }), RangeError],
      [() => topic.schedule('a', { deliverAt: new Date('never') }), RangeError],
      [() => topic.schedule('a', { deliverAt: 1e16 }), RangeError],
      [() => topic.schedule('a', { delayMs: 1, expectedOffset: 0 } as never), TypeError],
      [() => topic.schedule('a', { delayMs: 1, headers: { 'bookend-later-topic': 'x' } }), TypeError],
      [() => topic.cancel({ id: 1, deliverAt: 1 } as never), TypeError],
      [() => topic.cancel(undefined as never), TypeError],
      [() => log.scheduled({ topic: '.later' }), RangeError],
      [
        () => log.queue(name).push(new Uint8Array(1), { delayMs: 1, signal: AbortSignal.timeout(1) } as never),
        TypeError,
      ],
    ]
    for (const [call, kind] of wrong) await expectMistake(call, kind)
    expect(await log.scheduled({ topic: name })).toEqual([])
    const { facts } = log as unknown as { facts?: { maxMessageBytes: number } }
    const large = 'x'.repeat((facts?.maxMessageBytes ?? 16 << 20) + 1)
    expect((await codedFailureOf(() => topic.schedule(large, { delayMs: 1 }))).code).toBe('BOOKEND_TOO_LARGE')
  })
})
