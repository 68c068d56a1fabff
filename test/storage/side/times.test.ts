import { expect, it, vi } from 'vitest'
import { encodeSideIndex, maxTimeSpan } from '../../../src/format/side-index-layout.js'
import { TopicEntries } from '../../../src/storage/index/topic-entries.js'
import { ownerOf, writeSideIndex } from '../../../src/storage/side/side-index-file.js'
import { SideIndexes } from '../../../src/storage/side/side-indexes.js'
import { TimeRows } from '../../../src/storage/side/time-rows.js'
import { Seeded } from '../../support/seeded.js'
import { keyedLog, putSideIndex, readingOf } from '../../support/side-indexed-log.js'

async function indexedLog() {
  const made = keyedLog(new Seeded(11))
  const { world, log, given } = made
  await log.index()
  const sealed = log.files.segmentOf(log.indexed)
  for (let segment = 0; segment < sealed; segment++) await putSideIndex(made, segment, {})
  const end = log.catalog.stretches(0, 0, given.length)[sealed - 1].end
  const { topics } = readingOf(made)
  return { made, world, log, given, end, sealed, offsetAt: (time: number) => topics.offsetAt(0, time, 0, given.length) }
}

it('a time is found by one read of a page of the side index, or two at the first question, and nothing else', async () => {
  const { world, log, given, end, offsetAt } = await indexedLog()
  let reads = 0
  const { open } = world.disk
  world.disk.open = (path, mode) => {
    const file = open.call(world.disk, path, mode)
    return (
      file && {
        ...file,
        read(at, length) {
          reads += 1
          return file.read(at, length)
        },
      }
    )
  }
  const segments = [vi.spyOn(log.readWindows, 'with'), vi.spyOn(log.catalog, 'stretches')]
  const asked = new Set<number>()
  const all: number[] = []
  for (let offset = 50; offset < end; offset += 50) {
    reads = 0
    const { time } = given[offset]
    expect(offsetAt(time)).toBe(given.findIndex((each) => each.time >= time))
    const segment = log.catalog.sealedFrom(0, offset)?.segment as number
    expect(reads).toBeLessThanOrEqual(asked.has(segment) ? 1 : 2)
    asked.add(segment)
    all.push(time)
  }
  expect(asked.size).toBeGreaterThan(1)
  // What was looked at is not read again.
  reads = 0
  for (const time of all) offsetAt(time)
  expect(reads).toBe(0)
  for (const each of segments) expect(each).not.toHaveBeenCalled()
})

it('one that leads out of its segment is not followed, whatever its checksums say', async () => {
  const { world, log, given, offsetAt } = await indexedLog()
  const footer = log.catalog.footerOf(0)
  const stretch = log.catalog.sealedFrom(0, 0)
  if (footer === undefined || stretch === undefined) throw new Error('the first segment is sealed')
  const section = { topic: 0, firstOffset: 0, records: stretch.end, firstTime: given[0].time }
  const rows = { rowWords: Uint32Array.of(0, 0, 1, stretch.end + 7) }
  world.disk.remove(log.files.sidePath(0))
  writeSideIndex(
    world.disk,
    log.files,
    0,
    encodeSideIndex(ownerOf(log.files, 0, footer), [], [{ ...section, ...rows }]),
  )
  const time = given[0].time + 1
  expect(new SideIndexes(world.disk, log.files).firstAtOrAfter(0, { ...stretch, footer }, time)).toBeUndefined()
  expect(offsetAt(time)).toBe(given.findIndex((each) => each.time >= time))
})

it('what comes too late after the first message of a segment is looked for in the segment', async () => {
  const { world, log } = await indexedLog()
  const stretch = log.catalog.sealedFrom(0, 0)
  const footer = log.catalog.footerOf(0)
  if (footer === undefined || stretch === undefined) throw new Error('the first segment is sealed')
  const entries = new TopicEntries(0, 0)
  const times = new TimeRows()
  const given = [1_000, 1_000, 4_000, 1_000 + maxTimeSpan - 1, 1_000 + maxTimeSpan, 1_000 + 2 * maxTimeSpan]
  given.forEach((time, ordinal) => {
    times.add(100 + 8 * ordinal, time)
    entries.add(ordinal, 100 + 8 * ordinal, 0, 0, 0)
  })
  const made = times.of(entries)
  expect(made).toMatchObject({ firstTime: 1_000, records: given.length })
  expect([...(made?.rowWords ?? [])].filter((_, word) => word % 2 === 1)).toEqual([0, 2, 3, 4])
  world.disk.remove(log.files.sidePath(0))
  const bytes = encodeSideIndex(ownerOf(log.files, 0, footer), [], made === undefined ? [] : [made])
  writeSideIndex(world.disk, log.files, 0, bytes)
  const sides = new SideIndexes(world.disk, log.files)
  const at = (time: number) => sides.firstAtOrAfter(0, { segment: 0, footer, first: 0, end: given.length }, time)
  expect([0, 1_000, 1_001, 4_001].map(at)).toEqual([0, 0, 2, 3])
  expect(at(1_000 + maxTimeSpan - 1)).toBe(3)
  expect(at(1_000 + maxTimeSpan)).toBeUndefined()
})

it('times that go back are not indexed', () => {
  const entries = new TopicEntries(0, 0)
  const times = new TimeRows()
  for (const [ordinal, time] of [5, 4].entries()) {
    times.add(100 + 8 * ordinal, time)
    entries.add(ordinal, 100 + 8 * ordinal, 0, 0, 0)
  }
  expect(times.of(entries)).toBeUndefined()
})
