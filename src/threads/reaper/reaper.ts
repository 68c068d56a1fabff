/**
 * The reaper: the life of segments. It prepares them ahead of the writer, takes page faults for it, flushes, writes the
 * index of sealed segments, retires idle mappings and deletes trimmed files.
 *
 * An event-loop thread: slow calls run off it, so that one slow flush does not hold up the rest. Nothing here sits on
 * the append or the read path. Each duty is a method that looks at the shared words and does what is due; `tend()`
 * calls them all and is called on every bell and on a slow clock.
 */

import type { BackupReport, Retention } from '../../engine/terms.js'
import { isOutOfDescriptors, ownerLostErrno } from '../../failures.js'
import {
  allocateRetryMs,
  indexAnywayBytes,
  indexAnywaySegments,
  indexQuietMs,
  prefaultAheadBytes,
  prefaultStepBytes,
  retireStepBytes,
} from '../../limits.js'
import { pageBytes, type SystemCalls } from '../../memory/memory.js'
import type { AbortWord } from '../../ring/abort-word.js'
import type { SlotRow } from '../../ring/slot-table.js'
import type { ControlFile } from '../../storage/files/control-file.js'
import type { Flusher } from '../../storage/files/flusher.js'
import type { Owner } from '../../storage/files/ownership.js'
import { LiveIndex } from '../../storage/index/live-index.js'
import { readSealedSegment } from '../../storage/index/sealed-index.js'
import { writeSegmentIndex } from '../../storage/index/segment-sealer.js'
import { type BackupSource, backUp } from '../../storage/life/backup.js'
import { errnoOf, isBug } from '../device-error.js'
import type { KeptSegment } from '../protocol.js'
import type { GroupKeeper } from './group-keeper.js'
import { Retainer, type RetainerParts } from './retainer.js'
import { SegmentMaker } from './segment-maker.js'

/** Bytes of a sealed segment that are indexed in one turn of the event loop. */
const indexStepBytes = 4 << 20

/** Flushes are done on this thread while they take less than this, up to so many in a turn and for so much data. */
const quickFlushMicros = 2_000
const flushesATurn = 8
const quickFlushBytes = 1 << 20

/** What the application may want to hear of; sent to its thread. */
export type ReaperEvent =
  | { type: 'prepared' | 'rolled' | 'indexed' | 'retired' | 'deleted'; segment: number }
  | { type: 'moved'; segment: number; topic: number }
  | { type: 'flushed'; position: number; micros: number }
  | { type: 'error'; what: string; code: string; errno: number }

export interface ReaperParts extends RetainerParts {
  directory: string
  calls: SystemCalls
  /** Copies a range of a file, for backups. */
  copy: BackupSource['copy']
  flusher: Flusher
  control: ControlFile
  groups: GroupKeeper
  owner: Owner
  epoch: number
  bootId: string
  /** Only mappings are tended then; nothing on disk is touched. */
  readOnly: boolean
  /**
   * The writer's mappings may be replaced from this thread. Not those of mmap-io: should the writer die, finalizers unmap them
   * before anybody hears of it, and the addresses may be a stranger's when they are replaced.
   */
  mayRetireTail: boolean
  mapTtlMs: number
  flushIntervalMs: number
  /** A clock that never goes back. */
  nowMs(): number
  /** Pages of the active segment are locked in memory as they are faulted in. */
  lockActive: boolean
  emit(event: ReaperEvent): void
  /** Gives back what this thread's heap keeps for more work. Never throws. */
  shrinkHeap(): void
}

export class Reaper {
  readonly #parts: ReaperParts
  #flushing: Promise<void> | undefined
  #indexing: Promise<void> | undefined
  #lastFlushMs = Number.NEGATIVE_INFINITY
  /** After a flush that could not be tried: when to try it. */
  #flushAgainMs = Number.NEGATIVE_INFINITY
  /** What a flush takes at present, the slower ones of late counting most. */
  #flushMicros = 0
  #lastActive = -1
  /** The end of the log when it was last seen to have moved, and when that was. */
  #lastMove = { published: -1, atMs: 0 }
  #isStopped = false
  /** The log is not this process's any more. */
  #isLost = false
  /** Backups under way: what they copy must not be deleted. */
  readonly #backups = new Set<Promise<unknown>>()
  /** Something was mapped and is not any more; and when what is free by then goes back, if nothing is mapped meanwhile. */
  #isReleaseDue = false
  #releaseAtMs = Number.POSITIVE_INFINITY
  #isLockRefused = false
  #storing = { published: 0, stored: 0, isMost: false }
  readonly #retainer: Retainer
  readonly #maker: SegmentMaker
  /** By slot: how far its pages have been faulted in, and for which address. */
  readonly #prefaulted = new Map<number, { address: number; to: number }>()

  constructor(parts: ReaperParts) {
    this.#parts = parts
    parts.groups.onFailure = (error) => this.#giveUp('flushing the groups', error)
    const { control } = parts
    this.#maker = new SegmentMaker(parts)
    this.#retainer = new Retainer(parts, {
      mayDelete: () => this.#backups.size === 0,
      flushSoon: () => {
        this.#lastFlushMs = Number.NEGATIVE_INFINITY
      },
      storeTrim: () => {
        this.#writeControl(false)
        control.sync()
      },
      retireSegment: (segment) => this.#retireSegment(segment),
      deleted: (segment) => parts.emit({ type: 'deleted', segment }),
      moved: (topic, segment) => parts.emit({ type: 'moved', topic, segment }),
    })
  }

  /** Does everything that is due. Returns the number of ms after which there may be more without a bell. */
  tend(): number {
    if (this.#isStopped) return Number.POSITIVE_INFINITY
    if (this.#parts.readOnly) {
      this.#retireIdle()
      return this.#clockMs()
    }
    // Before all that writes, makes files and deletes them.
    if (!this.#isOwner(false)) {
      this.#retireIdle()
      return this.#clockMs()
    }
    let isBehind = false
    let retainMs = Number.POSITIVE_INFINITY
    try {
      this.#flushHere()
      this.#reportRoll()
      this.#maker.tend()
      isBehind = this.#prefault()
      this.#retireIdle()
      this.#flushIfDue()
      if (this.#parts.state.reaperErrno.load() === 0) this.#parts.groups.tend()
      this.#indexIfDue()
      retainMs = this.#retainer.step()
    } catch (error) {
      if (isPassing(error)) return allocateRetryMs
      if (isBug(error)) throw error
      this.#giveUp('looking after the segments', error)
    }
    if (isBehind) return 0
    return Math.min(retainMs, this.#parts.state.allocateErrno.load() === 0 ? this.#clockMs() : allocateRetryMs)
  }

  /** Stops the clockwork after flushing everything; the control record then says "clean". */
  async stop(isClean: boolean): Promise<void> {
    const { state, control, flusher, groups, readOnly } = this.#parts
    // They have been told to end by whoever closes the log.
    await Promise.allSettled(this.#backups)
    if (readOnly || !this.#isOwner(true)) {
      this.#isStopped = true
      await Promise.all([this.#flushing, this.#indexing])
      await groups.stop(false)
      control.close()
      flusher.close()
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
    const isFlushed = state.durable.load() >= state.published.load()
    this.#writeControl(isClean && isFlushed && state.reaperErrno.load() === 0)
    control.sync()
    control.close()
    flusher.close()
  }

  /** A thread has ended without giving its mappings back: nobody else will. */
  ownerDied(threadId: number): void {
    const { slots, calls } = this.#parts
    slots.takeOver(threadId, ({ address, byteLength, access, isLent }) => {
      // Nobody can look there any more, unless it was lent (to a system call under way, say), or a flush is at it: then the addresses stay.
      const mayUnmap = access === 'read' && !isLent
      this.#tryRetiring(() => (mayUnmap ? calls.unmap(address, byteLength) : calls.retire(address, byteLength)))
    })
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

  /**
   * Faults pages of the writer's mappings in ahead of it, a small step at a time: each step holds the process's
   * memory-map lock. Returns true if the writer may be outrunning it.
   */
  #prefault(): boolean {
    const { state, slots, calls, files, lockActive } = this.#parts
    if (!calls.isNative) return false
    const published = state.published.load()
    if (!this.#isWriterStoring(published) && !lockActive) return false
    const active = state.activeSegment.load()
    for (const row of slots.rows()) {
      if (row.access !== 'write' || row.state !== 'idle' || row.segment < active) continue
      const position = Math.max(0, published - files.base(row.segment))
      const known = this.#prefaulted.get(row.slot)
      const from = Math.max(position, known?.address === row.address ? known.to : 0)
      const start = from - (from % pageBytes)
      // In a hole a fault would take blocks where there may be none.
      const blocks = state.allocated.load() - files.base(row.segment)
      const to = Math.min(files.segmentBytes, position + prefaultAheadBytes, blocks)
      if (to - start < prefaultStepBytes && to < files.segmentBytes) continue
      if (to <= start || !slots.pinRow(row)) continue
      const length = Math.min(prefaultStepBytes, to - start)
      const isDone = calls.populateWrite(row.address + start, length)
      if (lockActive) this.#lock(row.address + start, length)
      slots.unpinQuietly(row.slot)
      // An old kernel refuses: then the writer takes its faults itself.
      this.#prefaulted.set(row.slot, { address: row.address, to: isDone ? start + length : files.segmentBytes })
      state.prefaultedBytes.store(state.prefaultedBytes.load() + length)
      return true
    }
    return false
  }

  /** The lock ends with the mapping. Without permission the log works on as well: that is reported once. */
  #lock(address: number, length: number): void {
    const { calls, emit } = this.#parts
    const failure = this.#isLockRefused ? undefined : calls.lockPages(address, length)
    if (failure === undefined) return
    this.#isLockRefused = true
    const { code, errno } = failure
    emit({ type: 'error', what: 'locking pages of the active segment', code, errno })
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

  /**
   * Flushes what somebody waits for on this thread, while that is quicker than the way to another one and back. The other duties
   * have their turn after a few of them.
   */
  #flushHere(): void {
    const { state, flusher, nowMs } = this.#parts
    for (let count = 0; count < flushesATurn; count++) {
      if (this.#flushing !== undefined || !this.#mayFlush()) return
      const askedTo = state.flushAskedTo.load()
      const published = state.published.load()
      const durable = state.durable.load()
      const isQuick = this.#flushMicros < quickFlushMicros && published - durable <= quickFlushBytes
      if (askedTo === state.flushedTo.load() || !isQuick) return
      this.#lastFlushMs = nowMs()
      const start = nowMs()
      try {
        if (published > durable) {
          if (!this.#isOwner(true)) return
          flusher.flushHere(durable, published)
        }
      } catch (error) {
        this.#flushFailed(error)
        return
      }
      this.#flushed(published, askedTo, start)
    }
    state.reaper.ring()
  }

  #mayFlush(): boolean {
    return this.#parts.state.reaperErrno.load() === 0 && this.#parts.nowMs() >= this.#flushAgainMs
  }

  #flushFailed(error: unknown): void {
    if (isBug(error)) throw error
    // The file could not even be opened, so nothing was flushed and nothing has failed: it is tried again.
    if (isPassing(error)) this.#flushAgainMs = this.#parts.nowMs() + allocateRetryMs
    // Never again: a later success would say nothing about these pages.
    else this.#giveUp('flushing the log', error)
  }

  /** Everything up to `position`, and what was asked for before that was looked at, is on the device. */
  #flushed(position: number, askedTo: number, start: number): void {
    const { state, nowMs } = this.#parts
    const micros = Math.round((nowMs() - start) * 1000)
    // A slow flush counts at once, and is forgotten little by little.
    this.#flushMicros = Math.max(micros, this.#flushMicros * 0.9)
    if (position > state.durable.load()) state.durable.store(position)
    if (askedTo > state.flushedTo.load()) state.flushedTo.store(askedTo)
    // First those who wait, then the books.
    state.dispatcher.ringIfAsleep()
    state.writer.ringIfAsleep()
    state.flushCount.store(state.flushCount.load() + 1)
    state.flushMicros.store(state.flushMicros.load() + micros)
    state.lastFlushMicros.store(micros)
    this.#writeControl(false)
    this.#parts.emit({ type: 'flushed', position, micros })
  }

  #flushIfDue(): void {
    const { state, files, flushIntervalMs, nowMs } = this.#parts
    if (this.#flushing !== undefined || !this.#mayFlush()) return
    const requested = state.flushRequest.load()
    const askedTo = state.flushAskedTo.load()
    const published = state.published.load()
    const durable = state.durable.load()
    const isRequested = requested !== state.flushed.load() || askedTo > state.flushedTo.load()
    const isOld = published > durable && nowMs() - this.#lastFlushMs >= flushIntervalMs
    const activeBase = files.base(state.activeSegment.load())
    const hasSealed = durable < activeBase
    if (!isRequested && !isOld && !hasSealed) return
    // While segments fill faster than the interval, whole ones are flushed and the tail is left alone.
    const position = hasSealed && !isRequested ? activeBase : published
    this.#flushing = this.#flush(position, isRequested ? askedTo : 0)
      .then(() => state.flushed.store(requested))
      .finally(() => {
        this.#flushing = undefined
        state.dispatcher.ringIfAsleep()
        // Whoever asked while this one ran is served by the next.
        state.reaper.ring()
      })
  }

  /** Flushes up to `position`, which was published before, and after what was asked for. */
  async #flush(position: number, askedTo = 0): Promise<void> {
    const { state, flusher, nowMs } = this.#parts
    this.#lastFlushMs = nowMs()
    if (state.reaperErrno.load() !== 0) return
    if (position <= state.durable.load()) {
      if (askedTo > state.flushedTo.load()) state.flushedTo.store(askedTo)
      return
    }
    if (!this.#isOwner(true)) return
    const start = nowMs()
    try {
      await flusher.flush(state.durable.load(), position)
    } catch (error) {
      this.#flushFailed(error)
      return
    }
    // What it says is written to the control file.
    if (this.#isOwner(true)) this.#flushed(position, askedTo, start)
  }

  /**
   * False: another owner may have the log, and nothing is written any more.
   * @param looks else a look of a moment ago will do
   */
  #isOwner(looks: boolean): boolean {
    const { owner } = this.#parts
    if (this.#isLost || (looks ? owner.isKept() : owner.isKeptOfLate())) return !this.#isLost
    this.#isLost = true
    const lost = Object.assign(new Error('the lock is lost'), { errno: ownerLostErrno, code: 'BOOKEND_LOCKED' })
    this.#giveUp('keeping the lock', lost)
    return false
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
    const behind = Math.min(indexAnywayBytes, indexAnywaySegments * files.segmentBytes)
    const isNearBound = published - state.indexed.load() >= Math.max(behind, files.segmentBytes)
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
      if (!this.#isOwner(true)) return
      writeSegmentIndex(file, base, files.segmentBytes, index)
      this.#parts.emit({ type: 'indexed', segment })
    } finally {
      file.close()
    }
  }

  /** A topic is kept as said from now on. */
  retain(topic: string, retention: Retention): void {
    this.#retainer.retain(topic, retention)
  }

  segments(limit: number): Promise<KeptSegment[]> {
    return this.#retainer.describe(limit)
  }

  /** Before a file is deleted: true once nobody has it mapped in use. A pin is short, so the next look finds it gone. */
  #retireSegment(segment: number): boolean {
    let isFree = true
    for (const row of this.#parts.slots.rows()) {
      if (row.segment !== segment || row.state !== 'idle') continue
      this.#retire(row)
      isFree &&= this.#parts.slots.isRetired(row.slot)
    }
    return isFree
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
    if (slots.takeRoomAsked()) this.#makeRoom()
    this.#releaseIfIdle()
  }

  /** A reader found no room for a mapping: the least recently used eighth of the readers' mappings goes. */
  #makeRoom(): void {
    const { slots } = this.#parts
    const now = slots.nowMs()
    const rows = [...slots.rows()].filter(({ access, state }) => access === 'read' && state === 'idle')
    rows.sort((a, b) => ((now - b.lastUseMs) | 0) - ((now - a.lastUseMs) | 0))
    for (const row of rows.slice(0, Math.ceil(rows.length / 8))) this.#retire(row)
  }

  /**
   * Once nothing is mapped any more, what the threads of the log have freed goes back as well. Each collects its garbage when its last mapping
   * goes, and this one when there is none left; by the turn of the clock after that they are done.
   */
  #releaseIfIdle(): void {
    const { slots, calls, nowMs, mapTtlMs, shrinkHeap } = this.#parts
    if (!this.#isReleaseDue) return
    if (!slots.rows().next().done) this.#releaseAtMs = Number.POSITIVE_INFINITY
    else if (this.#releaseAtMs === Number.POSITIVE_INFINITY) {
      this.#releaseAtMs = nowMs() + mapTtlMs / 4
      shrinkHeap()
    } else if (nowMs() >= this.#releaseAtMs) {
      this.#releaseAtMs = Number.POSITIVE_INFINITY
      this.#isReleaseDue = false
      calls.releaseFreeMemory()
    }
  }

  #retire(row: SlotRow): void {
    const { slots, state, calls, mayRetireTail } = this.#parts
    if (row.state !== 'idle' || row.pins > 0) return
    if (row.access === 'write' && !mayRetireTail) {
      if (!slots.tryAskToLeave(row)) return
      state.retiredCount.store(state.retiredCount.load() + 1)
      state.writer.ring()
      this.#parts.emit({ type: 'retired', segment: row.segment })
      return
    }
    if (!slots.tryRetire(row)) return
    const replace = () => {
      // In steps: each holds the process's memory-map lock.
      for (let at = 0; at < row.byteLength; at += retireStepBytes) {
        calls.retire(row.address + at, Math.min(retireStepBytes, row.byteLength - at))
      }
    }
    this.#tryRetiring(() => slots.finishRetiring(row.slot, replace))
    state.retiredCount.store(state.retiredCount.load() + 1)
    // The owners give the address ranges back when they next look.
    state.retirements.ring()
    state.writer.ringIfAsleep()
    this.#parts.emit({ type: 'retired', segment: row.segment })
  }

  /** A refusal (too many mappings, no memory) says nothing about the device: it is reported, and the log works on. */
  #tryRetiring(retire: () => void): void {
    try {
      retire()
    } catch (error) {
      if (isBug(error)) throw error
      this.#parts.emit({ type: 'error', what: 'retiring a mapping', ...errnoOf(error) })
    }
  }
}

/** No descriptor to be had: it says nothing about the device. */
export function isPassing(error: unknown): boolean {
  return isOutOfDescriptors(errnoOf(error).errno)
}
