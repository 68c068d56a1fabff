/** A reader for a look that comes once. */
import { BookendError } from '../../errors.js'
import { failedCall } from '../../memory/errno.js'
import { FileMemory } from '../../memory/file-window.js'
import type { SlotTable } from '../../ring/slot-table.js'
import type { Disk } from '../files/disk.js'
import type { SegmentFiles } from '../files/segment-files.js'
import { SegmentWindows } from '../files/segment-windows.js'
import { Catalog, type LogBounds } from '../index/catalog.js'
import type { HandedFooters } from '../index/handed-footers.js'
import { TopicReader } from './topic-reader.js'

export interface PlainReaderParts {
  disk: Disk
  files: SegmentFiles
  slots: SlotTable
  bounds: LogBounds
  handed?: HandedFooters
}

/**
 * Through plain files, none of which stays open.
 * @throws the error of the system call, where one has failed that may succeed another time
 */
export function withPlainReader<R>(
  { disk, files, slots, bounds, handed }: PlainReaderParts,
  use: (reader: TopicReader) => R,
): R {
  const memory = new FileMemory()
  const windows = new SegmentWindows(memory, memory, files, slots, 'read', 4)
  try {
    return use(new TopicReader(files, windows, new Catalog(disk, files, windows, bounds, handed), bounds))
  } catch (error) {
    const errno = error instanceof BookendError ? (error.cause as NodeJS.ErrnoException | undefined)?.errno : undefined
    throw errno === undefined ? error : failedCall('read', Math.abs(errno), (error as Error).message)
  } finally {
    windows.closeAll()
  }
}
