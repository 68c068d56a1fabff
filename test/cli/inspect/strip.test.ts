import { expect, it } from 'vitest'
import { stripOf } from '../../../src/cli/inspect/live.js'
import type { SegmentPagesView } from '../../../src/local/log-pages.js'

const bytes = 1 << 20
let position = 0

function segments(count: number, share: number, more: Partial<SegmentPagesView> = {}): SegmentPagesView[] {
  return Array.from({ length: count }, () => {
    position += bytes
    const none = { write: 0, read: 0 }
    return {
      ...{ position, file: `${position}.seg`, bytes, diskBytes: bytes, state: 'sealed' as const, packed: undefined },
      ...{ residentBytes: bytes * share, shares: [share], mappings: none },
      ...more,
    }
  })
}

const kinds = (parts: ReturnType<typeof stripOf>) =>
  parts.map((part) => (part.kind === 'run' ? `${part.count} ${part.isCold ? 'cold' : 'warm'}` : part.state))

it('draws both ends segment by segment, and the cold middle as one part, however long it is', () => {
  const all = [
    ...segments(1, 1, { mappings: { write: 0, read: 1 } }),
    ...segments(5_000, 0),
    ...segments(3, 0.9),
    ...segments(1, 1, { state: 'active', mappings: { write: 1, read: 0 } }),
    ...segments(1, 0, { state: 'prepared' }),
  ]
  const parts = stripOf(all)
  expect(kinds(parts)).toEqual(['sealed', '5000 cold', '3 warm', 'active', 'prepared'])
  expect(parts[1]).toMatchObject({ position: all[1].position, bytes: 5_000 * bytes, residentBytes: 0 })
  expect(parts[0]).not.toHaveProperty('file')
})

it('does not take a page that somebody has read for a warm segment', () => {
  expect(kinds(stripOf(segments(4, 0.01)))).toEqual(['4 cold'])
})

it('does not put together what is used, what cannot be told, or what is only two', () => {
  expect(kinds(stripOf(segments(3, 1, { mappings: { write: 0, read: 2 } })))).toHaveLength(3)
  expect(kinds(stripOf(segments(3, 0, { residentBytes: -1 })))).toHaveLength(3)
  expect(kinds(stripOf(segments(2, 0)))).toHaveLength(2)
})

it('says of a run what of it takes space on the disk, and how many of it are packed', () => {
  const packed = { packed: { codec: 'deflate', ratio: 8 }, diskBytes: bytes / 8 }
  const [run] = stripOf([...segments(2, 0, packed), ...segments(3, 0)])
  expect(run).toMatchObject({ count: 5, diskBytes: 3.25 * bytes, packed: 2 })
  expect(stripOf(segments(3, 0, { diskBytes: -1 }))[0]).toMatchObject({ diskBytes: -1, packed: 0 })
})
