/** Entry of a reader thread: a piscina worker that answers read tasks. */
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina'
import { type PortableError, toPortable } from '../src/errors.js'
import { maxSlots, maxWindowsPerReader, writerMappings } from '../src/limits.js'
import { FileMemory } from '../src/memory/file-window.js'
import { loadMemory } from '../src/memory/load.js'
import { shrinkHeap } from '../src/memory/shrink-heap.js'
import { loadSystemCalls } from '../src/memory/system-calls.js'
import { openSharedState } from '../src/ring/shared-state.js'
import { SlotTable } from '../src/ring/slot-table.js'
import { TopicCells } from '../src/ring/topic-cells.js'
import { Catalog } from '../src/storage/catalog.js'
import { nodeDisk } from '../src/storage/disk.js'
import { RecordLookup } from '../src/storage/record-lookup.js'
import { SegmentFiles } from '../src/storage/segment-files.js'
import { SegmentWindows } from '../src/storage/segment-windows.js'
import { TopicReader } from '../src/storage/topic-reader.js'
import { Reader, type ReadTask } from '../src/threads/reader.js'
import type { ReaderData } from '../src/threads/shared-memory.js'

const { shared, segmentBytes, io } = workerData as ReaderData
const state = openSharedState(shared.state)
const slots = new SlotTable(shared.slots)
const files = new SegmentFiles(nodeDisk, shared.directory, segmentBytes)
const calls = loadSystemCalls()
// Not mmap-io: a module of the application may end this thread at any time, and mmap-io's finalizers would then unmap addresses
// that the reaper still counts as ours. A koffi mapping stays until the reaper has taken it over.
const memory = loadMemory(io === 'file' ? 'file' : 'koffi', calls)
const maxMapped = Math.min((maxSlots / 4) * 3, Math.floor(shared.maxMappedBytes / segmentBytes) - writerMappings)
const windows = new SegmentWindows(
  memory,
  new FileMemory(),
  files,
  slots,
  'read',
  maxWindowsPerReader,
  maxMapped,
  () => {
    slots.askForRoom()
    state.reaper.ringIfAsleep()
  },
)
const bounds = {
  published: () => state.published.load(),
  indexed: () => state.indexed.load(),
  trim: () => state.trim.load(),
}
const catalog = new Catalog(nodeDisk, files, windows, bounds)
const lookup = new RecordLookup(files, windows, catalog, bounds)
const reader = new Reader(
  new TopicReader(files, windows, catalog, bounds),
  lookup,
  catalog,
  new TopicCells(shared.topics),
  bounds.trim,
)

/** Gives back what the reaper has retired, and everything when the log closes. Runs between tasks. */
async function watchRetirements(): Promise<void> {
  for (;;) {
    const token = state.retirements.token()
    if (state.closing.load() !== 0) {
      windows.closeAll()
      state.closedReaders.add(1)
      state.dispatcher.ring()
      return
    }
    const retired = windows.dropRetired()
    catalog.forget(retired)
    if (retired.length > 0) {
      lookup.forget()
      if (windows.isEmpty) await shrinkHeap()
    }
    await state.retirements.waitAsync(token, 60_000)
  }
}
void watchRetirements()

export type ReadAnswer = { value: unknown } | { error: PortableError }

/** Errors travel as values: an error object would lose its code and details between threads. */
// Not a default export: for one of those Node builds a module facade, and ending a thread in the middle of that aborts the process.
export async function run(task: ReadTask | { op: 'none' }): Promise<unknown> {
  if (task.op === 'none') return { value: undefined }
  let answer: ReadAnswer
  let buffers: ArrayBuffer[] = []
  try {
    const value = await reader.run(task)
    if (task.op === 'chunk' || task.op === 'records')
      buffers = [(value as { bytes: Uint8Array<ArrayBuffer> }).bytes.buffer]
    answer = { value }
  } catch (error) {
    answer = { error: toPortable(error) }
  }
  // The chunk is moved, not copied: it belongs to the application from now on.
  return move({ [transferableSymbol]: buffers, [valueSymbol]: answer })
}
