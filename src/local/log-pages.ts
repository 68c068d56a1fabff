/** Which pages of a log are in memory, and who maps its segments: looked at from outside, changing nothing. */
import fs from 'node:fs'
import { processMappings, type ResidentMap, residentMap } from '../memory/resident-map.js'
import { findExtent } from '../storage/check/log-extent.js'
import type { Disk } from '../storage/files/disk.js'
import { findOwner, type LogOwner } from '../storage/files/log-owner.js'

/** As `stat` counts. */
const blockBytes = 512

export interface SegmentPagesView {
  position: number
  file: string
  bytes: number
  /** What of them takes space on the disk. */
  diskBytes: number
  state: 'sealed' | 'active' | 'prepared'
  /** Undefined: it is not packed. */
  packed: { codec: string; ratio: number } | undefined
  /** -1: cannot be told. */
  residentBytes: number
  /** Resident share of each part of the file, from its start to its end; empty where it cannot be told. */
  shares: number[]
  /** Mappings of the owner: for writing, and for reading. */
  mappings: { write: number; read: number }
}

export interface LogPagesView {
  directory: string
  owner: LogOwner
  /** False: the owner's mappings may not be seen. */
  seesMappings: boolean
  /** Log positions: below them everything is published, is on the device, is deleted. */
  published: number
  durable: number
  trimmed: number
  segments: SegmentPagesView[]
}

/**
 * @param partsFor into how many shares a segment is divided, given the position of the last one
 * @param heard what the owner says is published
 */
export function viewPages(
  disk: Disk,
  directory: string,
  partsFor: (lastPosition: number) => number,
  heard = 0,
): LogPagesView {
  const owner = findOwner(directory)
  // As of a live log: the control file is enough, and nothing of the segments is read.
  const { files, first, published, record } = findExtent({ disk, directory, isLive: true, published: heard })
  const mappings = owner.pid === undefined ? undefined : processMappings(owner.pid)
  const byInode = new Map<number, { write: number; read: number }>()
  for (const { inode, isWritable } of mappings ?? []) {
    const counts = byInode.get(inode) ?? { write: 0, read: 0 }
    counts[isWritable ? 'write' : 'read'] += 1
    byInode.set(inode, counts)
  }
  const active = files.segmentOf(published)
  const listed = files.list()
  const parts = partsFor(files.base(listed.at(-1) ?? 0))
  const segments = listed.flatMap((segment): SegmentPagesView[] => {
    const file = files.path(segment)
    const status = fs.statSync(file, { throwIfNoEntry: false })
    // Deleted since it was listed.
    if (status === undefined) return []
    const resident = residentMap(file, files.segmentBytes)
    return [
      {
        position: files.base(segment),
        file,
        bytes: status.size,
        diskBytes: status.blocks * blockBytes,
        packed: status.blocks * blockBytes < status.size ? files.packingOf(segment) : undefined,
        state: segment < active ? 'sealed' : segment === active ? 'active' : 'prepared',
        residentBytes:
          resident === undefined ? -1 : countResident(resident, 0, resident.pages.length) * resident.pageBytes,
        shares: resident === undefined ? [] : sharesOf(resident, parts),
        mappings: byInode.get(status.ino) ?? { write: 0, read: 0 },
      },
    ]
  })
  return {
    directory,
    owner,
    seesMappings: owner.state === 'none' || mappings !== undefined,
    published,
    durable: Math.min(record?.durable ?? 0, published),
    trimmed: files.base(first),
    segments,
  }
}

function sharesOf(resident: ResidentMap, parts: number): number[] {
  const { length } = resident.pages
  return Array.from({ length: parts }, (_, part) => {
    const from = Math.floor((part * length) / parts)
    const to = Math.max(from + 1, Math.floor(((part + 1) * length) / parts))
    return countResident(resident, from, to) / (to - from)
  })
}

function countResident({ pages }: ResidentMap, from: number, to: number): number {
  let count = 0
  // Only the lowest bit has a meaning, the others are reserved.
  for (let page = from; page < to; page++) count += pages[page] & 1
  return count
}
