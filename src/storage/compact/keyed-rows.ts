/**
 * The records of a topic in a sealed segment that have a key, by tag and then in order: as the side index has them, or, where there is none,
 * out of the segment's own index.
 */
import { entryBytes, entryWord, type SegmentFooter } from '../../format/segment-layout.js'
import {
  isSidePageWhole,
  pagesOfRows,
  type SideHead,
  type SideSection,
  sidePageBytes,
  sideRowsPerPage,
  sideRowWord,
} from '../../format/side-index-layout.js'
import type { Window } from '../../memory/memory.js'
import type { Disk, DiskFile } from '../files/disk.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SealedStretch } from '../index/sealed-stretches.js'
import { GrowingRows } from '../side/growing-rows.js'
import { radixSorted } from '../side/radix-sort.js'
import { ownerOf, readSideHead } from '../side/side-index-file.js'

/** Read at once. */
const pagesAtOnce = 64
const entriesAtOnce = (1 << 20) / entryBytes

export interface KeyedRows {
  readonly tags: Uint32Array
  /** Offsets less that of the topic's first record in the segment. */
  readonly ordinals: Uint32Array
}

export interface KeyedRowsTools {
  disk: Disk
  files: SegmentFiles
}

/** @param window of the segment */
export function keyedRowsOf(
  tools: KeyedRowsTools,
  window: Window,
  footer: SegmentFooter,
  topic: number,
  stretch: SealedStretch,
): KeyedRows {
  return inSideIndex(tools, footer, topic, stretch) ?? inEntries(window, stretch)
}

/** Undefined: it has none of it, or is not believed. */
function inSideIndex(
  { disk, files }: KeyedRowsTools,
  footer: SegmentFooter,
  topic: number,
  { segment, firstOffset, count }: SealedStretch,
): KeyedRows | undefined {
  let file: DiskFile | undefined
  try {
    file = disk.open(files.sidePath(segment), 'read')
    const head = file && readSideHead(file, ownerOf(files, segment, footer))
    const section = head?.sections.find((each) => each.topic === topic && each.name === undefined)
    if (file === undefined || head === undefined || section === undefined) return undefined
    if (section.firstOffset !== firstOffset || section.records < count) return undefined
    return rowsIn(file, head, section)
  } catch (error) {
    // What the device does not give, the segment itself says.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    return undefined
  } finally {
    file?.close()
  }
}

function rowsIn(file: DiskFile, { pagesAt }: SideHead, { rows, page: first }: SideSection): KeyedRows | undefined {
  const tags = new Uint32Array(rows)
  const ordinals = new Uint32Array(rows)
  const pages = pagesOfRows(rows)
  let row = 0
  for (let page = 0; page < pages; page += pagesAtOnce) {
    const bytes = file.read(
      pagesAt + (first + page) * sidePageBytes,
      Math.min(pagesAtOnce, pages - page) * sidePageBytes,
    )
    const words = new Uint32Array(bytes.buffer, 0, bytes.length >>> 2)
    for (let at = 0; row < rows; at += sidePageBytes) {
      if (at >= bytes.length) break
      const onPage = bytes.subarray(at, at + sidePageBytes)
      if (!isSidePageWhole(onPage, words.subarray(at >>> 2))) return undefined
      const end = Math.min(rows, row + sideRowsPerPage)
      for (let word = (at >>> 2) + sideRowWord.first; row < end; row++, word += sideRowWord.perRow) {
        tags[row] = words[word + sideRowWord.hash]
        ordinals[row] = words[word + sideRowWord.ordinal]
      }
    }
  }
  return row === rows && areInOrder(tags, ordinals) ? { tags, ordinals } : undefined
}

/** Checksums may be right, and whoever made it wrong. */
function areInOrder(tags: Uint32Array, ordinals: Uint32Array): boolean {
  for (let row = 1; row < tags.length; row++) {
    if (tags[row - 1] > tags[row] || (tags[row - 1] === tags[row] && ordinals[row - 1] >= ordinals[row])) return false
  }
  return true
}

function inEntries(window: Window, { entriesAt, count }: SealedStretch): KeyedRows {
  const rows = new GrowingRows(new Uint32Array(2 * count))
  for (let first = 0; first < count; first += entriesAtOnce) {
    const some = Math.min(entriesAtOnce, count - first)
    const words = new Uint32Array(window.read(entriesAt + first * entryBytes, some * entryBytes).buffer)
    for (let index = 0; index < some; index++) {
      const tag = words[index * entryWord.perEntry + entryWord.tag]
      if (tag !== 0) rows.add(tag, first + index)
    }
  }
  const sorted = radixSorted(rows.words)
  const tags = new Uint32Array(sorted.length >>> 1)
  return { tags: tags.map((_, row) => sorted[2 * row]), ordinals: tags.map((_, row) => sorted[2 * row + 1]) }
}
