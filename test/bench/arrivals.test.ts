import { expect, it } from 'vitest'
import { type Clock, sendOnSchedule } from '../../bench/arrivals.js'
import { Latencies } from '../../bench/latency.js'

/** Time passes only where the test says so: a little with every turn. */
class TestClock implements Clock {
  us = 1_000_000
  /** Turns that take longer than the others. */
  readonly stalls = new Map<number, number>()
  #turns = 0

  nowUs(): number {
    return this.us
  }

  async turn(): Promise<void> {
    this.us += this.stalls.get(this.#turns++) ?? 10
  }
}

it('a message is sent as soon as it is due, and not before', async () => {
  const clock = new TestClock()
  const start = clock.us
  const sent: [due: number, at: number][] = []
  await sendOnSchedule(5, 10_000, (_index, dueUs) => sent.push([dueUs - start, clock.us - start]), clock)
  expect(sent).toEqual([
    [100, 100],
    [200, 200],
    [300, 300],
    [400, 400],
    [500, 500],
  ])
})

it('a stall does not move the schedule: all who were due meanwhile are late, each by its own delay', async () => {
  const clock = new TestClock()
  const start = clock.us
  // Right after the first message nothing runs for a millisecond, in which ten are due.
  clock.stalls.set(10, 1_000)
  const delays: number[] = []
  await sendOnSchedule(12, 10_000, (_index, dueUs) => delays.push(clock.us - dueUs), clock)
  expect(delays).toEqual([0, 900, 800, 700, 600, 500, 400, 300, 200, 100, 0, 0])
  // One turn behind the last message.
  expect(clock.us - start).toBe(1_210)
})

it('timing from the due time tells a stall, timing from the send hides it: coordinated omission', async () => {
  const clock = new TestClock()
  // One stall of 100 ms in a second: a tenth of all messages is due in it.
  clock.stalls.set(1_000, 100_000)
  const fromDue = new Latencies()
  const fromSend = new Latencies()
  const serviceUs = 5
  await sendOnSchedule(
    10_000,
    10_000,
    (_index, dueUs) => {
      fromDue.record(clock.us + serviceUs - dueUs)
      fromSend.record(serviceUs)
    },
    clock,
  )
  expect(fromSend.percentile(99.9)).toBeCloseTo(serviceUs, 1)
  // Delays in the stall go evenly from 100 ms to nothing, over a tenth of the messages.
  expect(fromDue.percentile(89)).toBeCloseTo(serviceUs, 0)
  expect(fromDue.percentile(95) / 1000).toBeCloseTo(50, 0)
  expect(fromDue.percentile(99) / 1000).toBeCloseTo(90, 0)
  expect(fromDue.percentile(99.9) / 1000).toBeCloseTo(99, 0)
})

it('histograms of several rounds are merged message by message, not averaged', () => {
  const fast = new Latencies()
  const slow = new Latencies()
  for (let index = 0; index < 900; index++) fast.record(10)
  for (let index = 0; index < 100; index++) slow.record(5_000)
  const all = Latencies.merge([fast.encode(), slow.encode()])
  expect(all.count).toBe(1_000)
  expect(all.percentile(50)).toBeCloseTo(10, 1)
  expect(all.percentile(90)).toBeCloseTo(10, 1)
  expect(all.percentile(91) / 1000).toBeCloseTo(5, 2)
  expect(all.summary()).toMatchObject({ samples: 1_000 })
})
