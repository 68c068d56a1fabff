/** From a directory to a log that can be used: identity, recovery, the epoch of the new owner. */
import path from 'node:path'
import { BookendError } from '../errors.js'
import { controlBytes } from '../format/control-layout.js'
import { defaultSegmentBytes } from '../limits.js'
import type { Memory } from '../memory/memory.js'
import { unfinishedBackupName } from './backup.js'
import { ControlFile, readBootId } from './control-file.js'
import type { Disk } from './disk.js'
import { type Recovered, recover } from './recovery.js'
import { SegmentFiles } from './segment-files.js'

export interface OpenLogOptions {
  disk: Disk
  directory: string
  /** Of a log to be created; an existing one must agree or leave it out. */
  segmentBytes: number | undefined
  readOnly: boolean
  now: () => number
  /** Reads segments without mapping them. */
  memory: Memory
}

export interface OpenLog {
  control: ControlFile
  files: SegmentFiles
  recovered: Recovered
  epoch: number
  bootId: string
}

/** Names that a log's own directory may hold besides the control file. */
const ownNames = new Set(['lock', 'log', 'control.new'])

export function openLog(options: OpenLogOptions): OpenLog {
  const { disk, directory, readOnly } = options
  const bootId = readBootId()
  const control = openControl(options)
  const { segmentBytes } = control.identity
  if (options.segmentBytes !== undefined && options.segmentBytes !== segmentBytes) {
    control.close()
    throw new RangeError(
      `segmentBytes is ${options.segmentBytes}, but the log in ${directory} was created with ${segmentBytes}: leave it out`,
    )
  }
  const files = new SegmentFiles(disk, directory, segmentBytes)
  if (!readOnly) disk.makeDirectory(files.directory)
  const found = control.found
  const recovered = recover({ disk, memory: options.memory, files, control: found, bootId, mayRepair: !readOnly })
  const epoch = Math.max(recovered.epoch, found?.epoch ?? 0) + 1
  if (!readOnly) {
    const { published, durable, trim, tail } = recovered
    // From here on the log counts as unclean, and the epoch as taken, whatever happens.
    control.write({ epoch, isClean: false, published, durable, trim, time: tail.time, bootId })
    // Flushed before the first append where the record on disk says "clean": after a power cut that would be believed. After a
    // crash it says "unclean" already, and a flush would wait behind everything the last owner left to be written.
    if (found?.isClean !== false) control.sync()
  }
  return { control, files, recovered, epoch, bootId }
}

function openControl({ disk, directory, segmentBytes, readOnly, now }: OpenLogOptions): ControlFile {
  const existing = ControlFile.open(disk, directory, readOnly ? 'read' : 'write')
  if (existing !== undefined) return existing
  const names = disk.list(directory)
  if (names.includes(unfinishedBackupName)) {
    const message = `${directory} is a backup that was not finished: remove it, and make the backup again`
    throw new BookendError('BOOKEND_FORMAT', message, { file: directory })
  }
  const hasSegments = disk.list(path.join(directory, 'log')).some((name) => name.endsWith('.seg'))
  const isEmpty = names.every((name) => ownNames.has(name)) && !hasSegments
  if (readOnly || !isEmpty) {
    const what =
      names.length === 0
        ? 'does not exist or is empty'
        : `holds other files and no control file (${controlBytes} bytes)`
    throw new BookendError('BOOKEND_FORMAT', `${directory} is not a Bookend log: it ${what}`, { file: directory })
  }
  return ControlFile.create(disk, directory, segmentBytes ?? defaultSegmentBytes, now())
}
