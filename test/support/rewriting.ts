/** A segment of a test's log, written anew at once. */
import type { Kept, KeptFrom } from '../../src/storage/rewrite/kept-batches.js'
import { SegmentRewrite } from '../../src/storage/rewrite/segment-rewrite.js'
import type { StorageLog } from './storage-log.js'

/** @param from where what is kept of a topic begins; of the others all is */
export async function rewriteSegment(
  log: StorageLog,
  segment: number,
  from: ReadonlyMap<number, KeptFrom>,
  expiredBy = 0,
  gone: Kept['gone'] = new Map(),
) {
  const { files, world } = log
  const kept = { from, expiredBy, expiring: new Set([0, 1, 2]), gone }
  const rewrite = new SegmentRewrite({ disk: world.disk, files, plainMemory: world.plainMemory }, segment, kept)
  try {
    await rewrite.write(() => new Promise(setImmediate))
    rewrite.takeName()
  } catch (error) {
    rewrite.discard()
    throw error
  }
}
