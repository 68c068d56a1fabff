/** What comes again and again: each time once, over crashes, with one record that waits. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Repeat, RepeatRule } from '../../src/engine/terms.js'
import { entryOf } from '../../src/later/later-record.js'
import { nextTime } from '../../src/later/repeat-rule.js'
import { chunkOf } from '../../src/messages/chunk-builder.js'
import { headersOf, LaterLog, TestClock } from '../support/later-log.js'
import { Seeded, seedsFrom } from '../support/seeded.js'

const repeatOf = (rule: RepeatRule, text = 'v'): Repeat => ({
  ...{ topic: 't', name: 'n', rule, value: Buffer.from(text) },
  extras: { key: Buffer.from('k'), headers: Buffer.from('{"h":"1"}') },
})

async function settle(log: LaterLog): Promise<void> {
  for (let again = 0; again < 8; again++) {
    log.publish()
    await turn()
  }
}

/** Numbers of messages that wait by their records. */
function waiting(log: LaterLog): number[] {
  const ids = new Set<number>()
  for (const message of log.messages('.later')) {
    const cursor = chunkOf([message])
    cursor.next()
    const entry = entryOf(cursor)
    if (entry?.isCancel) ids.delete(entry.id)
    else if (entry !== undefined && entry.due > log.lastDue) ids.add(entry.id)
  }
  return [...ids]
}

for (const seed of seedsFrom(1, 20))
  it(`each time comes once, through crashes (seed ${seed})`, async () => {
    const random = new Seeded(seed)
    const clock = new TestClock()
    const rule = { everyMs: 10, missed: random.pick(['once', 'skip'] as const) }
    const limits = { inMemory: 3, perPage: 2 }
    let log = new LaterLog([], clock, limits)
    for (let life = 0; life < 5; life++) {
      let durable = log.groups.length
      // At each start of a program, as often as it likes.
      for (let again = 0; again < 2; again++) void log.repeats.set(repeatOf(rule), 'process')
      for (let step = random.below(60); step > 0; step--) {
        if (random.chance(0.3)) clock.pass(random.below(12))
        if (random.chance(0.1)) durable = log.groups.length
        log.publish(random.below(3))
        await turn()
      }
      log.die()
      const kept = durable + random.below(log.groups.length - durable + 1)
      log = new LaterLog(log.groups.slice(0, kept), clock, limits)
    }
    void log.repeats.set(repeatOf(rule), 'process')
    await settle(log)
    // What was missed comes first.
    for (let passed = 0; passed < 20; passed++) {
      clock.pass(1)
      await settle(log)
    }
    const before = log.messages('t').length
    for (let passed = 0; passed < 100; passed++) {
      clock.pass(1)
      await settle(log)
    }
    const delivered = log.messages('t')
    expect(delivered.length - before, 'one each 10 ms').toBe(10)
    for (const { value, extras } of delivered)
      expect([Buffer.from(value).toString(), Buffer.from(extras?.key ?? []).toString(), headersOf(extras)]).toEqual([
        'v',
        'k',
        { h: '1' },
      ])
    expect(waiting(log)).toHaveLength(1)
    expect(log.errors).toEqual([])
  })

it('another rule takes the place of the one before; what was missed comes once, or not at all; it can be ended', async () => {
  const clock = new TestClock()
  let log = new LaterLog([], clock, undefined)
  const texts = () => log.messages('t').map(({ value }) => Buffer.from(value).toString())
  const set = async (rule: RepeatRule, text: string) => {
    const done = log.repeats.set(repeatOf(rule, text), 'process')
    await settle(log)
    return done
  }
  const first = await set({ everyMs: 100, missed: 'once' }, 'a')
  expect(await set({ everyMs: 100, missed: 'once' }, 'a')).toEqual(first)
  expect((await set({ everyMs: 50, missed: 'once' }, 'b')).deliverAt).toBe(clock.time + 50)
  for (let passed = 0; passed < 120; passed++) {
    clock.pass(1)
    await settle(log)
  }
  expect(texts()).toEqual(['b', 'b'])
  const reopen = async () => {
    log.die()
    clock.pass(1_000)
    log = new LaterLog(log.groups, clock, undefined)
    clock.pass(0)
    await settle(log)
    clock.pass(0)
    await settle(log)
  }
  await reopen()
  expect(texts(), 'twenty were missed, one comes').toEqual(['b', 'b', 'b'])
  await set({ everyMs: 50, missed: 'skip' }, 'c')
  await reopen()
  expect(texts(), 'none of those that were missed').toEqual(['b', 'b', 'b'])
  for (let passed = 0; passed < 50; passed++) {
    clock.pass(1)
    await settle(log)
  }
  expect(texts().slice(3)).toEqual(['c'])
  const ended = log.repeats.end('t', 'n', 'process')
  await settle(log)
  expect(await ended).toBe(true)
  expect(await log.repeats.end('t', 'n', 'process')).toBe(false)
  for (let passed = 0; passed < 10; passed++) {
    clock.pass(100)
    await settle(log)
  }
  expect(texts().slice(3)).toEqual(['c'])
})

it('rules of cron are of their zone, through changes of its clock', () => {
  const rule = { cron: '30 2 * * *', timeZone: 'Europe/Berlin', missed: 'once' } as const
  // On the last Sunday of March the clock goes from 2 to 3; on that of October 2:30 comes twice.
  const march = Date.parse('2026-03-28T12:00:00Z')
  expect(new Date(nextTime(rule, march, march) ?? 0).toISOString()).toMatch(/^2026-03-29T01:/)
  const october = Date.parse('2026-10-24T23:00:00Z')
  const once = nextTime(rule, october, october) ?? 0
  expect(new Date(nextTime(rule, once, once) ?? 0).toISOString()).toBe('2026-10-26T01:30:00.000Z')
  expect(nextTime({ cron: '0 0 30 2 *', missed: 'once' }, 0, 0)).toBeUndefined()
  expect(nextTime({ everyMs: 10, missed: 'once' }, 100, 175)).toBe(180)
})

it('moves to another topic at one moment, and comes there alone', async () => {
  const clock = new TestClock()
  const log = new LaterLog([], clock, undefined)
  const rule = { everyMs: 50, missed: 'once' } as const
  const set = async (topic: string, insteadOf: string[]) => {
    const done = log.repeats.set({ ...repeatOf(rule, topic), topic, insteadOf }, 'process')
    await settle(log)
    return done
  }
  await set('t', ['u'])
  const before = log.groups.length
  const moved = await set('u', ['t'])
  expect(log.groups.slice(before).map(({ messages }) => messages.length)).toEqual([2])
  expect(await set('u', ['t'])).toEqual(moved)
  expect(log.groups).toHaveLength(before + 1)
  for (let passed = 0; passed < 120; passed++) {
    clock.pass(1)
    await settle(log)
  }
  expect([log.messages('t'), log.messages('u')].map(({ length }) => length)).toEqual([0, 2])
  const ended = Promise.all(['t', 'u'].map((topic) => log.repeats.end(topic, 'n', 'process')))
  await settle(log)
  expect(await ended).toEqual([false, true])
})
