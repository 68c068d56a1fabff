/** How far a log goes that nobody has open: as far as the next owner will find it to go. Nothing on disk is changed. */
import type { ControlRecord } from '../../format/control-layout.js'
import type { Memory } from '../../memory/memory.js'
import type { Disk } from '../files/disk.js'
import type { SegmentFiles } from '../files/segment-files.js'
import { recover } from '../life/recovery.js'

/** @param control as it was when the log was seen to be left; whoever asks looks once more afterwards whether it is still so */
export function endOfLeft(
  disk: Disk,
  memory: Memory,
  files: SegmentFiles,
  control: ControlRecord,
  bootId: string,
): number {
  const looks = files.lookAtAll()
  return recover({ disk, memory, files, looks, control, bootId, mayRepair: false }).published
}
