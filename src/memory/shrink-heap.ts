/**
 * What a thread that has nothing to do keeps: V8 collects when something is allocated, and leaves its young generation as large as the
 * work has made it, up to 16 MiB. For threads of the library, when they become idle.
 */
import v8 from 'node:v8'

/** Larger heaps are the work of the application's modules: to collect them takes long, and V8 knows better when. */
const maxHeapBytes = 64 << 20
/** With less to be had it is not worth the time. */
const minGrowthBytes = 4 << 20

let leftBytes = 0

/**
 * Collects all garbage of the calling thread (20 to 40 ms, in a turn of its event loop), and gives back what V8 keeps for new objects,
 * and what finalizers hold.
 */
export async function shrinkHeap(): Promise<void> {
  if (v8.getHeapStatistics().used_heap_size > maxHeapBytes || heldBytes() - leftBytes < minGrowthBytes) return
  try {
    // V8's low memory notification. `gc()` keeps the young generation as it is, and needs a flag that all of the process would see.
    const { Session } = process.getBuiltinModule('node:inspector/promises')
    const session = new Session()
    session.connect()
    try {
      await session.post('HeapProfiler.collectGarbage')
    } finally {
      session.disconnect()
    }
    // Finalizers of buffers run in a turn of their own: mmap-io's give addresses back.
    await new Promise(setImmediate)
  } catch {
    // Node was built without it, or does not permit it: the memory stays until there is work again.
  }
  leftBytes = heldBytes()
}

function heldBytes(): number {
  const { total_physical_size: heap, external_memory: external } = v8.getHeapStatistics()
  return heap + external
}
