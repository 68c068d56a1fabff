/**
 * Where the dispatcher leaves the states of groups that the writer is to write into the groups file.
 *
 * ```
 *   order     maxGroups x u32     ids of the groups whose boxes are full, by commit number (modulo maxGroups)
 *   topics    maxGroups x i32     0: no such group; 1: its topic is not declared yet; else the topic's id + 2
 *   sequences maxGroups x u32     of the newest record in the file
 *   errnos    maxGroups x i32     why the last state could not be written; 0: it was
 *   written   maxGroups x u64     the committed offset that is in the file
 *   boxes     maxGroups x 512     the sector that is to be written, but for what the writer stamps into it
 *   changes   u32                 counts the stores into topics, each after it was made
 * ```
 *
 * Commits are numbered. The dispatcher fills a group's box, notes the group in `order`, stores `commitRequest`, then
 * rings the writer if it sleeps. The writer handles all numbers from `commitDone` up to `commitRequest`: it writes the box,
 * stores sequence, errno and written, then `commitDone`, then rings the dispatcher if that sleeps. The dispatcher fills
 * a box again only when `commitDone` has reached its number. So a box belongs to one thread at a time, which the two words
 * hand over; at most one commit per group is under way, hence never more than `order` has room for.
 *
 * The reaper fills in topics, sequences and written before the log is open, and those of a new group before the
 * dispatcher hears of its id.
 */
import { type GroupState, groupSectorBytes, putGroupState } from '../format/group-layout.js'
import { maxGroups } from '../limits.js'
import { allocateUntouched } from './untouched-memory.js'

const undeclared = 1
const firstTopic = 2

export class GroupMailboxes {
  readonly #order: Uint32Array
  readonly #topics: Int32Array
  readonly #sequences: Uint32Array
  readonly #errnos: Int32Array
  /** 64-bit words: unlike a position, a committed offset may go back. */
  readonly #written: BigUint64Array
  readonly #boxes: Uint8Array
  readonly #boxView: DataView
  readonly #changes: Uint32Array
  /** The groups of each topic that has some, as of `#seenChanges`. */
  readonly #byTopic = new Map<number, number[]>()
  #seenChanges = -1

  static allocate(): SharedArrayBuffer {
    return allocateUntouched(maxGroups * (4 * Int32Array.BYTES_PER_ELEMENT + 8 + groupSectorBytes) + 4)
  }

  constructor(shared: SharedArrayBuffer) {
    const column = maxGroups * Int32Array.BYTES_PER_ELEMENT
    this.#order = new Uint32Array(shared, 0, maxGroups)
    this.#topics = new Int32Array(shared, column, maxGroups)
    this.#sequences = new Uint32Array(shared, 2 * column, maxGroups)
    this.#errnos = new Int32Array(shared, 3 * column, maxGroups)
    this.#written = new BigUint64Array(shared, 4 * column, maxGroups)
    this.#boxes = new Uint8Array(shared, 6 * column, maxGroups * groupSectorBytes)
    this.#boxView = new DataView(shared, 6 * column, maxGroups * groupSectorBytes)
    this.#changes = new Uint32Array(shared, 6 * column + maxGroups * groupSectorBytes, 1)
  }

  // The dispatcher's side.

  /** Leaves a state to be written as commit `number`, which the caller announces after this. */
  fill(number: number, group: number, state: GroupState): void {
    putGroupState(this.#boxView, group * groupSectorBytes, state)
    Atomics.store(this.#order, number & (maxGroups - 1), group)
  }

  /** 0: the group's last state was written. */
  errno(group: number): number {
    return Atomics.load(this.#errnos, group)
  }

  /** Says which topic the group reads; -1: one that has no message yet. */
  setTopic(group: number, topic: number): void {
    this.#storeTopic(group, topic < 0 ? undeclared : topic + firstTopic)
  }

  forget(group: number): void {
    this.#storeTopic(group, 0)
  }

  #storeTopic(group: number, word: number): void {
    Atomics.store(this.#topics, group, word)
    // After it: whoever has counted the change has seen it.
    Atomics.add(this.#changes, 0, 1)
  }

  // The writer's side; the reaper's while the group is not known to the dispatcher.

  /** The group whose state is commit `number`. */
  groupOf(number: number): number {
    return Atomics.load(this.#order, number & (maxGroups - 1))
  }

  /** Copies out the sector to be written. */
  take(group: number, sector: Uint8Array): void {
    sector.set(this.#boxes.subarray(group * groupSectorBytes, (group + 1) * groupSectorBytes))
  }

  sequence(group: number): number {
    return Atomics.load(this.#sequences, group)
  }

  /** The record with this sequence and this committed offset is in the file. */
  markWritten(group: number, sequence: number, committed: number): void {
    Atomics.store(this.#sequences, group, sequence)
    Atomics.store(this.#errnos, group, 0)
    Atomics.store(this.#written, group, BigInt(committed))
  }

  markFailed(group: number, errno: number): void {
    Atomics.store(this.#errnos, group, errno)
  }

  // For everybody.

  /** True for a group that the dispatcher has heard of and not forgotten. */
  isKnown(group: number): boolean {
    return Atomics.load(this.#topics, group) !== 0
  }

  /** How many there are. */
  get knownCount(): number {
    let count = 0
    for (let group = 0; group < maxGroups; group++) if (this.isKnown(group)) count += 1
    return count
  }

  /** The committed offset of a group that is in the file, whatever is under way. */
  written(group: number): number {
    return Number(Atomics.load(this.#written, group))
  }

  /**
   * The lowest committed offset of all groups of a topic that is in the file; undefined: it has no group. Asked for every topic of a
   * segment: costs what the topic's groups do.
   */
  lowestWritten(topic: number): number | undefined {
    const changes = Atomics.load(this.#changes, 0)
    if (changes !== this.#seenChanges) this.#sortByTopic()
    // Counted before they were sorted: what has changed since then is seen the next time.
    this.#seenChanges = changes
    const groups = this.#byTopic.get(topic)
    if (groups === undefined) return undefined
    return Math.min(...groups.map((group) => this.written(group)))
  }

  #sortByTopic(): void {
    this.#byTopic.clear()
    for (let group = 0; group < maxGroups; group++) {
      const topic = Atomics.load(this.#topics, group) - firstTopic
      if (topic < 0) continue
      const groups = this.#byTopic.get(topic)
      if (groups === undefined) this.#byTopic.set(topic, [group])
      else groups.push(group)
    }
  }
}
