/**
 * One thread's windows onto segments, each with a slot in the shared table, pinned while it is used.
 *
 * A window whose mapping the reaper has retired is dropped and opened anew: to the caller a retirement is only a
 * slower `acquire`. Between `acquire` and `release` the mapping cannot go away.
 */
import { threadId } from 'node:worker_threads'
import { assert } from '../../errors.js'
import { maxSlots, maxUnpackedBlocks } from '../../limits.js'
import type { Lent, Memory, ReadPattern, Window } from '../../memory/memory.js'
import type { SlotAccess, SlotTable } from '../../ring/slot-table.js'
import { isOverMapping } from '../packed/unpacked.js'
import { UnpackedCache } from '../packed/unpacked-cache.js'
import type { SegmentFiles } from './segment-files.js'
import { VerifiedBatches } from './verified-batches.js'

interface Held {
  window: Window
  /** Which of the windows that were opened here it is. */
  number: number
  /** Of the file, as it was in front of its opening; see {@link SegmentFiles.identityOf}. */
  identity: string | undefined
  /** -1: nothing is mapped (plain files), so there is nothing to pin. */
  slot: number
  pins: number
  /** Without a mapping, for want of room or of need: mapped once there is both. */
  isSpare: boolean
  /** Through this mapping. */
  readonly verified: VerifiedBatches
}

export interface PinnedWindow {
  readonly segment: number
  readonly window: Window
  /** No other window has had it: what was seen through this one was seen in the file that stood under the name when it was opened. */
  readonly number: number
  /** Remembers verified batches for the lifetime of this mapping. */
  isVerified(batch: number): boolean
  markVerified(batch: number): void
}

export class SegmentWindows {
  readonly #memory: Memory
  readonly #spare: Memory
  readonly #files: SegmentFiles
  readonly #slots: SlotTable
  readonly #access: SlotAccess
  readonly #maxHeld: number
  readonly #maxMapped: number
  readonly #wantRoom: () => void
  readonly #unpacked = new UnpackedCache(maxUnpackedBlocks)
  #opened = 0
  /** In order of use, the least recent first. */
  readonly #held = new Map<number, Held>()

  /**
   * @param spare opens windows without mapping, for when there are as many mappings as there may be
   * @param maxHeld windows of this thread
   * @param maxMapped mappings of all readers together
   * @param wantRoom called when they all belong to other threads
   */
  constructor(
    memory: Memory,
    spare: Memory,
    files: SegmentFiles,
    slots: SlotTable,
    access: SlotAccess,
    maxHeld: number,
    maxMapped = maxSlots,
    wantRoom: () => void = () => {},
  ) {
    this.#memory = memory
    this.#spare = spare
    this.#files = files
    this.#slots = slots
    this.#access = access
    this.#maxHeld = maxHeld
    this.#maxMapped = maxMapped
    this.#wantRoom = wantRoom
  }

  /**
   * @param mayMap false: a mapping that is there is used, but none is made
   * @throws `SystemCallError` or an errno error if the file is gone, too short or cannot be mapped
   */
  acquire(segment: number, pattern: ReadPattern = 'inOrder', mayMap = true): PinnedWindow {
    let held = this.#held.get(segment)
    if (held !== undefined && held.slot >= 0 && !this.#slots.pin(held.slot)) {
      this.#drop(segment, held)
      held = undefined
    }
    if (mayMap && held?.isSpare && held.pins === 0 && this.#slots.hasRoom(this.#maxMapped)) {
      this.#drop(segment, held)
      held = undefined
    }
    // The map keeps the order of use: what is used goes to its end.
    if (held === undefined) held = this.#open(segment, mayMap)
    else this.#held.delete(segment)
    held.pins += 1
    this.#held.set(segment, held)
    held.window.expect(pattern)
    return this.#pinned(segment, held)
  }

  release(segment: number): void {
    const held = this.#held.get(segment)
    assert(held !== undefined && held.pins > 0, 'a released window is pinned')
    held.pins -= 1
    if (held.slot >= 0) this.#slots.unpin(held.slot)
  }

  /** A part of a pinned window where it lies; see {@link Window.lend}. */
  lend({ segment, window }: PinnedWindow, at: number, length: number): Lent | undefined {
    const held = this.#held.get(segment)
    assert(held !== undefined && held.pins > 0, 'a window is lent while it is pinned')
    // Before anybody has it.
    if (held.slot >= 0) this.#slots.noteLent(held.slot)
    return window.lend(at, length)
  }

  /** Runs `use` with the window pinned. No view into the window may leave it. */
  with<R>(segment: number, use: (pinned: PinnedWindow) => R, pattern?: ReadPattern): R {
    const pinned = this.acquire(segment, pattern)
    try {
      return use(pinned)
    } finally {
      this.release(segment)
    }
  }

  /**
   * Gives the address ranges of retired mappings back. The memory behind them went at retirement.
   * @returns the segments that were retired: nobody has used them for a while
   */
  dropRetired(): number[] {
    const retired: number[] = []
    for (const [segment, held] of this.#held) {
      if (held.slot < 0 || !this.#slots.isRetired(held.slot)) continue
      this.#drop(segment, held)
      retired.push(segment)
    }
    return retired
  }

  /** True if this thread has nothing mapped. */
  get isUnmapped(): boolean {
    for (const { slot } of this.#held.values()) if (slot >= 0) return false
    return true
  }

  /** Closes windows of segments below `segment`, which are about to be or have been deleted. */
  dropBelow(segment: number): void {
    for (const [index, held] of this.#held) if (index < segment && held.pins === 0) this.#drop(index, held)
  }

  /** The same for those that map nothing, which nobody retires: an open file keeps its space on the disk, deleted or not. */
  dropUnmappedBelow(segment: number): void {
    for (const [index, held] of this.#held)
      if (index < segment && held.slot < 0 && held.pins === 0) this.#drop(index, held)
  }

  /**
   * Closes those whose file was deleted or has another in its place by now, and keeps its space on the disk while it is open or mapped. Those in use
   * are met at the next look.
   * @returns whether there were any
   */
  dropReplaced(): boolean {
    const replaced = [...this.#held].filter(
      ([segment, { pins, identity }]) => pins === 0 && this.#files.identityOf(segment) !== identity,
    )
    for (const [segment, held] of replaced) this.#drop(segment, held)
    return replaced.length > 0
  }

  /** For a thread that ends unexpectedly: takes its mappings out of the reaper's reach, without unmapping them. */
  forgetAll(): void {
    for (const { slot } of this.#held.values()) if (slot >= 0) this.#slots.tryWithdraw(slot)
  }

  closeAll(): void {
    for (const [segment, held] of this.#held) {
      assert(held.pins === 0, 'no window is in use when its thread closes')
      this.#drop(segment, held)
    }
  }

  /** The result is pinned in the slot table already. */
  #open(segment: number, mayMap: boolean): Held {
    if (this.#held.size >= this.#maxHeld) this.#dropLeastRecent()
    const { segmentBytes } = this.#files
    const slot = mayMap ? this.#reserve() : -1
    const identity = this.#files.identityOf(segment)
    this.#opened += 1
    const known = { number: this.#opened, identity, pins: 0, verified: new VerifiedBatches(segmentBytes) }
    if (slot < 0) {
      // Not wanted; or beyond the bound, or nobody could retire it, which would break a promise: the file without a mapping.
      if (mayMap) this.#wantRoom()
      const window = this.#openUnmapped(segment)
      return { ...known, window, slot, isSpare: true }
    }
    try {
      const window = this.#openMapped(segment)
      if (window.address === 0) this.#slots.release(slot)
      else this.#slots.publish(slot, { segment, address: window.address, byteLength: segmentBytes })
      return { ...known, window, slot: window.address === 0 ? -1 : slot, isSpare: false }
    } catch (error) {
      this.#slots.release(slot)
      throw error
    }
  }

  /** A slot for one more mapping; this thread's least recently used one goes if need be. */
  #reserve(): number {
    const reserve = () => this.#slots.reserve(this.#access, threadId, this.#maxMapped)
    const slot = reserve()
    return slot < 0 && this.#dropLeastRecent(true) ? reserve() : slot
  }

  /** Mapped if it can be; where the process may have no more mappings, or the segment is packed, the file is read and written without one. */
  #openMapped(segment: number): Window {
    try {
      if (this.#access === 'write')
        return this.#memory.open(this.#files.path(segment), this.#files.segmentBytes, 'write')
      const window = this.#files.openWindow(this.#memory, segment, this.#unpacked)
      if (!isOverMapping(window)) return window
      window.close()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOMEM') throw error
    }
    return this.#openUnmapped(segment)
  }

  #openUnmapped(segment: number): Window {
    const files = this.#files
    if (this.#access === 'read') return files.openWindow(this.#spare, segment, this.#unpacked)
    return this.#spare.open(files.path(segment), files.segmentBytes, 'write')
  }

  #dropLeastRecent(isMapped = false): boolean {
    for (const [segment, held] of this.#held) {
      if (held.pins > 0 || (isMapped && held.slot < 0)) continue
      this.#drop(segment, held)
      return true
    }
    return false
  }

  #drop(segment: number, held: Held): void {
    if (held.slot >= 0) {
      assert(held.pins === 0, 'no window is dropped while it is in use')
      // The reaper may be replacing, prefaulting or flushing the range at this moment: its hold is short.
      while (!this.#slots.tryWithdraw(held.slot)) this.#slots.pauseBriefly()
    }
    held.window.close()
    if (held.slot >= 0) this.#slots.release(held.slot)
    this.#held.delete(segment)
  }

  #pinned(segment: number, held: Held): PinnedWindow {
    const { window, number, verified } = held
    return { segment, window, number, isVerified: verified.isVerified, markVerified: verified.markVerified }
  }
}
