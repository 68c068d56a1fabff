/**
 * How far a log goes, found out without an owner's rights: nothing is locked, mapped or changed. What `stat`, `verify` and
 * `repair` look at is what this finds.
 */
import { BookendError } from '../../errors.js'
import {
  type ControlRecord,
  controlBytes,
  controlIdentityAt,
  controlIdentityBytes,
  controlRecordAt,
  controlRecordBytes,
  decodeControlIdentity,
  decodeControlRecord,
  decodeIdentityAt,
} from '../../format/control-layout.js'
import type { Features } from '../../format/features.js'
import { logIdFromMark, logIdText, unknownLogId } from '../../format/log-id.js'
import { decodeSegmentHeader, formatVersion, segmentHeaderBytes } from '../../format/segment-layout.js'
import { recordFault, strangersAmong, unknownError } from '../files/belonging.js'
import { ControlFile, identityFault, readBootId } from '../files/control-file.js'
import type { Disk } from '../files/disk.js'
import { SalvageWindow } from '../files/salvage-window.js'
import { SegmentFiles, type SegmentLook } from '../files/segment-files.js'
import { LiveIndex } from '../index/live-index.js'
import { readSealedFile } from '../index/sealed-index.js'
import { type Recovered, recover } from '../life/recovery.js'
import { DiskMemory, SalvageDisk } from './salvage-disk.js'
import type { Damage } from './verify-report.js'

export interface LogExtent {
  directory: string
  files: SegmentFiles
  /** When the log was created; 0: not known any more. */
  created: number
  /** Undefined: not known any more. */
  features: Features | undefined
  /** The newest valid record; undefined: there is none. */
  record: ControlRecord | undefined
  /** What is wrong with the control file. */
  damages: Damage[]
  /** Files with names of segments that belong to other logs. */
  strangers: number[]
  /** An owner is at work: the log is looked at as far as its control file said it was published. */
  isLive: boolean
  first: number
  /** The last segment with data, and the relative end of the data in it. */
  last: number
  end: number
  /** End of the log. */
  published: number
  /** Of a log that nobody has open: what its next owner would find. */
  recovered: Recovered | undefined
}

export interface ExtentOptions {
  disk: Disk
  directory: string
  isLive: boolean
  /** Of a live log, what its owner says is published, if that is known. */
  published?: number
  bootId?: string
}

/** @throws `BOOKEND_FORMAT` where there is no log, or one of another version, or with features that are not known here */
export function findExtent(options: ExtentOptions): LogExtent {
  const { directory, isLive, bootId = readBootId() } = options
  const disk = new SalvageDisk(options.disk)
  const control = readControl(disk, directory, isLive)
  const files = new SegmentFiles(options.disk, directory, control.segmentBytes, control.id)
  const { created, features, damages } = control
  if (isLive) {
    const { record } = control
    const common = { directory, files, created, features, record, damages, strangers: [], isLive }
    const published = Math.max(record?.published ?? 0, options.published ?? 0)
    const last = files.segmentOf(Math.max(0, published - 1))
    const first = files.segmentOf(record?.trim ?? 0)
    return { ...common, first, last, end: published - files.base(last), published, recovered: undefined }
  }
  const looks = files.lookAtAll()
  const unknown = unknownError(files, looks)
  if (unknown !== undefined) throw unknown
  const record = plausible(control.record, files, looks, damages)
  const strangers = strangersAmong(looks).foreign
  const common = { directory, files, created, features, record, damages, strangers, isLive }
  const looked = new SegmentFiles(disk, directory, control.segmentBytes, control.id)
  const believed = record ?? guessRecord(disk, looked, bootId)
  // On the disk as it is: what its next owner finds depends on what can be read of it.
  const memory = new DiskMemory(options.disk)
  const recovered = recover({ disk: options.disk, memory, files, looks, control: believed, bootId, mayRepair: false })
  const { tail, published, trim } = recovered
  const first = files.segmentOf(trim)
  // A log that ends with a sealed segment goes on in one that may not be there yet.
  const isEmptyTail = tail.relative === segmentHeaderBytes && tail.segment > first
  const last = isEmptyTail ? tail.segment - 1 : tail.segment
  const end = isEmptyTail ? files.segmentBytes : tail.relative
  return { ...common, first, last, end, published, recovered }
}

/** True if the segment has to end in a seal: the log goes on behind it. */
export function isSealedIn({ files, last, end }: LogExtent, segment: number): boolean {
  return segment < last || end === files.segmentBytes
}

/** A record that cannot be that of these segments counts as damage. */
function plausible(
  record: ControlRecord | undefined,
  files: SegmentFiles,
  looks: ReadonlyMap<number, SegmentLook>,
  damages: Damage[],
): ControlRecord | undefined {
  const fault = record === undefined ? undefined : recordFault(record, files, [...looks.keys()])
  if (record === undefined || fault === undefined) return record
  const position = controlRecordAt[record.sequence % controlRecordAt.length]
  const file = ControlFile.path(files.logDirectory)
  const what = `the control file ${fault}`
  damages.push({ kind: 'control', file, position, bytes: controlRecordBytes, what, lost: [] })
  return undefined
}

interface FoundControl {
  id: string
  segmentBytes: number
  created: number
  features: Features | undefined
  record: ControlRecord | undefined
  damages: Damage[]
}

function readControl(disk: Disk, directory: string, isLive: boolean): FoundControl {
  const path = ControlFile.path(directory)
  const damages: Damage[] = []
  const note = (position: number, bytes: number, what: string) => {
    damages.push({ kind: 'control', file: path, position, bytes, what, lost: [] })
  }
  const file = disk.open(path, 'read')
  const bytes = file?.read(0, controlBytes) ?? new Uint8Array(0)
  const size = file?.size() ?? 0
  file?.close()
  const identity = decodeControlIdentity(bytes)
  const fault = identity === undefined ? undefined : identityFault(identity, 'read')
  if (fault !== undefined) throw new BookendError('BOOKEND_FORMAT', `${path} ${fault}`, { file: path })
  if (identity === undefined) {
    const guess = guessIdentity(disk, directory)
    if (guess === undefined) {
      const what =
        file === undefined ? 'it does not exist, or has no control file' : 'its control file is not one of ours'
      throw new BookendError('BOOKEND_FORMAT', `${directory} is not a Bookend log: ${what}`, { file: directory })
    }
    note(0, controlBytes, file === undefined ? 'the control file is not there' : 'the control file fails its checksum')
    return { ...guess, record: decodeControlRecord(bytes), damages }
  }
  if (!isLive) {
    const looks = new SegmentFiles(disk, directory, identity.segmentBytes, identity.id).lookAtAll()
    const guess = strangersAmong(looks).isAll ? guessIdentity(disk, directory) : undefined
    if (guess !== undefined) {
      const [theirs, ours] = [identity.id, guess.id].map(logIdText)
      note(0, controlBytes, `the control file is that of another log (${theirs}); the segments are those of ${ours}`)
      return { ...guess, record: undefined, damages }
    }
  }
  if (decodeIdentityAt(bytes, 0) === undefined)
    note(
      controlIdentityAt[0],
      controlIdentityBytes,
      'the identity in the control file fails its checksum; its spare is whole',
    )
  if (size < controlBytes) note(size, controlBytes - size, `the control file has ${size} bytes of ${controlBytes}`)
  controlRecordAt.forEach((at, index) => {
    const part = bytes.subarray(at, at + controlRecordBytes)
    const isWritten = part.some((byte) => byte !== 0)
    // Alone in a file, a record is judged by its own checksum.
    const alone = new Uint8Array(bytes.length)
    alone.set(part, at)
    if (isWritten && decodeControlRecord(alone) === undefined) {
      note(at, controlRecordBytes, `record ${'AB'[index]} of the control file fails its checksum`)
    }
  })
  return { ...identity, record: decodeControlRecord(bytes), damages }
}

/** What the segments say about the log they belong to: most of them agree. */
function guessIdentity(disk: Disk, directory: string): Omit<FoundControl, 'record' | 'damages'> | undefined {
  // The size does not matter for the listing: every position is a multiple of 1.
  const names = new SegmentFiles(disk, directory, 1, unknownLogId)
  const votes = new Map<string, { count: number; segmentBytes: number; created: number; id: string }>()
  for (const position of names.list()) {
    const file = disk.open(names.path(position), 'read')
    const header = file === undefined ? undefined : decodeSegmentHeader(file.read(0, segmentHeaderBytes))
    file?.close()
    if (header === undefined || header.version !== formatVersion || header.base !== position) continue
    const { segmentBytes, created, logMark } = header
    const key = `${logMark} ${segmentBytes}`
    const { count, created: oldest } = votes.get(key) ?? { count: 0, created }
    // Of the id no more than the mark is left.
    const id = logIdFromMark(logMark)
    votes.set(key, { count: count + 1, segmentBytes, created: Math.min(oldest, created), id })
  }
  const best = [...votes.values()].sort((a, b) => b.count - a.count)[0]
  if (best === undefined) return undefined
  return { segmentBytes: best.segmentBytes, created: best.created, features: undefined, id: best.id }
}

/**
 * A record for a log that has lost its own: everything valid that is there counts, as durable. So what is damaged in front of it
 * is damage, and nothing is taken for the remains of a power cut.
 */
function guessRecord(disk: SalvageDisk, files: SegmentFiles, bootId: string): ControlRecord | undefined {
  const memory = new DiskMemory(disk)
  const segments = files.list()
  for (const segment of [...segments].reverse()) {
    if (!files.isWhole(segment)) continue
    const base = files.base(segment)
    const sealed = readSealedFile(disk, files, segment)
    let end = sealed?.footer.dataEnd ?? segmentHeaderBytes
    let epoch = 0
    if (sealed === undefined) {
      const window = files.openWindow(memory, segment)
      const index = new LiveIndex(base, files.segmentBytes, false)
      index.catchUp(new SalvageWindow(window), files.segmentBytes, true)
      window.close()
      end = index.end
      epoch = index.lastEpoch
    }
    if (end === segmentHeaderBytes) continue
    const position = base + end
    const trim = files.base(segments[0])
    return { sequence: 1, epoch, isClean: false, published: position, durable: position, trim, time: 0, bootId }
  }
  return undefined
}
