/** From when on a segment's age counts, whatever the clock has been through. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { preparedSegments } from '../../../src/limits.js'
import type { SegmentFiles } from '../../../src/storage/files/segment-files.js'
import { SegmentAges } from '../../../src/storage/life/segment-ages.js'

const ahead = 10 * 365 * 86_400_000

/** Segments that are filled one after the other, each at a moment, by a clock that is wrong at some of them. */
function history(errors: readonly number[], stepMs: number) {
  const filled: { fullAt: number; lastTime: number }[] = []
  const created = new Map<number, number>()
  let time = 0
  let made = 0
  errors.forEach((error, segment) => {
    const at = (segment + 1) * stepMs
    // Those ahead are made when the one before is left.
    for (; made <= segment + preparedSegments; made++) created.set(made, at - stepMs + error)
    time = Math.max(time, at + error)
    filled.push({ fullAt: at, lastTime: time })
  })
  const active = errors.length
  for (; made <= active + preparedSegments; made++) created.set(made, active * stepMs + (errors.at(-1) ?? 0))
  let looks = 0
  const files = {
    createdAt(segment: number) {
      looks += 1
      return created.get(segment)
    },
  } as unknown as SegmentFiles
  return { filled, active, files, now: active * stepMs, looks: () => looks }
}

describe('the age of a segment', () => {
  it('counts from its newest message where the clock was right', () => {
    const { filled, active, files, now } = history([0, 0, 0, 0, 0], 1_000)
    const ages = new SegmentAges(files)
    expect(filled.map(({ lastTime }, segment) => ages.since(segment, lastTime, now, active))).toEqual(
      filled.map(({ fullAt }) => fullAt),
    )
  })

  it('counts, after a clock was ahead, from when segments were made that came next', () => {
    const { filled, active, files, now } = history([0, ahead, ahead, 0, 0, 0, 0, 0], 1_000)
    const ages = new SegmentAges(files)
    const since = filled.map(({ lastTime }, segment) => ages.since(segment, lastTime, now, active))
    // The third was full before the clock was put right; the file made next says when that was, at the latest.
    expect(since.slice(0, 6)).toEqual([1_000, 3_000, 3_000, 4_000, 5_000, 6_000])
  })

  it('counts from the moment that was noticed, where nothing was made since the clock was put right, and is not put off', () => {
    const { filled, active, files, now } = history([0, ahead, ahead], 1_000)
    const ages = new SegmentAges(files)
    for (const later of [0, 500, 90_000]) expect(ages.since(1, filled[1].lastTime, now + later, active)).toBe(now)
    // The next one is known to be as old, and one that was filled later is not.
    expect(ages.since(2, filled[2].lastTime, now + 90_000, active)).toBe(now)
    expect(ages.since(active, filled[2].lastTime, now + 95_000, active + 1)).toBe(now + 95_000)
    // Put back once more.
    expect(ages.since(active, filled[2].lastTime, now + 10, active + 1)).toBe(now + 10)
  })

  it('is never more than it is, nor less than it is known to be, for any clock that was ahead and is right again', () => {
    const errors = fc.array(fc.constantFrom(0, 0, 1, ahead), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(errors, fc.nat(20), (wrong, rightAgain) => {
        const all = [...wrong, ...Array<number>(rightAgain).fill(0)]
        const { filled, active, files, now, looks } = history(all, 1_000)
        const ages = new SegmentAges(files)
        for (const [segment, { fullAt, lastTime }] of filled.entries()) {
          for (let again = 0; again < 3; again++) {
            const since = ages.since(segment, lastTime, now, active)
            expect(since).toBeLessThanOrEqual(now)
            expect(since).toBeGreaterThanOrEqual(fullAt)
            // Segments that are made with the right clock say so.
            const known = (Math.max(segment, wrong.length) + preparedSegments + 1) * 1_000
            if (known < now) expect(since).toBeLessThanOrEqual(known)
          }
        }
        expect(looks()).toBeLessThanOrEqual(4 * (active + preparedSegments + 1))
      }),
    )
  })
})
