/**
 * A consistent copy of a log that goes on being written to.
 *
 * What is published never changes, so the copy is the log up to a position that is fixed when the copy begins. The
 * caller holds back the deletion of segments meanwhile, and that is all it takes.
 *
 * Order: a mark that says "unfinished"; every segment, flushed; their directory, flushed; the control file, which
 * makes a log of it; then the mark goes. So a directory with a control file is a whole copy, one without is refused by `open`.
 */

import path from 'node:path'
import type { BackupReport } from '../../engine/terms.js'
import type { ControlRecord } from '../../format/control-layout.js'
import type { Features } from '../../format/features.js'
import { footerBytes } from '../../format/segment-layout.js'
import type { SystemCalls } from '../../memory/memory.js'
import { ControlFile } from '../files/control-file.js'
import type { Disk, DiskFile } from '../files/disk.js'
import { SegmentFiles } from '../files/segment-files.js'
import { packedParts } from '../packed/packed-table.js'

/** Stands in the directory of a copy until the copy is whole. */
export const unfinishedBackupName = 'backup.unfinished'

/**
 * Files beside the segments, if the log has them. They are read *before* the end of the copy is fixed: what they point at is
 * then in the copy. The other way round a committed offset could lie behind the end of the copy, and messages appended to
 * the copy later would count as done.
 */
const companionNames = ['groups'] as const

/** Between two looks at whether somebody wants the copy to end. */
const copyStepBytes = 64 << 20

export interface BackupSource {
  disk: Disk
  files: SegmentFiles
  calls: Pick<SystemCalls, 'allocate'>
  /** The directory of the log. */
  directory: string
  created: number
  /** What the log holds: asked for when all of it is copied. */
  features(): Features
  /** The log as it is: called once, when its end is fixed. */
  now(): Omit<ControlRecord, 'sequence' | 'isClean'>
  /** Segments below this position have footers that do not change any more. */
  indexed(): number
  /** Copies a range to the same place in the other file. */
  copy(from: DiskFile, to: DiskFile, at: number, length: number): Promise<void>
  /** True: give up at the next step. */
  isAborted(): boolean
}

/** The copy was given up because somebody asked for it. */
export class BackupAborted extends Error {}

/**
 * Copies the log into `target`, which does not exist or is empty. Nothing of a failed copy is left behind, except after a
 * crash, which leaves what {@link unfinishedBackupName} marks.
 * @throws RangeError if the target is in use; the error of the call that failed
 */
export async function backUp(source: BackupSource, target: string): Promise<BackupReport> {
  const { disk } = source
  checkTarget(source, target)
  const mark = path.join(target, unfinishedBackupName)
  disk.makeDirectory(target)
  const made: string[] = []
  const make = (name: string): DiskFile => {
    const file = disk.create(name)
    made.push(name)
    return file
  }
  try {
    writeNew(make(mark), new Uint8Array(0))
    disk.syncDirectory(target)
    const report = await copyLog(source, target, make)
    disk.remove(mark)
    disk.syncDirectory(target)
    return report
  } catch (error) {
    // The mark was made first and goes last: what a crash leaves in between is still told for what it is.
    for (const name of [ControlFile.path(target), ...made.toReversed()]) removeQuietly(disk, name)
    throw error
  }
}

async function copyLog(source: BackupSource, target: string, make: (name: string) => DiskFile): Promise<BackupReport> {
  const { disk, files, directory, created } = source
  const companions = companionNames.flatMap((name) => readWhole(disk, path.join(directory, name), name))
  const record = source.now()
  const first = files.segmentOf(record.trim)
  const last = files.segmentOf(record.published)
  const copies = new SegmentFiles(disk, target, files.segmentBytes, files.id)
  disk.makeDirectory(copies.directory)
  for (let segment = first; segment <= last; segment++) {
    await copySegment(source, segment, record.published, make(copies.path(segment)))
  }
  copies.syncDirectory()
  for (const { name, bytes } of companions) writeNew(make(path.join(target, name)), bytes)
  // Everything in the copy is flushed, and nothing is behind its end: it opens like a log that was closed.
  const { published } = record
  const copied = { id: files.id, features: source.features(), record: { ...record, durable: published, isClean: true } }
  ControlFile.create(disk, target, files.segmentBytes, created, copied).close()
  const segments = last - first + 1
  return { position: published, segments, bytes: segments * files.segmentBytes }
}

/** Copies a segment up to `end`; what is behind it is a hole, which whoever opens the copy gives its blocks. */
async function copySegment(source: BackupSource, segment: number, end: number, to: DiskFile): Promise<void> {
  const { disk, files, calls } = source
  const from = disk.open(files.path(segment), 'read')
  try {
    if (from === undefined) {
      const message = `segment ${files.path(segment)} is gone: its owner has deleted it; make the backup again`
      throw Object.assign(new Error(message), { code: 'ENOENT' })
    }
    // A footer that is being written now might be copied without the index it vouches for. Without a footer the copy
    // derives the index from the batches, as after a crash.
    const base = files.base(segment)
    const isIndexed = source.indexed() >= base + files.segmentBytes
    const whole = isIndexed ? files.segmentBytes : files.segmentBytes - footerBytes
    const length = Math.min(end - base, whole)
    to.resize(files.segmentBytes)
    // Of a packed segment only what there is: between it the copy has the same hole.
    const parts = packedParts(from, base, files.segmentBytes) ?? [{ from: 0, to: length }]
    for (const part of parts) {
      calls.allocate(to.descriptor, part.to, part.from)
      for (let at = part.from; at < part.to; at += copyStepBytes) {
        if (source.isAborted()) throw new BackupAborted('the backup was given up')
        await source.copy(from, to, at, Math.min(copyStepBytes, part.to - at))
      }
    }
    await to.syncLater()
  } finally {
    from?.close()
    to.close()
  }
}

/** @throws RangeError: the caller's mistake, found before anything is written */
function checkTarget({ disk, directory }: BackupSource, target: string): void {
  const inside = path.relative(directory, target)
  if (inside === '' || !(inside.startsWith('..') || path.isAbsolute(inside)))
    throw new RangeError(`a backup goes into a directory of its own, and ${target} is inside the log in ${directory}`)
  // A copy that failed leaves its empty directory.
  const names = disk.list(target).filter((name) => name !== 'log' || disk.list(path.join(target, name)).length > 0)
  if (names.length === 0) return
  const what = names.includes(unfinishedBackupName) ? 'holds a backup that was not finished' : 'is not empty'
  throw new RangeError(`${target} ${what}: name a directory that is empty or does not exist`)
}

function writeNew(file: DiskFile, bytes: Uint8Array): void {
  file.write(0, bytes)
  file.sync()
  file.close()
}

function readWhole<T>(disk: Disk, file: string, name: T): { name: T; bytes: Uint8Array }[] {
  const found = disk.open(file, 'read')
  if (found === undefined) return []
  const bytes = found.read(0, found.size())
  found.close()
  return [{ name, bytes }]
}

function removeQuietly(disk: Disk, file: string): void {
  try {
    disk.remove(file)
  } catch {
    // Never made, or gone with its directory: the mark still says what is left.
  }
}
