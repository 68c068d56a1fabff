import { expect, it } from 'vitest'
import { frameBytes, frameExtensionBytes } from '../../src/format/frame-layout.js'
import { groupFitsSegment } from '../../src/format/segment-layout.js'
import { minSegmentBytes } from '../../src/limits.js'
import { segmentMessageBytes } from '../../src/local/local-options.js'

it.each([1, 2, 3, 128, 1000, 2047])(
  'the longest value of a segment of %d MiB fits, and none that is longer',
  (times) => {
    const segmentBytes = times * minSegmentBytes
    const fits = (value: number) => groupFitsSegment(segmentBytes, frameBytes(frameExtensionBytes + value), 1)
    const longest = segmentMessageBytes(segmentBytes)
    expect([longest % 64, fits(longest), fits(longest + 64)]).toEqual([0, true, false])
  },
)
