import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide, letGoBy, type TopicShare, worthMoving, worthMovingShare } from '../../../src/storage/life/retention.js'

const retention = fc.record(
  { maxAgeMs: fc.integer({ min: 1, max: 1_000 }), maxBytes: fc.nat(1_000), consumed: fc.boolean() },
  { requiredKeys: [] },
)
const share: fc.Arbitrary<TopicShare> = fc.record({
  topic: fc.nat(100),
  end: fc.integer({ min: 1, max: 50 }),
  first: fc.nat(60),
  isMoved: fc.boolean(),
  bytesBehind: fc.nat(1_200),
  consumedTo: fc.option(fc.nat(60), { nil: undefined }),
  expiresAt: fc.oneof(fc.nat(2_000), fc.constant(Number.POSITIVE_INFINITY)),
  retention,
})
const shares = fc.array(share, { maxLength: 6 })
const time = fc.nat(2_000)

/** The rule once more, in the words of the documentation. */
function isNeeded(share: TopicShare, last: number, now: number) {
  const { end, first, isMoved, bytesBehind, consumedTo, expiresAt, retention } = share
  const isReadable = first < end && !isMoved
  const isOld = retention.maxAgeMs !== undefined && now - last >= retention.maxAgeMs
  const isTooMuch = retention.maxBytes !== undefined && bytesBehind >= retention.maxBytes
  const isConsumed = retention.consumed === true && consumedTo !== undefined && consumedTo >= end
  return isReadable && !isOld && !isTooMuch && !isConsumed && expiresAt > now
}

describe('a segment', () => {
  it('goes exactly when no topic in it needs it, and takes with it what could still be read', () => {
    fc.assert(
      fc.property(shares, time, time, (all, last, now) => {
        const verdict = decide(all, last, now, false)
        expect(verdict.verdict).toBe(all.some((each) => isNeeded(each, last, now)) ? 'keep' : 'delete')
        if (verdict.verdict === 'keep') {
          expect(isNeeded(verdict.neededBy, last, now)).toBe(true)
          return
        }
        const readable = all.filter(({ first, end, isMoved }) => first < end && !isMoved)
        expect(verdict.firsts).toEqual(readable.map(({ topic, end }) => [topic, end]))
      }),
    )
  })

  it('stays, whatever its age, size and groups, where nobody asked for retention and nothing expires', () => {
    fc.assert(
      fc.property(share, time, time, (each, last, now) => {
        const kept = { ...each, first: 0, isMoved: false, retention: {}, expiresAt: Number.POSITIVE_INFINITY }
        expect(decide([kept], last, now, false).verdict).toBe('keep')
      }),
    )
  })

  it('that time lets go at some time is let go then and ever after, and not a millisecond before', () => {
    fc.assert(
      fc.property(shares, time, time, (all, last, now) => {
        const verdict = decide(all, last, now, false)
        if (verdict.verdict === 'delete') {
          expect(decide(all, last, now + 1, false).verdict).toBe('delete')
        } else if (Number.isFinite(verdict.until)) {
          expect(letGoBy(verdict.neededBy, last, verdict.until)).toMatch(/^(age|expired)$/)
          expect(letGoBy(verdict.neededBy, last, verdict.until - 1)).toBe(undefined)
        }
      }),
    )
  })

  it('goes whatever its topics need when the disk is too full', () => {
    fc.assert(
      fc.property(shares, time, time, (all, last, now) => {
        expect(decide(all, last, now, true).verdict).toBe('delete')
      }),
    )
  })

  it('relies on groups only where nothing else lets it go', () => {
    fc.assert(
      fc.property(shares, time, time, (all, last, now) => {
        const verdict = decide(all, last, now, false)
        if (verdict.verdict === 'keep') return
        const without = all.map((each) => ({ ...each, consumedTo: undefined }))
        expect(verdict.isByConsumption).toBe(decide(without, last, now, false).verdict === 'keep')
      }),
    )
  })
})

describe('moving', () => {
  const live = fc.record({ topic: fc.nat(100), bytes: fc.nat(3_000), isBusy: fc.boolean() })
  it('writes a small part of a segment or nothing, and moves all who need it or none', () => {
    fc.assert(
      fc.property(fc.array(live, { maxLength: 5 }), fc.integer({ min: 1, max: 100_000 }), (needing, segmentBytes) => {
        const bytes = needing.reduce((sum, topic) => sum + topic.bytes, 0)
        const may = bytes <= segmentBytes * worthMovingShare && needing.every(({ isBusy }) => !isBusy)
        expect(worthMoving(needing, segmentBytes)).toEqual(may ? needing.map(({ topic }) => topic) : [])
      }),
    )
  })
})
