/**
 * Everything that one thread reads with: windows of its own, what it knows of indexes, and the `Reader` over both. For a reader
 * thread, and for the reaper where it stands in for one.
 */
import { toPortable } from '../../errors.js'
import { maxSlots, maxWindowsPerReader, writerMappings } from '../../limits.js'
import { FileMemory } from '../../memory/file-window.js'
import type { Memory } from '../../memory/memory.js'
import type { SharedState } from '../../ring/shared-state.js'
import { SlotTable } from '../../ring/slot-table.js'
import { TopicCells } from '../../ring/topic-cells.js'
import { nodeDisk } from '../../storage/files/disk.js'
import { SegmentFiles } from '../../storage/files/segment-files.js'
import { SegmentWindows } from '../../storage/files/segment-windows.js'
import { Catalog, type LogBounds } from '../../storage/index/catalog.js'
import { HandedFooters } from '../../storage/index/handed-footers.js'
import { RecordLookup } from '../../storage/read/record-lookup.js'
import { TopicReader } from '../../storage/read/topic-reader.js'
import { SideIndexes } from '../../storage/side/side-indexes.js'
import type { ReaderData } from '../shared-memory.js'
import { lookOfFollower } from './follower-look.js'
import type { HandlerMeans } from './handler.js'
import { type ReadAnswer, Reader, type ReadTask } from './reader.js'

export class Reading {
  readonly #windows: SegmentWindows
  readonly #catalog: Catalog
  readonly #lookup: RecordLookup
  readonly #sides: SideIndexes
  readonly #reader: Reader

  /**
   * @param memory how segments are reached
   * @param handlers in a thread of a processor
   */
  constructor(data: Omit<ReaderData, 'io' | 'handler'>, state: SharedState, memory: Memory, handlers?: HandlerMeans) {
    const { shared, id, segmentBytes, footers } = data
    const slots = new SlotTable(shared.slots)
    const files = new SegmentFiles(nodeDisk, shared.directory, segmentBytes, id)
    const maxMapped = Math.min((maxSlots / 4) * 3, Math.floor(shared.maxMappedBytes / segmentBytes) - writerMappings)
    const wantRoom = () => {
      slots.askForRoom()
      state.reaper.ringIfAsleep()
    }
    const spare = new FileMemory()
    const windows = new SegmentWindows(memory, spare, files, slots, 'read', maxWindowsPerReader, maxMapped, wantRoom)
    const bounds: LogBounds = {
      published: () => state.published.load(),
      indexed: () => state.indexed.load(),
      trim: () => state.trim.load(),
    }
    this.#windows = windows
    this.#catalog = new Catalog(nodeDisk, files, windows, bounds, new HandedFooters(footers, segmentBytes))
    this.#lookup = new RecordLookup(files, windows, this.#catalog, bounds)
    this.#sides = new SideIndexes(nodeDisk, files)
    const topics = new TopicReader(files, windows, this.#catalog, bounds, this.#sides)
    const look = shared.isFollower ? lookOfFollower(shared) : undefined
    const cells = new TopicCells(shared.topics)
    this.#reader = new Reader(topics, this.#lookup, this.#catalog, cells, bounds.trim, look, handlers)
  }

  /**
   * Errors travel as values: an error object would lose its code and details between threads.
   * @returns what the task came to, and the memory in it that is to be moved, not copied: it belongs to the application then
   */
  async run(task: ReadTask): Promise<{ answer: ReadAnswer; buffers: ArrayBuffer[] }> {
    try {
      const value = await this.#reader.run(task)
      return { answer: { value }, buffers: isAnsweredInBytes(task) ? buffersOf(value as AnswerInBytes) : [] }
    } catch (error) {
      return { answer: { error: toPortable(error) }, buffers: [] }
    }
  }

  /**
   * Gives back what the reaper has retired, and files that were deleted or have others in their place. Between tasks.
   * @returns true if that was the last that was mapped here
   */
  dropRetired(): boolean {
    const retired = this.#windows.dropRetired()
    this.#catalog.forget(retired)
    this.#sides.dropReplaced()
    const isReplaced = this.#windows.dropReplaced()
    if (retired.length === 0 && !isReplaced) return false
    // What was kept of indexes may be of the files before.
    this.#lookup.forget()
    this.#sides.forget()
    return this.#windows.isUnmapped
  }

  close(): void {
    this.#windows.closeAll()
    this.#sides.close()
  }
}

interface AnswerInBytes {
  bytes: Uint8Array<ArrayBuffer>
  more?: AnswerInBytes[]
}

function isAnsweredInBytes({ op }: ReadTask): boolean {
  return op === 'chunk' || op === 'records' || op === 'keyed' || op === 'ids'
}

function buffersOf({ bytes, more = [] }: AnswerInBytes): ArrayBuffer[] {
  return [bytes.buffer, ...more.map((each) => each.bytes.buffer)]
}
