/** Random lives of a log with scheduled messages, cut short at every step: each message is delivered once, in its order, or was cancelled. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Ticket } from '../../src/engine/terms.js'
import { entryOf } from '../../src/later/later-record.js'
import { chunkOf } from '../../src/messages/chunk-builder.js'
import { LaterLog, TestClock } from '../support/later-log.js'
import { Seeded, seedsFrom } from '../support/seeded.js'

const encoder = new TextEncoder()

/** What the program knows of the message whose text is its number. */
interface Known {
  ticket: Ticket | undefined
  isCancelled: boolean | undefined
}

for (const seed of seedsFrom(1, 60))
  it(`delivers each once, through crashes and jumps of the clock (seed ${seed})`, async () => {
    const random = new Seeded(seed)
    const clock = new TestClock()
    const limits = random.pick([undefined, { inMemory: 3, perPage: 2 }, { inMemory: 8, perPage: 3 }])
    const jumps = random.chance(0.5)
    let log = new LaterLog([], clock, limits)
    const known: Known[] = []
    for (let life = 0; life < 4; life++) {
      let durable = log.groups.length
      const steps = random.below(120)
      for (let step = 0; step < steps; step++) {
        const what = random.below(12)
        if (what < 3) schedule(log, clock.time + random.below(40) - 3)
        else if (what === 3 && known.length > 0) cancel(log, known[random.below(known.length)])
        else if (what === 4) durable = log.groups.length
        else if (what < 8) clock.pass(random.below(8))
        else if (what === 8 && jumps) clock.time = Math.max(1_000, clock.time + random.below(60) - 40)
        else log.publish(1 + random.below(3))
        if (random.chance(0.7)) await turn()
      }
      log.die()
      const kept = durable + random.below(log.groups.length - durable + 1)
      log = new LaterLog(log.groups.slice(0, random.chance(0.5) ? log.groups.length : kept), clock, limits)
    }
    // Until nothing waits any more: the longest delay, the jumps, and two times what is kept for its ids.
    for (let round = 0; round < 400; round++) {
      clock.pass(round < 300 ? 1 : 10_000)
      for (let again = 0; again < 4; again++) {
        log.publish()
        await turn()
      }
    }
    expect(log.errors).toEqual([])
    check(log)

    function schedule(at: LaterLog, due: number): void {
      const one: Known = { ticket: undefined, isCancelled: undefined }
      const number = known.push(one) - 1
      const value = encoder.encode(String(number))
      void at.scheduler
        .schedule({ topic: 't', value, extras: undefined, due: { at: due }, id: undefined }, 'process')
        .then((ticket) => {
          one.ticket = ticket
        })
    }

    function cancel(at: LaterLog, one: Known): void {
      const { ticket } = one
      if (ticket === undefined) return
      void at.scheduler.cancel('t', ticket, 'process').then((isCancelled) => {
        one.isCancelled = isCancelled
      })
    }
  })

function check(log: LaterLog): void {
  const scheduled = new Map<number, string>()
  const cancelled = new Set<number>()
  const places = new Map<string, { order: number; id: number; due: number }>()
  for (const message of log.messages('.later')) {
    const cursor = chunkOf([message])
    cursor.next()
    const entry = entryOf(cursor)
    if (entry === undefined) throw new Error('every record has a place')
    const text = Buffer.from(message.value).toString()
    if (entry.isCancel) cancelled.add(entry.id)
    else {
      scheduled.set(entry.id, text)
      places.set(text, entry)
    }
  }
  const delivered = log.messages('t').map(({ value }) => Buffer.from(value).toString())
  expect(new Set(delivered).size, 'nothing is delivered twice').toBe(delivered.length)
  for (const [id, text] of scheduled) {
    const isOutOfTurn = (places.get(text)?.due ?? 0) < (places.get(text)?.order ?? 0)
    // What is delivered out of turn is cancelled with that.
    if (!isOutOfTurn)
      expect(delivered.includes(text), `${text} is delivered, or was cancelled`).toBe(!cancelled.has(id))
    else expect(delivered.includes(text) || cancelled.has(id)).toBe(true)
  }
  const inTurn = delivered
    .map((text) => places.get(text))
    .filter((place) => place !== undefined && place.due === place.order)
  const sorted = [...inTurn].sort((a, b) => (a?.order ?? 0) - (b?.order ?? 0) || (a?.id ?? 0) - (b?.id ?? 0))
  expect(inTurn, 'in the order of due times').toEqual(sorted)
}
