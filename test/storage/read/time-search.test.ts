import { expect, it } from 'vitest'
import { firstAtOrAfter } from '../../../src/storage/read/time-search.js'
import { Seeded } from '../../support/seeded.js'

/** Looks at times in an array, which show what stands beside within `reach` of the same time. */
function searched(times: readonly number[], time: number, reach: number, first = 0, end = times.length) {
  let looks = 0
  const runAt = (offset: number) => {
    expect(offset).toBeGreaterThanOrEqual(first)
    expect(offset).toBeLessThan(end)
    looks += 1
    let [from, to] = [offset, offset + 1]
    while (from > 0 && offset - from < reach && times[from - 1] === times[offset]) from -= 1
    while (to < times.length && to - offset < reach && times[to] === times[offset]) to += 1
    return { first: from, end: to, time: times[offset] }
  }
  const range = { first, end, firstTime: times[0] ?? 0, lastTime: times.at(-1) ?? 0 }
  return { found: firstAtOrAfter(range, time, runAt), looks: () => looks }
}

it('finds what a walk finds, however times are spread', () => {
  for (let seed = 1; seed <= 400; seed++) {
    const random = new Seeded(seed)
    let now = random.below(1_000)
    const burst = random.pick([0.01, 0.5, 0.99])
    const longest = random.pick([1, 3, 100_000])
    const times = Array.from({ length: random.below(300) }, () => {
      if (random.chance(burst)) now += random.below(longest + 1)
      return now
    })
    const first = random.below(times.length + 1)
    const end = first + random.below(times.length - first + 1)
    for (const time of [0, now + 1, now, ...Array.from({ length: 10 }, () => random.below(now + 2))]) {
      let wanted = first
      while (wanted < end && times[wanted] < time) wanted += 1
      expect(searched(times, time, random.pick([0, 5, 128]), first, end).found, `seed ${seed}`).toBe(wanted)
    }
  }
})

it('looks at few messages where they came evenly, and at not many more than halving would where not', () => {
  const count = 1 << 18
  const even = Array.from({ length: count }, (_, index) => Math.floor(index / 50))
  const late = Array.from({ length: count }, (_, index) => Math.floor(Math.exp(index / 20_000)) + index)
  const random = new Seeded(1)
  for (let round = 0; round < 100; round++) {
    expect(searched(even, random.below(count / 50), 128).looks()).toBeLessThanOrEqual(10)
    expect(searched(late, random.below(late[count - 1]), 128).looks()).toBeLessThanOrEqual(36)
  }
})

it('times at the ends that are wrong lead to more looks, and to nothing else', () => {
  const times = [5, 5, 6, 9, 20]
  const runAt = (offset: number) => ({ first: offset, end: offset + 1, time: times[offset] })
  for (const [firstTime, lastTime] of [
    [0, Number.POSITIVE_INFINITY],
    [100, 0],
    [7, 7],
  ])
    for (const [time, wanted] of [
      [0, 0],
      [5, 0],
      [6, 2],
      [10, 4],
      [21, 5],
    ])
      expect(firstAtOrAfter({ first: 0, end: 5, firstTime, lastTime }, time, runAt)).toBe(wanted)
})
