/**
 * Random lives of a log with scheduled messages, cut short at every step, with a clock that jumps: each message is delivered once, in its order, or was cancelled.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Ticket } from '../../src/engine/terms.js'
import { entryOf } from '../../src/later/later-record.js'
import { chunkOf } from '../../src/messages/chunk-builder.js'
import { LaterLog, TestClock } from './later-log.js'
import { Seeded } from './seeded.js'

const encoder = new TextEncoder()
const unreadable = new Error('no page can be read')

/** What the program knows of the message whose text is its number. */
interface Known {
  ticket: Ticket | undefined
  isCancelled: boolean | undefined
}

/** @returns how many were delivered. @throws what is wrong */
export async function liveScheduled(seed: number): Promise<number> {
  const random = new Seeded(seed)
  const clock = new TestClock()
  const limits = random.pick([undefined, { inMemory: 3, perPage: 2 }, { inMemory: 8, perPage: 3 }])
  const jumps = random.chance(0.5)
  const fails = random.chance(0.3)
  const open = (groups: LaterLog['groups']) => {
    const opened = new LaterLog(groups, clock, limits)
    opened.answersLater = true
    return opened
  }
  let log = open([])
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
      if (random.chance(0.6)) log.answer(1 + random.below(3))
      if (fails && random.chance(0.05)) {
        log.failure = { topic: '.due', error: unreadable }
        await goOn(() => random.below(8))
        log.failure = undefined
        // It is tried again after a while, and something is delivered behind.
        if (random.chance(0.5)) await goOn(() => 500)
      }
      if (random.chance(0.7)) await turn()
    }
    log.die()
    const kept = durable + random.below(log.groups.length - durable + 1)
    log = open(log.groups.slice(0, random.chance(0.5) ? log.groups.length : kept))
  }
  // Until nothing waits any more: the longest delay, the jumps, and two times what is kept for its ids.
  for (let round = 0; round < 400; round++) {
    clock.pass(round < 300 ? 1 : 10_000)
    for (let again = 0; again < 4; again++) {
      log.publish()
      log.answer()
      await turn()
    }
  }
  for (const error of log.errors) if (error !== unreadable) throw error
  return check(log)

  async function goOn(passing: () => number): Promise<void> {
    for (let turns = 0; turns < 4; turns++) {
      clock.pass(passing())
      log.publish()
      log.answer()
      await turn()
    }
  }

  function schedule(at: LaterLog, due: number): void {
    const one: Known = { ticket: undefined, isCancelled: undefined }
    const number = known.push(one) - 1
    const value = encoder.encode(String(number))
    void at.scheduler
      .schedule({ topic: 't', value, extras: undefined, due: { at: due }, id: undefined }, 'process')
      .then((ticket) => {
        one.ticket = ticket
      })
      .catch(mayBeUnreadable)
  }

  function cancel(at: LaterLog, one: Known): void {
    const { ticket } = one
    if (ticket === undefined) return
    void at.scheduler
      .cancel('t', ticket, 'process')
      .then((isCancelled) => {
        one.isCancelled = isCancelled
      })
      .catch(mayBeUnreadable)
  }
}

/** Nothing is written then. */
function mayBeUnreadable(error: unknown): void {
  if (error !== unreadable) throw error
}

function check(log: LaterLog): number {
  const places = new Map<number, { text: string; due: number; order: number; id: number }>()
  const cancelled = new Set<number>()
  for (const message of log.messages('.later')) {
    const cursor = chunkOf([message])
    cursor.next()
    const entry = entryOf(cursor)
    if (entry === undefined) throw new Error('a record has no place')
    if (entry.isCancel) cancelled.add(entry.id)
    else places.set(entry.id, { ...entry, text: Buffer.from(message.value).toString() })
  }
  const delivered = log.messages('t').map(({ value }) => Buffer.from(value).toString())
  const once = new Set(delivered)
  if (once.size !== delivered.length) throw new Error('something is delivered twice')
  const placeOf = new Map([...places.values()].map((place) => [place.text, place]))
  for (const [id, { text, due, order }] of places) {
    if (!once.has(text) && !cancelled.has(id)) throw new Error(`${text} is not delivered`)
    // What is delivered out of turn is cancelled with that.
    if (due === order && once.has(text) && cancelled.has(id)) throw new Error(`${text} was cancelled, and is delivered`)
  }
  let last = { order: -1, id: -1 }
  for (const text of delivered) {
    const place = placeOf.get(text)
    if (place === undefined) throw new Error(`${text} was never scheduled`)
    if (place.due < place.order) continue
    if (place.order < last.order || (place.order === last.order && place.id < last.id))
      throw new Error(`${text} is delivered behind what is due later`)
    last = place
  }
  return delivered.length
}
