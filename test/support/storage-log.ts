/** The storage code without threads: one tail, one reader, and every step of the reaper as a method. */
import path from 'node:path'
import { frameFlag } from '../../src/format/frame-layout.js'
import { unknownLogId } from '../../src/format/log-id.js'
import { SlotTable } from '../../src/ring/slot-table.js'
import { LogTail } from '../../src/storage/append/log-tail.js'
import { ControlFile } from '../../src/storage/files/control-file.js'
import { SegmentFiles } from '../../src/storage/files/segment-files.js'
import { SegmentWindows } from '../../src/storage/files/segment-windows.js'
import { HotReader } from '../../src/storage/hot/hot-reader.js'
import { Catalog } from '../../src/storage/index/catalog.js'
import { HandedFooters } from '../../src/storage/index/handed-footers.js'
import { LiveIndex } from '../../src/storage/index/live-index.js'
import { writeSegmentIndex } from '../../src/storage/index/segment-sealer.js'
import { type Recovered, recover } from '../../src/storage/life/recovery.js'
import { RecordLookup } from '../../src/storage/read/record-lookup.js'
import { TopicReader } from '../../src/storage/read/topic-reader.js'
import { allocateRows, RowReader, RowWriter } from '../../src/storage/rows/rows.js'
import { groupOf, runOf, type TestFrame } from './frames.js'
import type { World } from './worlds.js'

export const bootA = 'a'.repeat(32)
export const bootB = 'b'.repeat(32)
export const testSegmentBytes = 1 << 20

export interface StorageLogOptions {
  bootId?: string
  mayRepair?: boolean
  segmentBytes?: number
  /** A power of two. */
  rowBytes?: number
  now?: () => number
  /** As with `lockActive`. */
  mapsAlways?: boolean
}

export class StorageLog {
  readonly world: World
  readonly files: SegmentFiles
  readonly control: ControlFile
  readonly recovered: Recovered
  readonly tail: LogTail
  /** Those that the tail has put. */
  readonly rows: RowReader
  readonly #rowWriter: RowWriter
  readonly reader: TopicReader
  readonly lookup: RecordLookup
  /** Where the world says what is in memory. */
  readonly hot: HotReader | undefined
  readonly catalog: Catalog
  readonly slots: SlotTable
  readonly tailWindows: SegmentWindows
  readonly readWindows: SegmentWindows
  readonly bootId: string
  readonly epoch: number
  published: number
  durable: number
  indexed: number
  trim: number

  constructor(world: World, options: StorageLogOptions = {}) {
    const { bootId = bootA, mayRepair = true, segmentBytes = testSegmentBytes, now = Date.now, mapsAlways } = options
    const { disk, directory } = world
    this.world = world
    this.bootId = bootId
    const control = ControlFile.open(disk, directory, mayRepair ? 'write' : 'read')
    this.control = control ?? ControlFile.create(disk, directory, segmentBytes, 1)
    this.files = new SegmentFiles(disk, directory, segmentBytes, this.control.identity.id)
    disk.makeDirectory(this.files.directory)
    const { files } = this
    const memory = world.plainMemory
    const looks = files.lookAtAll()
    this.recovered = recover({ disk, memory, files, looks, control: this.control.found, bootId, mayRepair })
    const { tail, topics, prepared, published, durable, indexed, trim } = this.recovered
    const epoch = Math.max(this.recovered.epoch, this.control.found?.epoch ?? 0) + 1
    this.epoch = epoch
    this.published = published
    this.durable = durable
    this.indexed = indexed
    this.trim = trim
    if (mayRepair && prepared < tail.segment) files.create(tail.segment, epoch, 1, world.calls)
    else if (mayRepair) files.allocate(tail.segment, 0, segmentBytes, world.calls)
    this.slots = new SlotTable(SlotTable.allocate())
    this.tailWindows = new SegmentWindows(world.memory, world.plainMemory, files, this.slots, 'write', 256)
    this.readWindows = new SegmentWindows(world.memory, world.plainMemory, files, this.slots, 'read', 4)
    const rows = allocateRows(options.rowBytes ?? 1 << 16)
    this.#rowWriter = new RowWriter(rows)
    this.rows = new RowReader(rows)
    const windows = this.tailWindows
    this.tail = new LogTail({ files, windows, tail, topics, rows: this.#rowWriter, epoch, now, mapsAlways })
    const bounds = { published: () => this.published, indexed: () => this.indexed, trim: () => this.trim }
    const handed = new HandedFooters(this.recovered.footers, segmentBytes)
    this.catalog = new Catalog(disk, files, this.readWindows, bounds, handed)
    this.reader = new TopicReader(files, this.readWindows, this.catalog, bounds)
    this.lookup = new RecordLookup(files, this.readWindows, this.catalog, bounds)
    this.hot = world.now && new HotReader(world.now, files, bounds)
    if (mayRepair) this.writeControl(false)
  }

  /** Appends frames in order, rolling where a segment is full; atomic where `isGroup`. */
  append(frames: readonly TestFrame[], isGroup = false): void {
    const run = runOf(frames)
    const end = run.bytes.length
    const records = frames.filter((frame) => 'value' in frame).length
    for (let at = 0; at < end; ) {
      const taken = isGroup ? (this.tail.appendGroup(run, 0, end, records) ? end : 0) : this.tail.append(run, at, end)
      if (taken === 0) this.roll()
      at += taken
    }
    this.publish()
  }

  appendGroup(topic: number, values: readonly Uint8Array[]): void {
    this.append(groupOf(topic, values), true)
  }

  /** The batches of a group without its last frame: what a crash in the middle leaves. Published to nobody. */
  appendHalfGroup(topic: number, values: readonly Uint8Array[]): void {
    const frames = groupOf(topic, values).map((frame) => ({ ...frame, flags: frameFlag.continues }))
    const run = runOf(frames)
    if (!this.tail.appendGroup(run, 0, run.bytes.length, frames.length)) throw new Error('half a group fits')
  }

  publish(): void {
    this.published = this.tail.position
    this.#rowWriter.publish()
  }

  /** Goes on in the next segment. */
  roll(): void {
    const next = this.tail.segment + 1
    const { files, world } = this
    if (files.isWhole(next)) files.allocate(next, 0, files.segmentBytes, world.calls)
    else files.create(next, 1, 1, world.calls)
    this.tail.roll()
    this.publish()
  }

  /** Makes everything published durable. */
  flush(): void {
    for (let segment = this.files.segmentOf(this.durable); segment <= this.tail.segment; segment++) {
      const file = this.world.disk.open(this.files.path(segment), 'write')
      file?.sync()
      file?.close()
    }
    this.durable = this.published
    this.writeControl(false)
  }

  /** Writes index and footer of every sealed segment. */
  async index(): Promise<void> {
    this.flush()
    const { files, world } = this
    for (let segment = files.segmentOf(this.indexed); segment < this.tail.segment; segment++) {
      await indexSegment(world, files, segment)
      this.indexed = files.base(segment + 1)
    }
  }

  /** Deletes the segments below `segment`, with everything that has to come before. */
  deleteBelow(segment: number): void {
    if (!this.tail.redeclareBelow(segment)) {
      this.roll()
      this.tail.redeclareBelow(segment)
    }
    this.publish()
    this.flush()
    const first = this.files.segmentOf(this.trim)
    this.trim = this.files.base(segment)
    this.writeControl(false)
    for (let index = first; index < segment; index++) this.files.remove(index)
    this.files.syncDirectory()
  }

  writeControl(isClean: boolean): void {
    const { published, durable, trim, bootId } = this
    this.control.write({ epoch: 1, isClean, published, durable, trim, time: this.tail.time, bootId })
    this.control.sync()
  }

  /** Gives everything back; a log that is not closed cleanly looks as after `kill -9`. */
  close(isClean: boolean): void {
    if (isClean) {
      this.flush()
      this.writeControl(true)
    }
    void this.hot?.close()
    this.control.close()
    this.tailWindows.closeAll()
    this.readWindows.closeAll()
  }

  path(segment: number): string {
    return this.files.path(segment)
  }

  controlPath(): string {
    return path.join(this.world.directory, 'control')
  }
}

/** As its control file says. */
export function logIdOf({ disk, directory }: World): string {
  const control = ControlFile.open(disk, directory, 'read')
  control?.close()
  return control?.identity.id ?? unknownLogId
}

export async function indexSegment(world: World, files: SegmentFiles, segment: number): Promise<void> {
  const base = files.base(segment)
  const index = new LiveIndex(base, files.segmentBytes)
  const window = world.plainMemory.open(files.path(segment), files.segmentBytes, 'read')
  index.catchUp(window, files.segmentBytes, true)
  window.close()
  if (!index.isSealed || index.damages.length > 0) return
  const file = world.disk.open(files.path(segment), 'write')
  if (file === undefined) throw new Error('a sealed segment is there')
  await writeSegmentIndex(file, base, files.segmentBytes, index)
  file.close()
}
