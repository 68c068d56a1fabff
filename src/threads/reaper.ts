/**
 * The reaper: the life of segments. It prepares them ahead of the writer, takes page faults for it, flushes, writes the
 * index of sealed segments, retires idle mappings and deletes trimmed files.
 *
 * An event-loop thread: slow calls run off it, so that one slow flush does not hold up the rest. Nothing here sits on
 * the append or the read path. Each duty is a method that looks at the shared words and does what is due; `tend()`
 * calls them all and is called on every bell and on a slow clock.
 */
import {
  allocateRetryMs,
  indexAnywayBytes,
  indexQuietMs,
  prefaultAheadBytes,
  prefaultStepBytes,
  preparedSegments,
  retireStepBytes,
} from '../limits.js'
import { type Memory, pageBytes, type SystemCalls } from '../memory/memory.js'
import type { AbortWord } from '../ring/abort-word.js'
import type { SharedState } from '../ring/shared-state.js'
import type { SlotRow, SlotTable } from '../ring/slot-table.js'
import { type BackupReport, type BackupSource, backUp } from '../storage/backup.js'
import type { ControlFile } from '../storage/control-file.js'
import type { Disk } from '../storage/disk.js'
import type { Flusher } from '../storage/flusher.js'
import { LiveIndex } from '../storage/live-index.js'
import { readSealedSegment } from '../storage/sealed-index.js'
import type { SegmentFiles } from '../storage/segment-files.js'
import { writeSegmentIndex } from '../storage/segment-sealer.js'
import type { GroupKeeper } from './group-keeper.js'

/** Bytes of a sealed segment that are indexed in one turn of the event loop. */
const indexStepBytes = 4 << 20

/** What the application may want to hear of; sent to its thread. */
export type ReaperEvent =
  | { type: 'prepared' | 'rolled' | 'indexed' | 'retired' | 'deleted'; segment: number }
  | { type: 'flushed'; position: number; micros: number }
  | { type: 'error'; what: string; code: string; errno: number }

export interface ReaperParts {
  state: SharedState
  slots: SlotTable
  directory: string
  disk: Disk
  files: SegmentFiles
  /** Reads segments for indexing, without mapping them. */
  plainMemory: Memory
  calls: SystemCalls
  /** Copies a range of a file, for backups. */
  copy: BackupSource['copy']
  flusher: Flusher
  control: ControlFile
  groups: GroupKeeper
  epoch: number
  bootId: string
  /** Only mappings are tended then; nothing on disk is touched. */
  readOnly: boolean
  mapTtlMs: number
  flushIntervalMs: number
  /** A clock that never goes back. */
  nowMs(): number
  /** Topics' first readable offsets, by topic id: what trims have left. */
  firstReadable(topic: number): number
  emit(event: ReaperEvent): void
}

export class Reaper {
  readonly #parts: ReaperParts
  #flushing: Promise<void> | undefined
  #indexing: Promise<void> | undefined
  #lastFlushMs = Number.NEGATIVE_INFINITY
  #lastAllocateMs = Number.NEGATIVE_INFINITY
  #lastActive = -1
  /** The end of the log when it was last seen to have moved, and when that was. */
  #lastMove = { published: -1, atMs: 0 }
  #isStopped = false
  /** Backups under way: what they copy must not be deleted. */
  readonly #backups = new Set<Promise<unknown>>()
  #isReleaseDue = false
  #storing = { published: 0, stored: 0, isMost: false }
  /** Where the log ended when the writer had redeclared the topics of the segments to be deleted. */
  #redeclaredPosition: number | undefined
  /** Segments found to be needed, and at which count of trims: asked again only after another trim. */
  readonly #kept = new Map<number, number>()
  #trims = 0
  /** By slot: how far its pages have been faulted in, and for which address. */
  readonly #prefaulted = new Map<number, { address: number; to: number }>()

  constructor(parts: ReaperParts) {
    this.#parts = parts
    parts.groups.onFailure = (error) => this.#giveUp('flushing the groups', error)
  }

  /** Does everything that is due. Returns the number of ms after which there may be more without a bell. */
  tend(): number {
    if (this.#isStopped) return Number.POSITIVE_INFINITY
    if (this.#parts.readOnly) {
      this.#retireIdle()
      return this.#clockMs()
    }
    let isBehind = false
    try {
      this.#reportRoll()
      this.#prepare()
      isBehind = this.#prefault()
      this.#retireIdle()
      this.#flushIfDue()
      if (this.#parts.state.reaperErrno.load() === 0) this.#parts.groups.tend()
      this.#indexIfDue()
      this.#deleteIfDue()
    } catch (error) {
      this.#giveUp('looking after the segments', error)
    }
    if (isBehind) return 0
    return this.#parts.state.allocateErrno.load() === 0 ? this.#clockMs() : allocateRetryMs
  }

  /** Stops the clockwork after flushing everything; the control record then says "clean". */
  async stop(isClean: boolean): Promise<void> {
    const { state, control, flusher, groups, readOnly } = this.#parts
    // They have been told to end by whoever closes the log.
    await Promise.allSettled(this.#backups)
    if (readOnly) {
      this.#isStopped = true
      control.close()
      return
    }
    await this.#flushing
    if (isClean) await this.#flush(state.published.load())
    this.#isStopped = true
    await groups.stop(isClean && state.reaperErrno.load() === 0)
    await this.#indexing
    // A clean log opens without walking anything but its tail.
    for (let last = -1; isClean && last < state.indexed.load() && this.#startIndexing(); await this.#indexing) {
      last = state.indexed.load()
    }
    this.#writeControl(isClean && state.reaperErrno.load() === 0)
    control.sync()
    control.close()
    flusher.close()
  }

  /** A thread has ended without giving its mappings back: nobody else will. */
  ownerDied(threadId: number): void {
    const { slots, calls } = this.#parts
    for (const row of slots.rows())
      if (row.owner === threadId) slots.takeOver(row.slot, () => calls.retire(row.address, row.byteLength))
  }

  /** Copies the log as it is now. Runs beside the other duties; only the deletion of segments waits for it. */
  async backUp(target: string, abort: AbortWord): Promise<BackupReport> {
    const { state, disk, files, calls, copy, control, epoch, bootId, directory } = this.#parts
    const running = backUp(
      {
        disk,
        files,
        calls,
        directory,
        created: control.identity.created,
        now: () => ({
          epoch,
          published: state.published.load(),
          durable: state.durable.load(),
          trim: state.trim.load(),
          time: state.publishedTime.load(),
          bootId,
        }),
        indexed: () => state.indexed.load(),
        copy,
        isAborted: () => abort.isRaised,
      },
      target,
    )
    this.#backups.add(running)
    try {
      return await running
    } finally {
      this.#backups.delete(running)
      state.reaper.ring()
    }
  }

  /** Idle mappings go within two TTLs with nothing but time passing: the clock ticks four times in one. */
  #clockMs(): number {
    const { mapTtlMs, flushIntervalMs, state, groups } = this.#parts
    const isDirty = state.published.load() > state.durable.load() || groups.isDirty
    const dues = [mapTtlMs / 4]
    if (isDirty) dues.push(flushIntervalMs / 2)
    if (this.#unindexed() !== undefined) dues.push(indexQuietMs)
    return Math.max(5, Math.min(...dues))
  }

  #reportRoll(): void {
    const active = this.#parts.state.activeSegment.load()
    if (active > this.#lastActive && this.#lastActive >= 0) {
      for (let segment = this.#lastActive; segment < active; segment++) this.#parts.emit({ type: 'rolled', segment })
    }
    this.#lastActive = active
  }

  /** Keeps the next segments ready: allocated, whole and durable before the writer learns of them. */
  #prepare(): void {
    const { state, files, calls, epoch, nowMs } = this.#parts
    if (state.reaperErrno.load() !== 0) return
    if (state.allocateErrno.load() !== 0 && nowMs() - this.#lastAllocateMs < allocateRetryMs) return
    for (;;) {
      const next = state.prepared.load() + 1
      const active = state.activeSegment.load()
      if (next > active + preparedSegments) return
      try {
        this.#lastAllocateMs = nowMs()
        files.create(next, epoch, Date.now(), calls)
      } catch (error) {
        const { errno, code } = errnoOf(error)
        // Spare segments are prepared when they can be; only a writer without any is out of space.
        if (next > active + 1) return
        if (state.allocateErrno.load() !== errno) {
          this.#parts.emit({ type: 'error', what: 'allocating a segment', code, errno })
        }
        state.allocateErrno.store(errno)
        state.writer.ring()
        return
      }
      state.prepared.store(next)
      state.allocateErrno.store(0)
      state.writer.ringIfAsleep()
      this.#parts.emit({ type: 'prepared', segment: next })
      // The one the writer needs comes at once, the spare ones one a turn, so that flushing goes on in between.
      if (next > active) {
        state.reaper.ring()
        return
      }
    }
  }

  /**
   * Faults pages of the writer's mappings in ahead of it, a small step at a time: each step holds the process's
   * memory-map lock. Returns true if the writer may be outrunning it.
   */
  #prefault(): boolean {
    const { state, slots, calls, files } = this.#parts
    if (!calls.isNative) return false
    const published = state.published.load()
    if (!this.#isWriterStoring(published)) return false
    const active = state.activeSegment.load()
    for (const row of slots.rows()) {
      if (row.access !== 'write' || row.state !== 'idle' || row.segment < active) continue
      const position = Math.max(0, published - files.base(row.segment))
      const known = this.#prefaulted.get(row.slot)
      const from = Math.max(position, known?.address === row.address ? known.to : 0)
      const start = from - (from % pageBytes)
      const to = Math.min(files.segmentBytes, position + prefaultAheadBytes)
      if (to - start < prefaultStepBytes && to < files.segmentBytes) continue
      if (to <= start || !slots.pinRow(row)) continue
      const length = Math.min(prefaultStepBytes, to - start)
      const isDone = calls.populateWrite(row.address + start, length)
      slots.unpinQuietly(row.slot)
      // An old kernel refuses: then the writer takes its faults itself.
      this.#prefaulted.set(row.slot, { address: row.address, to: isDone ? start + length : files.segmentBytes })
      state.prefaultedBytes.store(state.prefaultedBytes.load() + length)
      return true
    }
    return false
  }

  /** True while most of what is appended goes through the mapping: long batches go past it and need no pages there. */
  #isWriterStoring(published: number): boolean {
    const stored = this.#parts.state.storedBytes.load()
    const seen = this.#storing
    if (published - seen.published >= prefaultAheadBytes / 4) {
      const isMost = (stored - seen.stored) * 2 >= published - seen.published
      this.#storing = { published, stored, isMost }
    }
    return this.#storing.isMost
  }

  #flushIfDue(): void {
    const { state, files, flushIntervalMs, nowMs } = this.#parts
    if (this.#flushing !== undefined || state.reaperErrno.load() !== 0) return
    const requested = state.flushRequest.load()
    const published = state.published.load()
    const durable = state.durable.load()
    const isRequested = requested !== state.flushed.load()
    const isOld = published > durable && nowMs() - this.#lastFlushMs >= flushIntervalMs
    const activeBase = files.base(state.activeSegment.load())
    const hasSealed = durable < activeBase
    if (!isRequested && !isOld && !hasSealed) return
    // While segments fill faster than the interval, whole ones are flushed and the tail is left alone.
    const position = hasSealed && !isRequested ? activeBase : published
    this.#flushing = this.#flush(position)
      .then(() => state.flushed.store(requested))
      .finally(() => {
        this.#flushing = undefined
        state.dispatcher.ringIfAsleep()
        // Whoever asked while this one ran is served by the next.
        state.reaper.ring()
      })
  }

  /** Flushes up to `position`, which was published before. */
  async #flush(position: number): Promise<void> {
    const { state, flusher, nowMs } = this.#parts
    this.#lastFlushMs = nowMs()
    if (position <= state.durable.load() || state.reaperErrno.load() !== 0) return
    const start = performance.now()
    try {
      await flusher.flush(state.durable.load(), position)
    } catch (error) {
      // Never again: a later success would say nothing about these pages.
      this.#giveUp('flushing the log', error)
      return
    }
    const micros = Math.round((performance.now() - start) * 1000)
    state.flushCount.store(state.flushCount.load() + 1)
    state.flushMicros.store(state.flushMicros.load() + micros)
    state.lastFlushMicros.store(micros)
    state.durable.store(position)
    this.#writeControl(false)
    state.writer.ringIfAsleep()
    this.#parts.emit({ type: 'flushed', position, micros })
  }

  /** The device failed: from here on nothing is written any more, and everybody who waits is told. */
  #giveUp(what: string, error: unknown): void {
    const { state } = this.#parts
    const { errno, code } = errnoOf(error)
    if (state.reaperErrno.load() !== 0) return
    state.reaperErrno.store(errno)
    this.#parts.emit({ type: 'error', what, code, errno })
    state.dispatcher.ring()
    state.writer.ring()
  }

  #writeControl(isClean: boolean): void {
    const { state, control, epoch, bootId } = this.#parts
    control.write({
      epoch,
      isClean,
      published: state.published.load(),
      durable: state.durable.load(),
      trim: state.trim.load(),
      time: state.publishedTime.load(),
      bootId,
    })
  }

  /**
   * Writes index and footer of the oldest sealed segment without one, once its data is durable. That reads the whole segment, at
   * the cost of whoever appends meanwhile: it waits for a pause, unless the writer nears the bound it has to stop at.
   */
  #indexIfDue(): void {
    const { state, files, nowMs } = this.#parts
    const published = state.published.load()
    if (published !== this.#lastMove.published) this.#lastMove = { published, atMs: nowMs() }
    if (this.#indexing !== undefined) return
    const isQuiet = nowMs() - this.#lastMove.atMs >= indexQuietMs
    const isNearBound = published - state.indexed.load() >= Math.max(indexAnywayBytes, files.segmentBytes)
    if (isQuiet || isNearBound) this.#startIndexing()
  }

  /** The oldest sealed, durable segment without an index. */
  #unindexed(): number | undefined {
    const { state, files } = this.#parts
    const segment = files.segmentOf(state.indexed.load())
    if (segment >= state.activeSegment.load() || state.reaperErrno.load() !== 0) return undefined
    return state.durable.load() < files.base(segment + 1) ? undefined : segment
  }

  /** False: there is nothing to index. */
  #startIndexing(): boolean {
    const { state, files } = this.#parts
    const segment = this.#unindexed()
    if (segment === undefined) return false
    this.#indexing = this.#index(segment)
      .catch((error) => {
        const { errno, code } = errnoOf(error)
        this.#parts.emit({ type: 'error', what: `indexing segment ${files.base(segment)}`, code, errno })
      })
      .finally(() => {
        // Readers derive the index of a segment without footer themselves, so a failure here costs time, not data.
        state.indexed.store(files.base(segment + 1))
        this.#indexing = undefined
        state.writer.ringIfAsleep()
        state.reaper.ring()
      })
    return true
  }

  async #index(segment: number): Promise<void> {
    const { files, disk, plainMemory } = this.#parts
    const base = files.base(segment)
    const file = disk.open(files.path(segment), 'write')
    if (file === undefined) return
    try {
      if (readSealedSegment((at, length) => file.read(at, length), base, files.segmentBytes) !== undefined) return
      const index = new LiveIndex(base, files.segmentBytes)
      const window = plainMemory.open(files.path(segment), files.segmentBytes, 'read')
      try {
        // In steps, so that the thread's other duties are not held up by a large segment.
        while (!index.isSealed && index.damages.length === 0 && index.end < files.segmentBytes) {
          index.catchUp(window, files.segmentBytes, true, indexStepBytes)
          await new Promise(setImmediate)
        }
      } finally {
        window.close()
      }
      // A damaged segment keeps no footer: who reads it derives the index and meets the damage.
      if (!index.isSealed || index.damages.length > 0) return
      writeSegmentIndex(file, base, files.segmentBytes, index)
      this.#parts.emit({ type: 'indexed', segment })
    } finally {
      file.close()
    }
  }

  /**
   * Deletes the oldest segments of which no topic can read anything any more. Order: topics that only they declare
   * are declared anew and that is durable; the trim position is durable; then the files go, then the directory is flushed.
   */
  #deleteIfDue(): void {
    const { state, files, control } = this.#parts
    if (state.reaperErrno.load() !== 0 || this.#backups.size > 0) return
    const first = files.segmentOf(state.trim.load())
    const wanted = state.deleteTo.load()
    if (wanted > first) {
      const isRedeclared = state.redeclared.load() >= wanted
      if (!isRedeclared || state.durable.load() < this.#redeclaredAt(isRedeclared)) return
      state.trim.store(files.base(wanted))
      this.#writeControl(false)
      control.sync()
      for (let segment = first; segment < wanted; segment++) {
        for (const row of this.#parts.slots.rows()) if (row.segment === segment) this.#retire(row)
        files.remove(segment)
        state.deletedCount.store(state.deletedCount.load() + 1)
        this.#parts.emit({ type: 'deleted', segment })
      }
      files.syncDirectory()
      this.#redeclaredPosition = undefined
      return
    }
    const end = this.#deletableEnd(first)
    if (end === first) return
    state.deleteTo.store(end)
    state.writer.ring()
  }

  /** The position that must be durable before the files go: where the log ended when the writer had redeclared. */
  #redeclaredAt(isRedeclared: boolean): number {
    if (isRedeclared && this.#redeclaredPosition === undefined) {
      this.#redeclaredPosition = this.#parts.state.published.load()
      this.#lastFlushMs = Number.NEGATIVE_INFINITY
    }
    return this.#redeclaredPosition ?? Number.POSITIVE_INFINITY
  }

  /** First segment, from `first` on, that some topic can still read from; never the active one. */
  #deletableEnd(first: number): number {
    const { state, files, firstReadable } = this.#parts
    const indexedEnd = files.segmentOf(state.indexed.load())
    let segment = first
    for (; segment < Math.min(indexedEnd, state.activeSegment.load()); segment++) {
      if (this.#kept.get(segment) === this.#trims) break
      const isReadable = this.#topicEnds(segment).some(({ topic, end }) => firstReadable(topic) < end)
      if (isReadable) {
        this.#kept.set(segment, this.#trims)
        break
      }
    }
    return segment
  }

  /** The topics of a sealed segment and where their records in it end: from its footer, or from its batches. */
  #topicEnds(segment: number): { topic: number; end: number }[] {
    const { files, disk, plainMemory } = this.#parts
    const base = files.base(segment)
    const file = disk.open(files.path(segment), 'read')
    if (file === undefined) return []
    const sealed = readSealedSegment((at, length) => file.read(at, length), base, files.segmentBytes)
    file.close()
    if (sealed !== undefined) return sealed.rows.map((row) => ({ topic: row.topic, end: row.firstOffset + row.count }))
    if (!files.isWhole(segment)) return []
    const window = plainMemory.open(files.path(segment), files.segmentBytes, 'read')
    try {
      const index = new LiveIndex(base, files.segmentBytes)
      index.catchUp(window, files.segmentBytes, true)
      return [...index.topics.values()].map(({ topic, firstOffset, count }) => ({ topic, end: firstOffset + count }))
    } finally {
      window.close()
    }
  }

  /** Some topic was trimmed: look anew at what can be deleted. */
  noteTrim(): void {
    this.#trims += 1
  }

  /** Retires mappings that have been idle for a TTL, and the writer's mappings of segments it has left. */
  #retireIdle(): void {
    const { slots, state, mapTtlMs } = this.#parts
    const active = state.activeSegment.load()
    const durable = state.durable.load()
    const published = state.published.load()
    for (const row of slots.rows()) {
      const isLeft = row.access === 'write' && row.segment < active
      if (!isLeft && !slots.isIdleFor(row, mapTtlMs)) continue
      // The tail waits for its flush. A segment the writer has left goes before it: pages that are mapped for writing would
      // have to be write-protected one by one, with an interrupt to every core for each.
      if (!isLeft && row.access === 'write' && durable < published) continue
      this.#retire(row)
      this.#isReleaseDue ||= !isLeft
    }
    this.#releaseIfIdle()
  }

  /** Once nothing is mapped any more, what readers have freed goes back as well; their owners have dropped it by the next turn. */
  #releaseIfIdle(): void {
    const { slots, calls } = this.#parts
    if (!this.#isReleaseDue || !slots.rows().next().done) return
    this.#isReleaseDue = false
    calls.releaseFreeMemory()
  }

  #retire(row: SlotRow): void {
    const { slots, state, calls } = this.#parts
    if (row.state !== 'idle' || row.pins > 0 || !slots.tryRetire(row)) return
    // In steps: each holds the process's memory-map lock.
    for (let at = 0; at < row.byteLength; at += retireStepBytes) {
      calls.retire(row.address + at, Math.min(retireStepBytes, row.byteLength - at))
    }
    slots.markRetired(row.slot)
    state.retiredCount.store(state.retiredCount.load() + 1)
    // The owners give the address ranges back when they next look.
    state.retirements.ring()
    state.writer.ringIfAsleep()
    this.#parts.emit({ type: 'retired', segment: row.segment })
  }
}

function errnoOf(error: unknown): { errno: number; code: string } {
  const { errno, code } = error as NodeJS.ErrnoException
  // Node's own errors carry negative numbers.
  return { errno: Math.abs(errno ?? 0) || 5, code: code ?? 'EIO' }
}
