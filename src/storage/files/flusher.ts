/**
 * Making the log durable: everything up to a position, in order of segments.
 *
 * The position is fixed before the flush begins, so what is appended meanwhile counts for the next one. A failed flush
 * is final: the kernel may have dropped the pages it could not write, and a second try would say "done" about data
 * that is not there (ATC 2020, "Can Applications Recover from fsync Failures?").
 */
import { errno, failedCall } from '../../memory/errno.js'
import { pageBytes, type SystemCalls } from '../../memory/memory.js'
import type { SlotTable } from '../../ring/slot-table.js'
import type { Disk, DiskFile } from './disk.js'
import type { SegmentFiles } from './segment-files.js'

export class Flusher {
  readonly #disk: Disk
  readonly #files: SegmentFiles
  readonly #slots: SlotTable
  readonly #calls: SystemCalls
  #open: { segment: number; file: DiskFile } | undefined

  constructor(disk: Disk, files: SegmentFiles, slots: SlotTable, calls: SystemCalls) {
    this.#disk = disk
    this.#files = files
    this.#slots = slots
    this.#calls = calls
  }

  /** Flushes the bytes of `[from, to)`. When it resolves, a power cut does not lose them. */
  async flush(from: number, to: number): Promise<void> {
    for (const { segment, start, end } of this.#rangesOf(from, to)) await this.#flushSegment(segment, start, end)
  }

  /** The same on this thread, for what is short: the way through another thread takes longer than a fast device. */
  flushHere(from: number, to: number): void {
    for (const { segment } of this.#rangesOf(from, to)) this.#fileOf(segment).sync()
  }

  /** The parts of `[from, to)` by segment, counted from its start. */
  *#rangesOf(from: number, to: number): Generator<{ segment: number; start: number; end: number }> {
    for (let at = from; at < to; ) {
      const segment = this.#files.segmentOf(at)
      const base = this.#files.base(segment)
      const end = Math.min(to, this.#files.base(segment + 1))
      yield { segment, start: at - base, end: end - base }
      at = end
    }
  }

  close(): void {
    this.#open?.file.close()
    this.#open = undefined
  }

  async #flushSegment(segment: number, from: number, to: number): Promise<void> {
    const slot = this.#pinnedSlotOf(segment)
    if (slot === undefined) {
      await this.#fileOf(segment).syncLater()
      return
    }
    // By range: the file also holds pages faulted in ahead of the writer, dirty and still empty.
    try {
      const start = from - (from % pageBytes)
      await this.#calls.syncRange(slot.address + start, to - start)
    } catch (error) {
      // Not mapped: the owner has ended, and its finalizers were faster than the news of it. The file is there.
      if ((error as NodeJS.ErrnoException).code !== 'ENOMEM') throw error
      await this.#fileOf(segment).syncLater()
    } finally {
      this.#slots.unpinQuietly(slot.slot)
    }
  }

  /** The writer's mapping of the segment, held against retirement. */
  #pinnedSlotOf(segment: number): { slot: number; address: number } | undefined {
    for (const row of this.#slots.rows()) {
      if (row.segment !== segment || row.access !== 'write' || row.state !== 'idle') continue
      return this.#slots.pinRow(row) ? row : undefined
    }
    return undefined
  }

  #fileOf(segment: number): DiskFile {
    if (this.#open?.segment === segment) return this.#open.file
    this.close()
    const file = this.#disk.open(this.#files.path(segment), 'write')
    if (file === undefined) throw failedCall('open', errno.ENOENT, `segment file ${this.#files.path(segment)} is gone`)
    this.#open = { segment, file }
    return file
  }
}
