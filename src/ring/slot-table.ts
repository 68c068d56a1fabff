/**
 * The table of live mappings: what the reaper may retire, and what holds it off.
 *
 * ```
 *   free --reserve--> claiming --publish--> idle(pins > 0) <--unpin/pin--> idle(pins = 0)
 *    ^                                                                        |  compare-and-swap, from zero pins only
 *    |                                                                        v
 *    +---------------------------- release ----- retired <---------------- retiring
 * ```
 *
 * The first word of a slot holds the state and the number of pins together, so that "no pins" and "retiring" are
 * decided by one compare-and-swap: a pin is taken in state idle only, retirement starts at zero pins only, hence nobody
 * ever holds a pin on a range that is being replaced. The owner claims and releases; the reaper retires; both may pin,
 * each in bits of its own, so that the pins of a reaper that has died can be told from those of a living owner.
 *
 * A mapping that only its owner's thread may replace (its addresses belong to a finalizer there) is not retired but asked to
 * leave: idle to leaving, by the same compare-and-swap. Its owner withdraws it as soon as it looks.
 */

import { assert } from '../errors.js'
import { highWord, joinWords } from '../format/numbers.js'
import { maxSlots } from '../limits.js'
import { sharedClockMs } from './shared-clock.js'

const slotWords = 16
/** Behind the rows: whether a reader has asked for room. */
const roomAskedAt = maxSlots * slotWords
const word = {
  hold: 0,
  segment: 1,
  addressLow: 2,
  addressHigh: 3,
  byteLength: 4,
  lastUse: 5,
  owner: 6,
  access: 7,
  lent: 8,
} as const

const idle = 1 << 24
const retiring = 2 << 24
const retired = 3 << 24
const claiming = 4 << 24
const leaving = 5 << 24
const pinsMask = (1 << 24) - 1
/** The reaper's pins: a flush, a prefault step and a count of pages at the same time at most. */
const reaperPin = 1 << 20
const reaperPinsMask = 0xf << 20
const ownerPinsMask = reaperPin - 1

/** A slot on its way in or out says whose it is in the bits that hold pins otherwise. */
const claimingFor = (owner: number): number => claiming | (owner & ownerPinsMask)

export type SlotAccess = 'read' | 'write'

export interface SlotRow {
  slot: number
  segment: number
  address: number
  byteLength: number
  lastUseMs: number
  owner: number
  access: SlotAccess
  /** Views of it were handed out: nobody knows what still looks there, so its addresses are not given to others. */
  isLent: boolean
  pins: number
  state: 'idle' | 'retiring' | 'retired' | 'leaving'
}

export class SlotTable {
  readonly #words: Int32Array

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer((maxSlots + 1) * slotWords * Int32Array.BYTES_PER_ELEMENT)
  }

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared)
  }

  /** The table's clock, see {@link sharedClockMs}. */
  nowMs(): number {
    return sharedClockMs()
  }

  /** How long ago the mapping was used last. */
  idleMs(row: SlotRow, nowMs = this.nowMs()): number {
    return (nowMs - row.lastUseMs) | 0
  }

  /**
   * Takes a slot for a mapping that is yet to be made: {@link publish} or {@link release} comes next. Before the mapping, so that
   * the bound holds at every moment. Readers take slots from the front, as many as they may have; the writer from the back, and is not
   * refused on their account. So nothing is counted beside the slots themselves, that a thread which ends could leave wrong.
   * @param owner number of the calling thread
   * @param most slots that readers may have
   * @returns -1: there are as many already
   */
  reserve(access: SlotAccess, owner: number, most = maxSlots): number {
    const count = access === 'read' ? most : maxSlots
    for (let index = 0; index < count; index++) {
      const slot = access === 'read' ? index : maxSlots - 1 - index
      const at = slot * slotWords
      // Whose it is comes in with the same store: should the thread end before the next one, its slot is not lost.
      if (Atomics.compareExchange(this.#words, at, 0, claimingFor(owner)) !== 0) continue
      Atomics.store(this.#words, at + word.owner, owner)
      Atomics.store(this.#words, at + word.access, access === 'write' ? 1 : 0)
      return slot
    }
    return -1
  }

  /** Enters the mapping in a reserved slot, with one pin, the caller's. */
  publish(slot: number, row: { segment: number; address: number; byteLength: number }): void {
    const at = slot * slotWords
    assert(this.#isClaiming(at), 'a mapping is entered in a slot that was reserved for it')
    Atomics.store(this.#words, at + word.segment, row.segment)
    Atomics.store(this.#words, at + word.addressLow, row.address | 0)
    Atomics.store(this.#words, at + word.addressHigh, highWord(row.address))
    Atomics.store(this.#words, at + word.byteLength, row.byteLength)
    Atomics.store(this.#words, at + word.lastUse, this.nowMs())
    Atomics.store(this.#words, at + word.lent, 0)
    // The state comes last: the reaper reads the other words only after it has seen `idle`.
    Atomics.store(this.#words, at, idle + 1)
  }

  /** Reserves and enters at once. Returns the slot, or -1 if the table is full. */
  claim(row: { segment: number; address: number; byteLength: number; owner: number; access: SlotAccess }): number {
    const slot = this.reserve(row.access, row.owner)
    if (slot >= 0) this.publish(slot, row)
    return slot
  }

  /** True if {@link reserve} would find a slot for a reader. Retired ones that are not given back yet are taken. */
  hasRoom(most: number): boolean {
    for (let slot = 0; slot < most; slot++) if (Atomics.load(this.#words, slot * slotWords) === 0) return true
    return false
  }

  /** Reader: there are as many mappings as there may be, and none of them is this thread's to give up. */
  askForRoom(): void {
    Atomics.store(this.#words, roomAskedAt, 1)
  }

  /** Reaper: true if some reader has asked since the last call. */
  takeRoomAsked(): boolean {
    return Atomics.exchange(this.#words, roomAskedAt, 0) === 1
  }

  #isClaiming(at: number): boolean {
    return (Atomics.load(this.#words, at) & ~pinsMask) === claiming
  }

  /** Owner: takes a pin. False: the mapping is being or has been retired, the caller must not touch it. */
  pin(slot: number): boolean {
    return this.#pin(slot, 1)
  }

  #pin(slot: number, one: number): boolean {
    const at = slot * slotWords
    for (;;) {
      const hold = Atomics.load(this.#words, at)
      if ((hold & ~pinsMask) !== idle) return false
      if (Atomics.compareExchange(this.#words, at, hold, hold + one) === hold) return true
    }
  }

  /** Reaper: takes a pin on a row seen before. False also if the slot holds another mapping by now. */
  pinRow(row: SlotRow): boolean {
    if (!this.#pin(row.slot, reaperPin)) return false
    // Pinned, the slot cannot change hands: now its words can be compared with what was seen.
    if (this.#isSame(row)) return true
    this.unpinQuietly(row.slot)
    return false
  }

  /** Owner, with a pin: views of the range leave the library from here on. */
  noteLent(slot: number): void {
    Atomics.store(this.#words, slot * slotWords + word.lent, 1)
  }

  /** Owner: gives a pin back and starts the mapping's time to live anew. */
  unpin(slot: number): void {
    const at = slot * slotWords
    // The time comes before the release of the pin: the reaper must not see "no pins" with the old time.
    Atomics.store(this.#words, at + word.lastUse, this.nowMs())
    this.#unpin(slot, 1, ownerPinsMask)
  }

  /** Reaper: gives the pin of {@link pinRow} back, which does not count as use. */
  unpinQuietly(slot: number): void {
    this.#unpin(slot, reaperPin, reaperPinsMask)
  }

  #unpin(slot: number, one: number, mask: number): void {
    const before = Atomics.sub(this.#words, slot * slotWords, one)
    assert((before & mask) > 0 && (before & ~pinsMask) === idle, 'a pin is given back once, while the slot is idle')
  }

  /** A new reaper: the pins of the one that died are void. Those of owners stay. */
  clearReaperPins(): void {
    for (let slot = 0; slot < maxSlots; slot++) Atomics.and(this.#words, slot * slotWords, ~reaperPinsMask)
  }

  /**
   * Reaper: from idle without pins to retiring. After true, and only then, the row's range may be replaced. False: the
   * mapping is in use, or the slot holds another one by now.
   */
  tryRetire(row: SlotRow): boolean {
    return this.#tryTake(row, retiring)
  }

  /** Reaper: the same for a mapping that its owner replaces itself; wake the owner after true. */
  tryAskToLeave(row: SlotRow): boolean {
    return this.#tryTake(row, leaving)
  }

  #tryTake(row: SlotRow, taken: number): boolean {
    const at = row.slot * slotWords
    // A stale row is left alone from the start: an owner may act on `leaving` at once.
    if (!this.#isSame(row) || Atomics.compareExchange(this.#words, at, idle, taken) !== idle) return false
    // In state retiring the slot cannot change hands. Had it done so before, the row's range would be a stranger's now.
    if (this.#isSame(row)) return true
    // Asked to leave by mistake, a mapping is only mapped once more.
    Atomics.compareExchange(this.#words, at, taken, idle)
    return false
  }

  #isSame(row: SlotRow): boolean {
    const at = row.slot * slotWords
    return this.#addressOf(at) === row.address && Atomics.load(this.#words, at + word.segment) === row.segment
  }

  #addressOf(at: number): number {
    return joinWords(Atomics.load(this.#words, at + word.addressLow), Atomics.load(this.#words, at + word.addressHigh))
  }

  /**
   * Reaper, after {@link tryRetire}: replaces the range. Where that fails, some of it may be replaced, so nobody may read there any
   * more, and the owner is asked to close it: in `retiring` it would wait for ever.
   * @throws what `replace` throws
   */
  finishRetiring(slot: number, replace: () => void): void {
    let then = leaving
    try {
      replace()
      then = retired
    } finally {
      Atomics.store(this.#words, slot * slotWords, then)
    }
  }

  /** True once the reaper has replaced the range, or wants it gone: the owner drops its views and releases the slot. */
  isRetired(slot: number): boolean {
    const hold = Atomics.load(this.#words, slot * slotWords)
    return hold === retired || hold === leaving
  }

  /**
   * Owner: takes the mapping out of the reaper's reach before closing it. True: the owner may unmap now. False: the
   * reaper is at it this moment (or a pin is held); try again.
   */
  tryWithdraw(slot: number): boolean {
    const at = slot * slotWords
    const mine = claimingFor(Atomics.load(this.#words, at + word.owner))
    const before = Atomics.compareExchange(this.#words, at, idle, mine)
    if (before === idle) return true
    if (before !== retired && before !== leaving) return false
    return Atomics.compareExchange(this.#words, at, before, mine) === before
  }

  /**
   * Reaper, for a thread that has ended: its pins are void, and so are slots that it was about to enter or to release. The slots are free
   * afterwards.
   * @param replace makes of a range what it is to be from now on; nobody else can touch it meanwhile. Must not throw
   */
  takeOver(owner: number, replace: (row: SlotRow) => void): void {
    for (const row of this.rows()) {
      if (row.owner !== owner) continue
      Atomics.store(this.#words, row.slot * slotWords, retiring)
      replace(row)
      Atomics.store(this.#words, row.slot * slotWords, 0)
    }
    for (let slot = 0; slot < maxSlots; slot++)
      Atomics.compareExchange(this.#words, slot * slotWords, claimingFor(owner), 0)
  }

  /** Sleeps a fraction of a millisecond while another thread holds a slot. For worker threads. */
  pauseBriefly(): void {
    Atomics.wait(this.#words, slotWords - 1, 0, 0.2)
  }

  /** Owner, after {@link tryWithdraw} and the unmapping, or after {@link reserve}: the slot can be taken again. */
  release(slot: number): void {
    assert(this.#isClaiming(slot * slotWords), 'only a withdrawn slot is released')
    Atomics.store(this.#words, slot * slotWords, 0)
  }

  /** All mappings of this moment, for the reaper and for statistics. */
  *rows(): Generator<SlotRow> {
    for (let slot = 0; slot < maxSlots; slot++) {
      const at = slot * slotWords
      const hold = Atomics.load(this.#words, at)
      const state = hold & ~pinsMask
      if (state === 0 || state === claiming) continue
      yield {
        slot,
        segment: Atomics.load(this.#words, at + word.segment),
        address: this.#addressOf(at),
        byteLength: Atomics.load(this.#words, at + word.byteLength),
        lastUseMs: Atomics.load(this.#words, at + word.lastUse),
        owner: Atomics.load(this.#words, at + word.owner),
        access: Atomics.load(this.#words, at + word.access) === 1 ? 'write' : 'read',
        isLent: Atomics.load(this.#words, at + word.lent) === 1,
        pins: (hold & ownerPinsMask) + (hold & reaperPinsMask) / reaperPin,
        state: state === idle ? 'idle' : state === retiring ? 'retiring' : state === leaving ? 'leaving' : 'retired',
      }
    }
  }
}
