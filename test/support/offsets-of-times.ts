import type { Topic } from 'bookend'
import { expect } from 'vitest'
import { collect } from '../scenarios/support.js'

/** A topic of 60 messages, appended at more than twenty times: each time leads to the first message of that time or later. */
export async function expectOffsetsOfTimes(topic: Topic<string>): Promise<void> {
  const times = (await collect(topic.read())).map(({ timestamp }) => timestamp)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect(new Set(times).size).toBeGreaterThan(20)
  const probes = times.flatMap((time) => [time - 1, time, time + 1])
  const wanted = (time: number) => {
    const index = times.findIndex((each) => each >= time)
    return index < 0 ? times.length : index
  }
  expect(await Promise.all(probes.map((time) => topic.offsetAt(time)))).toEqual(probes.map(wanted))
  expect(await topic.offsetAt(0)).toBe(0)
  expect(await topic.offsetAt(new Date(times[30]))).toBe(wanted(times[30]))
  expect(await topic.offsetAt(Date.now() + 1e9)).toBe(60)
  expect(await topic.offsetAt(-1)).toBe(0)
  expect((await collect(topic.read({ from: new Date(times[40]) })))[0].offset).toBe(wanted(times[40]))
}
