/** The file of a side index: whose it is, how it comes to be, and how it is read. */
import type { TopicIndex } from '../../engine/terms.js'

import { logMarkOf } from '../../format/log-id.js'
import { type DirectoryRow, footerCrc, type SegmentFooter } from '../../format/segment-layout.js'
import {
  decodeSideHead,
  encodeSideIndex,
  type SideHead,
  type SideIndexOwner,
  type SortedSection,
  sideHeadBytes,
  sideHeadLength,
} from '../../format/side-index-layout.js'
import type { Disk, DiskFile } from '../files/disk.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { LiveIndex } from '../index/live-index.js'
import { radixSorted } from './radix-sort.js'
import type { CollectedSection, SideCollector } from './side-collector.js'

/** The longest head that is read: of a file that says more, nothing is believed. */
const maxHeadBytes = 64 << 20
/** Read at once: enough for the head of most. */
const firstReadBytes = 16 << 10

/** Which segment's it has to be. */
export function ownerOf(files: SegmentFiles, segment: number, footer: SegmentFooter): SideIndexOwner {
  return sideOwner(files.base(segment), logMarkOf(files.id), footer)
}

export function sideOwner(base: number, logMark: string, footer: SegmentFooter): SideIndexOwner {
  return { base, logMark, footerCrc: footerCrc(footer) }
}

/** What is indexed of topics, by their names; times alone: nothing else. @param rows of the segment's directory */
export function namesIn(
  { sections, times }: SideHead,
  rows: readonly Pick<DirectoryRow, 'topic' | 'name'>[],
): Map<string, TopicIndex> {
  const names = new Map<string, TopicIndex>()
  for (const { topic, name } of sections) {
    const row = rows.find((each) => each.topic === topic)
    if (row === undefined) continue
    const { keys = false, headers = [] } = names.get(row.name) ?? {}
    names.set(row.name, name === undefined ? { keys: true, headers } : { keys, headers: [...headers, name] })
  }
  for (const { topic } of times) {
    const row = rows.find((each) => each.topic === topic)
    if (row !== undefined && !names.has(row.name)) names.set(row.name, {})
  }
  return names
}

/**
 * All bytes of the side index of a segment that was walked to its end.
 * @param hasTimes false, and `hasFilters` false: as releases before made it
 */
export function sideIndexOf(
  owner: SideIndexOwner,
  index: LiveIndex,
  collector: SideCollector,
  hasTimes: boolean,
  hasFilters: boolean,
): Uint8Array<ArrayBuffer> {
  const sections = collector.sections(index).map(sorted)
  return encodeSideIndex(owner, sections, hasTimes ? collector.times(index) : [], hasFilters)
}

/**
 * As {@link sideIndexOf}.
 * @param turn between two steps of some ten milliseconds, so that the thread's other duties have their turn
 */
export async function makeSideIndex(
  owner: SideIndexOwner,
  index: LiveIndex,
  collector: SideCollector,
  turn: () => Promise<unknown>,
): Promise<Uint8Array<ArrayBuffer>> {
  const sections: SortedSection[] = []
  for (const section of collector.sections(index)) {
    await turn()
    sections.push(sorted(section))
  }
  await turn()
  const times = collector.times(index)
  await turn()
  return encodeSideIndex(owner, sections, times)
}

function sorted({ entries, name, rowWords }: CollectedSection): SortedSection {
  const { topic, firstOffset, count: records } = entries
  return { topic, name, firstOffset, records, rowWords: radixSorted(rowWords) }
}

/**
 * Puts a side index in its place. Nothing is flushed: what a power cut takes of it is noticed, and made again.
 * @throws the error of the call that failed; nothing is left behind then
 */
export function writeSideIndex(disk: Disk, files: SegmentFiles, segment: number, bytes: Uint8Array): void {
  const final = files.sidePath(segment)
  const temporary = `${final}.new`
  const file = createAnew(disk, temporary)
  try {
    file.write(0, bytes)
    disk.rename(temporary, final)
  } catch (error) {
    disk.remove(temporary)
    throw error
  } finally {
    file.close()
  }
}

/** One that a thread has left half made, when it died, is in nobody's way. */
function createAnew(disk: Disk, path: string): DiskFile {
  try {
    return disk.create(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    disk.remove(path)
    return disk.create(path)
  }
}

/** Begins to read what {@link readSideHead} reads. */
export function readAheadOfHead(file: DiskFile): void {
  file.readAhead?.(0, firstReadBytes)
}

/** Undefined: it is not that segment's, or not as it was written. */
export function readSideHead(file: DiskFile, owner: SideIndexOwner): SideHead | undefined {
  const size = file.size()
  const begin = file.read(0, Math.min(size, firstReadBytes))
  const length = sideHeadLength(begin)
  if (length === undefined || length < sideHeadBytes || length > Math.min(size, maxHeadBytes)) return undefined
  const bytes = length <= begin.length ? begin.subarray(0, length) : file.read(0, length)
  return decodeSideHead(bytes, size, owner)
}
