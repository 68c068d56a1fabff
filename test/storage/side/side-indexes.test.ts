import { expect, it, vi } from 'vitest'
import { tagOf } from '../../../src/format/key-tag.js'
import type { SegmentFooter } from '../../../src/format/segment-layout.js'
import { encodeSideIndex } from '../../../src/format/side-index-layout.js'
import type { DiskFile } from '../../../src/storage/files/disk.js'
import { ownerOf, writeSideIndex } from '../../../src/storage/side/side-index-file.js'
import { SideIndexes } from '../../../src/storage/side/side-indexes.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'
import { disagreements, keyedLog, putSideIndex, readingOf, spoil } from '../../support/side-indexed-log.js'

const all = { keys: true, headers: ['type', 'shop'] }

it('answers are those of a full look, with an index of every segment, of some, of none, and with spoilt ones', async () => {
  for (const seed of seedsFrom(1, 4)) {
    const random = new Seeded(seed)
    const made = keyedLog(random)
    const { world, log } = made
    if (random.chance(0.8)) await log.index()
    const sealed = log.files.segmentOf(log.indexed)
    const indexed = Array.from({ length: sealed }, (_, segment) => segment).filter(() => random.chance(0.7))
    for (const segment of indexed)
      await putSideIndex(made, segment, random.pick([all, all, { keys: true }, { headers: ['type'] }]))
    expect(await disagreements(random, made, 8), `seed ${seed}`).toEqual([])
    const others = indexed.map((segment) => world.disk.bytes(log.files.sidePath(segment)).slice())
    const done = indexed.map((segment) =>
      spoil(
        random,
        made,
        segment,
        others.filter((_, at) => indexed[at] !== segment || others.length === 1),
      ),
    )
    expect(await disagreements(random, made, 8), `seed ${seed}: ${done}`).toEqual([])
  }
})

it('what has a key is read by the index alone, and so is what matches, by whoever reads and by who handles it', async () => {
  const made = keyedLog(new Seeded(3), 3_000, 0.01)
  await made.log.index()
  const sealed = made.log.files.segmentOf(made.log.indexed)
  for (let segment = 0; segment < sealed; segment++) await putSideIndex(made, segment, all)
  const { topics, withKey, matching, handled } = readingOf(made)
  const tags = vi.spyOn(made.log.catalog, 'entriesFrom')
  const chunks = (['read', 'readBorrowed', 'readMapped'] as const).map((each) => vi.spyOn(topics, each))
  const first = made.given.findIndex(({ type }) => type === 'paid')
  const to = made.log.catalog.sealedFrom(0, first)?.end as number
  expect(await withKey('nobody', 0, to, 1, true)).toEqual([])
  const paid = await matching([{ name: 'type', values: ['paid'] }], 0, to)
  expect(paid).toContain(first)
  expect(await handled([{ name: 'type', values: ['paid'] }], 0, to)).toEqual(paid)
  expect(tags).not.toHaveBeenCalled()
  for (const each of chunks) expect(each).not.toHaveBeenCalled()
})

it('an index of another segment, of another log or of what the segment was before is not believed', async () => {
  const random = new Seeded(4)
  const made = keyedLog(random)
  const { world, log } = made
  await log.index()
  await putSideIndex(made, 0, all)
  await putSideIndex(made, 1, all)
  const stranger = keyedLog(new Seeded(5))
  await stranger.log.index()
  await putSideIndex(stranger, 0, all)
  const own = world.disk.bytes(log.files.sidePath(1)).slice()
  const others = stranger.world.disk.bytes(stranger.log.files.sidePath(0)).slice()
  for (const bytes of [own, others]) {
    world.disk.remove(log.files.sidePath(0))
    const file = world.disk.create(log.files.sidePath(0))
    file.write(0, bytes)
    file.close()
    expect(await disagreements(random, made, 6)).toEqual([])
  }
})

/** Who asks side indexes of the first segment for a key, and of what the segment is. */
async function askedFor(key: string) {
  const made = keyedLog(new Seeded(8))
  const { world, log, given } = made
  await log.index()
  const stretch = log.catalog.sealedFrom(0, 0)
  const footer = log.catalog.footerOf(0)
  if (stretch === undefined || footer === undefined) throw new Error('the first segment is sealed')
  const sides = new SideIndexes(world.disk, log.files, () => 0)
  const tag = tagOf(new TextEncoder().encode(key))
  const ask = (of = footer) => sides.withKey(0, { ...stretch, footer: of }, tag, true, 5_000)?.offsets
  const truth = given.slice(0, stretch.end).flatMap((each, offset) => (each.key === key ? [offset] : []))
  return { made, sides, stretch, footer, tag, ask, truth }
}

it('one that was made anew or deleted is closed, and what has its place is asked', async () => {
  const { made, sides, ask, truth } = await askedFor('a')
  const { disk } = made.world
  const before = disk.openFiles
  for (const isDeleted of [false, true]) {
    await putSideIndex(made, 0, all)
    expect([ask(), disk.openFiles]).toEqual([truth, before + 1])
    sides.dropReplaced()
    expect(disk.openFiles).toBe(before + 1)
    if (isDeleted) disk.remove(made.log.files.sidePath(0))
    else await putSideIndex(made, 0, all)
    sides.dropReplaced()
    expect(disk.openFiles).toBe(before)
  }
  expect(ask()).toBeUndefined()
})

it('one that is held open says nothing of what its segment has become', async () => {
  const { made, footer, ask, truth } = await askedFor('a')
  await putSideIndex(made, 0, all)
  expect(ask()).toEqual(truth)
  expect(ask({ ...footer, entriesCrc: footer.entriesCrc ^ 1 })).toBeUndefined()
})

it.each([
  ['leads out of the segment', (records: number) => [0, records + 5, 1, 2, 3, 4, 5, 6]],
  ['leads back', () => [5, 5]],
])('one that %s is not followed, whatever its checksums say', async (_, ordinalsOf) => {
  const { made, stretch, footer, tag, ask } = await askedFor('a')
  const { world, log } = made
  const rowWords = Uint32Array.from(ordinalsOf(stretch.end).flatMap((ordinal) => [tag, ordinal]))
  const section = { topic: 0, name: undefined, firstOffset: 0, records: stretch.end }
  const bytes = encodeSideIndex(ownerOf(log.files, 0, footer), [{ ...section, rowWords }])
  writeSideIndex(world.disk, log.files, 0, bytes)
  expect(ask()).toBeUndefined()
})

it('a topic that has lost something in a segment is not indexed there: nobody knows what that was', async () => {
  const made = keyedLog(new Seeded(6))
  const { world, log, given } = made
  await log.index()
  const place = log.catalog.locate(0, 100)
  const bytes = world.disk.bytes(log.path(0))
  bytes[(place?.frame ?? 0) + 20] ^= 1
  await putSideIndex(made, 0, all)
  const { matching } = readingOf(made)
  await expect(matching([{ name: 'type', values: ['paid'] }], 0, given.length)).rejects.toMatchObject({
    code: 'BOOKEND_CORRUPT',
  })
})

it('what has to be read of several that are asked the first time is begun to be read before any of it is waited for', async () => {
  const made = keyedLog(new Seeded(9), 3_000)
  const { world, log } = made
  await log.index()
  const sealed = log.files.segmentOf(log.indexed)
  expect(sealed).toBeGreaterThan(1)
  for (let segment = 0; segment < sealed; segment++) await putSideIndex(made, segment, all)
  const done: string[] = []
  const noting = (file: DiskFile, path: string): DiskFile => ({
    ...{ descriptor: file.descriptor, size: () => file.size(), close: () => file.close() },
    read: (at: number, length: number) => {
      done.push(`read ${path} ${at}`)
      return file.read(at, length)
    },
    readAhead: (at: number) => done.push(`begin ${path} ${at}`),
    ...{ write: neverCalled, resize: neverCalled, writtenEnd: neverCalled, sync: neverCalled, syncLater: neverCalled },
  })
  const open = world.disk.open.bind(world.disk)
  const opened: string[] = []
  vi.spyOn(world.disk, 'open').mockImplementation((path, access) => {
    const file = open(path, access)
    opened.push(path)
    return file && noting(file, path)
  })
  const sides = new SideIndexes(world.disk, log.files, () => 0)
  const tag = tagOf(new TextEncoder().encode('a'))
  // Footers are read with the first question.
  log.catalog.sealedFrom(0, 0)
  const stretches = Array.from({ length: sealed }, (_, segment) => ({ segment, footer: footerOf(log, segment) }))
  ;[done.length, opened.length] = [0, 0]
  sides.foresee(0, tag, stretches)
  const paths = stretches.map(({ segment }) => log.files.sidePath(segment))
  expect(opened).toEqual(paths)
  expect(done.slice(0, sealed)).toEqual(paths.map((path) => `begin ${path} 0`))
  // Of each the head is read, and the page that will be asked begun; nothing more is read of it when it is asked.
  expect(done.filter((each) => each.startsWith('begin'))).toHaveLength(2 * sealed)
  const begun = done.splice(0).filter((each) => each.startsWith('begin') && !each.endsWith(' 0'))
  const first = stretches.map((each) => ({ ...each, ...log.catalog.sealedFrom(0, 0) }))[0]
  sides.withKey(0, { ...first, first: 0, end: first.end ?? 0 }, tag, true, 5_000)
  expect(done[0]).toBe(begun[0].replace('begin', 'read'))
  // Known ones are not begun again.
  done.length = 0
  sides.foresee(0, tag, stretches)
  expect(done).toEqual([])
  sides.close()
})

function footerOf(log: { catalog: { footerOf(segment: number): SegmentFooter | undefined } }, segment: number) {
  const footer = log.catalog.footerOf(segment)
  if (footer === undefined) throw new Error('the segment is sealed')
  return footer
}

function neverCalled(): never {
  throw new Error('a side index is only read')
}
