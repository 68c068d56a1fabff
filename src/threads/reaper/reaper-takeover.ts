/**
 * A new reaper in the place of one that has died at any point of its work. Writer, readers and dispatcher have gone on meanwhile;
 * the lock is the process's; what the reaper shares stands in the shared words and in the slot table, which outlive it.
 *
 * Thread ends come between instructions of JavaScript, so every single shared word is whole, and every system call was either
 * made or not. What may be half done is a sequence of them. Each is done anew from its start, never guessed at:
 *
 * - pins of the dead reaper are void, and nobody else would give them back;
 * - a retirement under way is finished: replacing a range twice is the same as once, and its owner is waiting for it;
 * - a segment that was not announced (`prepared`) may be there under either of its names: the unfinished name is removed here, the
 *   finished one is renamed over when it is prepared again;
 * - a flush under way may have failed unheard, and the kernel reports a failure once: so what is not known to be durable is
 *   checked against its checksums and written again, byte for byte, and then a flush of its own tells the truth about it. The
 *   writer stores behind `published` only, so nobody else writes these bytes;
 * - the trim position is stored before files go: the control file is written and flushed again, and the retainer goes on removing
 *   what lies before it;
 * - an order to the writer was sent, or not, and then announced, or not. One that was announced is the writer's: it takes it out
 *   of the dead reaper's port before it gets the port of the next, and carries it out in its turn. One that was not announced goes
 *   with its port. No order is given while one is under way, and which it was nobody needs to know: topics that were declared
 *   anew need not be, first offsets that were raised were raised for good reasons, and a topic that was moved is found where it
 *   is now when that is indexed, or is moved once more. So it is after a crash, too: what is decided is decided from what is there;
 * - a flush of the groups may have failed unheard as well. The writer, who alone writes records of groups, has written all of them
 *   again before this begins; which group has which cell is written again from what the application knows. A group that was
 *   being made or unmade belongs to nobody then, and is made or unmade once more;
 * - a copy for a backup stays as it is, marked as unfinished, and its caller hears of it.
 *
 * Wishes for a flush need nothing: a number that is not reached by the answer is still there, of messages and of commits. What single topics are kept for, and what is wrong with the disk, is said and seen again.
 */

import { segmentHeaderBytes } from '../../format/segment-layout.js'
import { errno, failedCall } from '../../memory/errno.js'
import type { SystemCalls } from '../../memory/memory.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { SlotTable } from '../../ring/slot-table.js'
import type { ControlFile } from '../../storage/files/control-file.js'
import type { Disk, DiskFile } from '../../storage/files/disk.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import { scanBatches } from '../../storage/index/batch-scan.js'

/** Rewritten in one turn of the event loop. */
const stepBytes = 1 << 20

export interface TakeOverParts {
  state: SharedState<'reaper'>
  disk: Disk
  files: SegmentFiles
  control: ControlFile
  epoch: number
  bootId: string
  /** Found when the log was opened: not checked here. */
  damages: readonly { from: number; to: number }[]
}

/**
 * Mappings first: somebody may be waiting for one this very moment. Needs no disk. Those of threads that have ended are taken over
 * as ever: whoever says so says it again until somebody answers.
 */
export function takeOverMappings({ slots, calls }: { slots: SlotTable; calls: SystemCalls }): void {
  slots.clearReaperPins()
  for (const row of slots.rows()) {
    if (row.state !== 'retiring') continue
    // Where it fails the owner closes it instead.
    try {
      slots.finishRetiring(row.slot, () => calls.retire(row.address, row.byteLength))
    } catch {}
  }
}

/** @throws the error of the device, or `EIO` where bytes that were published are not there any more */
export async function takeOverFiles(parts: TakeOverParts): Promise<void> {
  const { state, files, control, epoch, bootId } = parts
  files.removeUnfinished()
  await rewrite(parts, state.durable.load(), state.published.load())
  const [published, durable, trim] = [state.published.load(), state.durable.load(), state.trim.load()]
  control.write({ epoch, isClean: false, published, durable, trim, time: state.publishedTime.load(), bootId })
  control.sync()
}

async function rewrite(parts: TakeOverParts, from: number, to: number): Promise<void> {
  const { disk, files } = parts
  for (let at = from; at < to; ) {
    const segment = files.segmentOf(at)
    const base = files.base(segment)
    const end = Math.min(to, files.base(segment + 1))
    const file = disk.open(files.path(segment), 'write')
    if (file === undefined) throw failedCall('open', errno.EIO, `${files.path(segment)} is gone`)
    try {
      await rewriteSegment(parts, file, base, Math.max(at, base + segmentHeaderBytes), end)
    } finally {
      file.close()
    }
    at = end
  }
}

async function rewriteSegment(
  { damages }: TakeOverParts,
  file: DiskFile,
  base: number,
  from: number,
  end: number,
): Promise<void> {
  let want = stepBytes
  for (let at = from; at < end; ) {
    const known = damages.find((damage) => damage.from <= at && at < damage.to)
    if (known !== undefined) {
      at = known.to
      continue
    }
    const bytes = file.read(at - base, Math.min(want, end - at))
    const result = scanBatches(bytes, at, end - at, () => {})
    if (result.end > 0) file.write(at - base, bytes.subarray(0, result.end))
    at += result.end
    // Behind the seal of a segment is nothing.
    if (result.stop === 'seal') return
    const isKnown = damages.some((damage) => damage.from <= at && at < damage.to)
    if (result.stop === 'bad' && !isKnown) throw failedCall('read', errno.EIO, `what was written at ${at} is lost`)
    want = Math.max(stepBytes, result.needed)
    await new Promise(setImmediate)
  }
}
