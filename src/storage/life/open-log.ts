/** From a directory to a log that can be used: identity, recovery, the epoch of the new owner. */
import path from 'node:path'
import { BookendError } from '../../errors.js'
import { controlBytes } from '../../format/control-layout.js'
import { featuresOf, noFeature } from '../../format/features.js'
import { isRegister, topicFeatures } from '../../format/hidden-topics.js'
import { defaultSegmentBytes, maxTopics } from '../../limits.js'
import type { Memory } from '../../memory/memory.js'
import type { TopicState } from '../append/topic-state.js'
import { BellFile } from '../files/bell-file.js'
import { misfitError } from '../files/belonging.js'
import { ControlFile, readBootId } from '../files/control-file.js'
import type { Disk } from '../files/disk.js'
import { SegmentFiles } from '../files/segment-files.js'
import { unfinishedBackupName } from './backup.js'
import { discardNewLog } from './discard-log.js'
import { type Recovered, recover } from './recovery.js'

export interface OpenLogOptions {
  disk: Disk
  directory: string
  /** Of a log to be created; an existing one must agree or leave it out. */
  segmentBytes: number | undefined
  readOnly: boolean
  now: () => number
  /** Reads segments without mapping them. */
  memory: Memory
  /** {@link createLog} has just made it. */
  isNew?: boolean
  /** Of the machine's boot; a test says another. */
  bootId?: string
}

export interface OpenLog {
  /** There was none before: if it cannot be used after all, `discardNewLog` takes it back. */
  isNew: boolean
  control: ControlFile
  files: SegmentFiles
  recovered: Recovered
  epoch: number
  bootId: string
}

/** Names that a log's own directory may hold besides the control file: what owners, backups and repairs make in it. */
const ownNames = new Set([
  'lock',
  'log',
  'control.new',
  'groups',
  'groups.new',
  'damaged',
  'bell',
  'followers',
  unfinishedBackupName,
])

/**
 * Why a directory can neither be opened as a log nor made one; undefined if it can. To be asked before anything is written.
 * @param names in the directory
 * @param segmentNames in its folder of segments
 */
export function foreignError(
  directory: string,
  names: readonly string[],
  segmentNames: readonly string[],
): BookendError | undefined {
  if (names.includes('control')) return undefined
  if (names.includes(unfinishedBackupName)) {
    const message = `${directory} is a backup that was not finished: remove it, and make the backup again`
    return new BookendError('BOOKEND_FORMAT', message, { file: directory })
  }
  const isOurs = names.every((name) => ownNames.has(name)) && !segmentNames.some((name) => name.endsWith('.seg'))
  if (isOurs) return undefined
  const message = `${directory} is not a Bookend log: it holds other files and no control file (${controlBytes} bytes)`
  return new BookendError('BOOKEND_FORMAT', message, { file: directory })
}

/**
 * Makes the control file, which makes a log of the directory. The caller holds the lock.
 * @returns false: there is one
 * @throws with nothing left behind
 */
export function createLog(options: Omit<OpenLogOptions, 'readOnly' | 'memory' | 'isNew' | 'bootId'>): boolean {
  const { disk, directory } = options
  if (disk.list(directory).includes('control')) return false
  // Before anything is made: what is there now belongs to somebody else.
  checkIsOurs(disk, directory)
  try {
    openControl({ ...options, readOnly: false }).close()
    return true
  } catch (error) {
    discardNewLog(disk, directory)
    throw error
  }
}

/** @throws with nothing left behind where there was no log before */
export function openLog(options: OpenLogOptions): OpenLog {
  const { disk, directory, readOnly } = options
  if (readOnly) return openBeside(options)
  const isNew = options.isNew === true || !disk.list(directory).includes('control')
  // Before anything is made: what is there now belongs to somebody else.
  if (isNew && options.isNew !== true) checkIsOurs(disk, directory)
  let control: ControlFile | undefined
  try {
    control = openControl(options)
    return { ...openWith(control, options), isNew }
  } catch (error) {
    control?.close()
    if (isNew) discardNewLog(disk, directory)
    throw error
  }
}

/**
 * Its owner may let segments go in the middle of this: what was there a moment ago is gone, or looks lost. Trim positions are durable before any file
 * goes, so the log is looked at anew where its trim position has moved beyond what was missed.
 */
function openBeside(options: OpenLogOptions): OpenLog {
  for (;;) {
    const control = openControl(options)
    const trim = control.found?.trim ?? 0
    try {
      const log = openWith(control, options)
      const { damages } = log.recovered
      const begins = damages.length === 0 ? 0 : trimNow(options)
      if (!damages.some(({ from }) => from < begins)) return { ...log, isNew: false }
      control.close()
    } catch (error) {
      control.close()
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || trimNow(options) <= trim) throw error
    }
  }
}

function trimNow({ disk, directory }: OpenLogOptions): number {
  const control = ControlFile.open(disk, directory, 'read')
  control?.close()
  return control?.found?.trim ?? 0
}

function openWith(control: ControlFile, options: OpenLogOptions): Omit<OpenLog, 'isNew'> {
  const { disk, directory, readOnly, bootId = readBootId() } = options
  const { segmentBytes, id } = control.identity
  if (options.segmentBytes !== undefined && options.segmentBytes !== segmentBytes) {
    throw new RangeError(
      `segmentBytes is ${options.segmentBytes}, but the log in ${directory} was created with ${segmentBytes}: leave it out`,
    )
  }
  const files = new SegmentFiles(disk, directory, segmentBytes, id)
  if (!readOnly) disk.makeDirectory(files.directory)
  const found = control.found
  // Before recovery, which deletes what is trimmed and what a crash has left: nothing of another log may be taken for that.
  const looks = files.lookAtAll()
  const misfit = misfitError(disk, directory, files, found, looks)
  if (misfit !== undefined) throw misfit
  const recovered = recover({
    disk,
    memory: options.memory,
    files,
    looks,
    control: found,
    bootId,
    mayRepair: !readOnly,
  })
  if (recovered.misnamed !== undefined) throw recovered.misnamed
  for (const topic of recovered.topics) {
    if (isPossible(topic)) continue
    const message = `the log in ${directory} declares a topic that no Bookend has made (number ${topic.id}, offsets ${topic.first} to ${topic.next})`
    throw new BookendError('BOOKEND_FORMAT', message, { file: directory })
  }
  const epoch = Math.max(recovered.epoch, found?.epoch ?? 0) + 1
  if (!readOnly) {
    const { published, durable, trim, tail } = recovered
    // Before the epoch is taken: after a power cut it may be one that was taken before, and rung with for what is lost now.
    BellFile.silence(disk, directory, id)
    // From here on the log counts as unclean, and the epoch as taken, whatever happens.
    control.write({ epoch, isClean: false, published, durable, trim, time: tail.time, bootId })
    // Flushed before the first append where the record on disk says "clean": after a power cut that would be believed. After a
    // crash it says "unclean" already, and a flush would wait behind everything the last owner left to be written.
    if (found?.isClean !== false) control.sync()
    // Where an earlier build has not said it.
    const features = recovered.topics.reduce((set, { name }) => set | topicFeatures(name), noFeature)
    if (features !== noFeature) control.require(featuresOf(features))
  }
  return { control, files, recovered, epoch, bootId }
}

/** What is not could take any amount of memory, or a number that no shared word holds. */
function isPossible({ id, name, first, next }: TopicState): boolean {
  const isSpan = isRegister(name) ? next === 0 && Number.isSafeInteger(first) : first <= next
  return id < maxTopics && Number.isSafeInteger(next) && isSpan
}

function checkIsOurs(disk: Disk, directory: string): void {
  const foreign = foreignError(directory, disk.list(directory), disk.list(path.join(directory, 'log')))
  if (foreign !== undefined) throw foreign
}

function openControl(options: Omit<OpenLogOptions, 'memory' | 'isNew'>): ControlFile {
  const { disk, directory, segmentBytes, readOnly, now } = options
  const existing = ControlFile.open(disk, directory, readOnly ? 'read' : 'write')
  if (existing !== undefined) return existing
  checkIsOurs(disk, directory)
  if (readOnly) {
    const message = `${directory} is not a Bookend log: it does not exist or holds none yet`
    throw new BookendError('BOOKEND_FORMAT', message, { file: directory })
  }
  return ControlFile.create(disk, directory, segmentBytes ?? defaultSegmentBytes, now())
}
