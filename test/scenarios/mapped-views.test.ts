/** Handlers that work on the mapping itself, and keep what they must not keep. In processes of their own: a signal is a failure. */
import { expect, it } from 'vitest'
import { loadSystemCalls } from '../../src/memory/system-calls.js'
import { report, temporaryFolder } from './support.js'

const withNative = it.skipIf(!loadSystemCalls().isNative)

withNative(
  'lent memory outlives its window as zeros, and its addresses go when nobody can look at them any more',
  async () => {
    expect(await report('lent-memory.mjs', [], ['--expose-gc'])).toEqual({
      ...{
        before: 70_000,
        given: 0,
        isMapped: true,
        mapsFile: false,
        after: 0,
        length: 10_000,
        isMappedAfterwards: false,
      },
      ...{ movedIsMapped: true, movedSum: 0, movedLength: 10_000 },
      // One of the 64 that may wait is the one in the stream.
      ...{ unlentIsMapped: false, waiting: 63, mapsFileAtEnd: false, lendsAgain: true },
    })
  },
)

interface Found {
  processed: number
  failed: number
  wrong: number
  kept: number
  gone: number
  went: boolean
  segmentsBefore: number
  left: string[]
}

it.each(['mmap', 'file'])(
  'io %s: every view is right during the call, and what is kept longer is harmless',
  async (io) => {
    if (io === 'mmap' && !loadSystemCalls().isNative) return
    const found = await report<Found>('mapped-views.mjs', [temporaryFolder(), io])
    expect(found).toMatchObject({ processed: 2_010, failed: 1, wrong: 0, went: true, left: [] })
    expect(found.kept).toBeGreaterThan(100)
    if (io === 'mmap') {
      // All but those of the call that is telling.
      expect(found.gone).toBeGreaterThan(found.kept - 5)
      expect(found.segmentsBefore).toBeGreaterThan(0)
    } else expect(found.gone).toBe(0)
  },
)
