/** A segment of a test's log, packed at once. */
import type { BlockCodecName } from '../../src/storage/packed/codecs.js'
import { type PackedSize, SegmentPacking } from '../../src/storage/rewrite/segment-packing.js'
import { UnfitSegment } from '../../src/storage/rewrite/segment-rewrite.js'
import type { StorageLog } from './storage-log.js'

/** The same where it is worth it. */
export async function packIfWorth(log: StorageLog, segment: number, blockLog2?: number): Promise<void> {
  try {
    await packSegment(log, segment, 'deflate', blockLog2)
  } catch (error) {
    if (!(error instanceof UnfitSegment)) throw error
  }
}

export async function packSegment(
  log: StorageLog,
  segment: number,
  codec: BlockCodecName = 'deflate',
  blockLog2?: number,
): Promise<PackedSize> {
  const { files, world } = log
  const packing = new SegmentPacking(
    { disk: world.disk, files, plainMemory: world.plainMemory },
    segment,
    codec,
    blockLog2,
  )
  try {
    const size = await packing.write(() => new Promise(setImmediate))
    packing.takeName()
    return size
  } catch (error) {
    packing.discard()
    throw error
  }
}
