/**
 * Retiring mappings: those that have been idle for a TTL, those that the writer has left, those of a file that is deleted, and those of
 * threads that ended. When nothing is mapped any more, free memory goes back as well.
 */
import { retireStepBytes } from '../../limits.js'
import type { SystemCalls } from '../../memory/memory.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { SlotRow, SlotTable } from '../../ring/slot-table.js'
import { errnoOf, isBug } from '../device-error.js'
import type { ReaperEvent } from './reaper-event.js'

export interface RetireDutyParts {
  state: SharedState<'reaper'>
  slots: SlotTable
  calls: SystemCalls
  /**
   * The writer's mappings may be replaced from this thread. Not those of mmap-io: should the writer die, finalizers unmap them
   * before anybody hears of it, and the addresses may be a stranger's when they are replaced.
   */
  mayRetireTail: boolean
  mapTtlMs: number
  /** A clock that never goes back. */
  nowMs(): number
  emit(event: ReaperEvent): void
  /** Gives back what this thread's heap keeps for more work. Never throws. */
  shrinkHeap(): void
}

export class RetireDuty {
  readonly #parts: RetireDutyParts
  /** Something was mapped and is not any more; and when what is free by then goes back, if nothing is mapped meanwhile. */
  #isReleaseDue = false
  #releaseAtMs = Number.POSITIVE_INFINITY
  /** When the table was looked through last: the segment that was written to, and until when, by the table's clock, nothing is due of what was there. */
  #active = -1
  #nextLookMs = 0

  constructor(parts: RetireDutyParts) {
    this.#parts = parts
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

  /** Before a file is deleted: true once nobody has it mapped in use. A pin is short, so the next look finds it gone. */
  segment(segment: number): boolean {
    let isFree = true
    for (const row of this.#parts.slots.rows()) {
      if (row.segment !== segment || row.state !== 'idle') continue
      this.#retire(row)
      isFree &&= this.#parts.slots.isRetired(row.slot)
    }
    return isFree
  }

  /** Retires mappings that have been idle for a TTL, and the writer's mappings of segments it has left. */
  idle(): void {
    const { slots, state } = this.#parts
    const active = state.activeSegment.load()
    if (active !== this.#active || ((slots.nowMs() - this.#nextLookMs) | 0) >= 0) this.#look(active)
    if (slots.takeRoomAsked()) this.#makeRoom()
    this.#releaseIfIdle()
  }

  /**
   * Looks through the table, which takes longer than all the rest of a bell on which nothing is due. What it leaves behind is due when the TTL of the mapping that was used
   * longest ago is over, or when the writer leaves a segment: uses put that off, and so do mappings to come.
   */
  #look(active: number): void {
    const { slots, state, mapTtlMs } = this.#parts
    const durable = state.durable.load()
    const published = state.published.load()
    const now = slots.nowMs()
    let leastMs = mapTtlMs
    for (const row of slots.rows()) {
      if (row.state !== 'idle') continue
      const isLeft = row.access === 'write' && row.segment < active
      const idleMs = slots.idleMs(row, now)
      leastMs = Math.min(leastMs, isLeft ? 0 : mapTtlMs - idleMs)
      if (!isLeft && idleMs < mapTtlMs) continue
      // The tail waits for its flush. A segment the writer has left goes before it: pages that are mapped for writing would
      // have to be write-protected one by one, with an interrupt to every core for each.
      if (!isLeft && row.access === 'write' && durable < published) continue
      this.#retire(row)
      this.#isReleaseDue ||= !isLeft
    }
    this.#active = active
    // What was due may have been refused, as somebody looks there: then it is due still.
    this.#nextLookMs = now + Math.max(0, leastMs)
  }

  /** A reader found no room for a mapping: the least recently used eighth of the readers' mappings goes. */
  #makeRoom(): void {
    const { slots } = this.#parts
    const now = slots.nowMs()
    const rows = [...slots.rows()].filter(({ access, state }) => access === 'read' && state === 'idle')
    rows.sort((a, b) => slots.idleMs(b, now) - slots.idleMs(a, now))
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
