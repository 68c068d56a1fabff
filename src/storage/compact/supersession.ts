/**
 * Which records of compacted topics are superseded, one sealed segment after the other, in steps: the rows of its keys are joined with those of
 * each newer segment, and with its own. Where two have one tag the keys are compared; what has a newer record with its key is gone.
 *
 * Two things hold whatever happens: a record is gone only where a newer one with the very same key stands in a sealed segment all of which was
 * found whole; and nothing comes back, since what supersedes is itself superseded only by what is newer. So each pair of segments is looked at once.
 */

import type { DirectoryRow } from '../../format/segment-layout.js'
import { isUnreadable } from '../../memory/errno.js'
import { readSealedFile, type SealedSegment } from '../index/sealed-index.js'
import { type SealedStretch, SealedStretches } from '../index/sealed-stretches.js'
import { FreeTombstones } from './free-tombstones.js'
import { GoneRecords } from './gone-records.js'
import { joinSides } from './join.js'
import { type KeySide, type KeySideTools, openSide } from './key-side.js'
import { surveySegment, type Tombstones } from './segment-survey.js'

/** Read in one step. */
const footersPerStep = 16

/** Which topics are compacted. */
export interface Compacted {
  /** By name of the topic: does not change. */
  includes(name: string): boolean
  /**
   * Tombstones below may go, of a segment whose newest message is of that time: they are old enough, and every group is past them.
   * @returns an offset; 0: none may
   */
  tombstonesBelow(topic: number, name: string, lastTime: number): number
}

/** What is known of a topic in a segment. */
interface JoinedTopic {
  gone: GoneRecords
  /** It was joined with the segments below. */
  joinedTo: number
  /** All of it that has a key is superseded: there is nothing to be joined with what comes. */
  isThrough: boolean
  /** So many of its tombstones, the first ones, were looked at whether they may go; and when that was: see {@link Supersession.#changes}. */
  tombstones: { looked: number; at: number }
}

export class Supersession {
  readonly #tools: KeySideTools
  readonly #compacted: Compacted
  readonly #stretches = new SealedStretches()
  readonly #sealed = new Map<number, SealedSegment>()
  /** Undefined: the segment is not whole. */
  readonly #surveys = new Map<number, Tombstones | undefined>()
  /** By segment, then topic. */
  readonly #known = new Map<number, Map<number, JoinedTopic>>()
  /** Footers of segments below were read. */
  #added: number
  #run: { readonly segment: number; readonly steps: Generator<undefined, void> } | undefined
  /** Of each segment the number of the newest that it was looked at with, and when that was. */
  readonly #looked = new Map<number, { to: number; at: number }>()
  /** Segments without a footer that could be read: nobody knows what they hold. */
  readonly #unknown = new Set<number>()
  #droppedTo: number
  /** Another one whenever something is gone from the log. */
  #changes = 0

  /** @param first sealed segment */
  constructor(tools: KeySideTools, first: number, compacted: Compacted) {
    this.#tools = tools
    this.#added = first
    this.#droppedTo = first
    this.#compacted = compacted
  }

  /**
   * Reads footers of segments below `end`, some of them: what they hold supersedes others from now on. True: there are more.
   * @param before segments with messages of that time, ms since the epoch, or later are left for another time
   */
  catchUp(end: number, before = Number.POSITIVE_INFINITY): boolean {
    const { disk, files } = this.#tools
    for (let count = 0; count < footersPerStep && this.#added < end; count++) {
      const sealed = readSealedFile(disk, files, this.#added)
      if (sealed !== undefined && sealed.footer.lastTime >= before) return false
      if (sealed === undefined) this.#unknown.add(this.#added)
      else this.#add(this.#added, sealed)
      this.#added += 1
    }
    return this.#added < end
  }

  /** Looks a step further into what of a segment is superseded. False: all that is known by now was looked at. */
  step(segment: number): boolean {
    if (this.#run?.segment !== segment) {
      this.close()
      if (!this.#isDue(segment)) return false
      this.#run = { segment, steps: this.#examine(segment, this.#added) }
    }
    const { steps } = this.#run as { steps: Generator<undefined, void> }
    try {
      if (steps.next().done !== true) return true
    } catch (error) {
      this.#run = undefined
      throw error
    }
    this.#run = undefined
    return false
  }

  /** What of the segment is gone as far as it was looked at, by number of the topic. */
  goneIn(segment: number): ReadonlyMap<number, GoneRecords> {
    const found = new Map<number, GoneRecords>()
    for (const [topic, { gone }] of this.#known.get(segment) ?? []) if (gone.bytes > 0) found.set(topic, gone)
    return found
  }

  /** Tombstones of the topic in the segment that stay for now, as far as it was looked at. */
  tombstonesIn(segment: number, topic: number): number {
    const gone = this.#known.get(segment)?.get(topic)?.gone
    const offsets = this.#surveys.get(segment)?.get(topic) ?? []
    return offsets.filter((offset) => gone?.has(offset) !== true).length
  }

  /** Nobody remembers the ids of the segment's messages any more. */
  forgetIds(segment: number): void {
    for (const { gone } of this.#known.get(segment)?.values() ?? []) gone.forgetIds()
  }

  /** The segment was written anew without what was gone. */
  rewritten(segment: number): void {
    const { disk, files } = this.#tools
    const sealed = readSealedFile(disk, files, segment)
    this.#surveys.delete(segment)
    this.#changes += 1
    if (sealed === undefined || !this.#sealed.has(segment)) return
    const ours = this.#ours(sealed)
    this.#sealed.set(segment, ours)
    this.#stretches.replace(segment, ours)
    for (const [topic, known] of this.#known.get(segment) ?? []) {
      const row = ours.rows.find((each) => each.topic === topic)
      if (row === undefined || row.count === 0) this.#known.get(segment)?.delete(topic)
      else {
        // What waited for its id to be forgotten is there still, and is found again.
        if (known.gone.hasIds) Object.assign(known, { joinedTo: segment, isThrough: false })
        known.gone = new GoneRecords(row.firstOffset, row.count)
        known.tombstones = { looked: 0, at: 0 }
      }
    }
  }

  /** The segments below are deleted: before the next step, since nothing of them can be opened any more. */
  dropBelow(segment: number): void {
    if (segment <= this.#droppedTo) return
    this.#droppedTo = segment
    // It may be about to look into one of them.
    this.close()
    this.#added = Math.max(this.#added, segment)
    this.#stretches.dropBelow(segment)
    for (const map of [this.#sealed, this.#surveys, this.#known, this.#looked, this.#unknown])
      for (const each of map.keys())
        if (each < segment) {
          map.delete(each)
          this.#changes += 1
        }
  }

  /** Gives up what is being looked at: it is begun anew. */
  close(): void {
    this.#run?.steps.return()
    this.#run = undefined
  }

  #add(segment: number, sealed: SealedSegment): void {
    const ours = this.#ours(sealed)
    if (ours.rows.length === 0) return
    this.#sealed.set(segment, ours)
    this.#stretches.add(segment, ours)
  }

  #ours({ footer, rows }: SealedSegment): SealedSegment {
    return { footer, rows: rows.filter(({ name }) => this.#compacted.includes(name)) }
  }

  /** Newer segments have come, or older ones have gone, or some of its tombstones may go by now. */
  #isDue(segment: number): boolean {
    const sealed = this.#sealed.get(segment)
    if (sealed === undefined) return false
    const looked = this.#looked.get(segment)
    if (looked?.to !== this.#added || looked.at !== this.#changes) return true
    return sealed.rows.some((row) => {
      const known = this.#known.get(segment)?.get(row.topic)
      return known !== undefined && this.#ripe(segment, row).length > known.tombstones.looked
    })
  }

  *#examine(segment: number, end: number): Generator<undefined, void> {
    const at = this.#changes
    if ((yield* this.#survey(segment)) !== undefined) {
      for (const row of this.#sealed.get(segment)?.rows ?? []) {
        yield* this.#examineTopic(segment, row.topic)
        yield* this.#examineTombstones(segment, row)
      }
    }
    this.#looked.set(segment, { to: end, at })
  }

  *#examineTopic(segment: number, topic: number): Generator<undefined, void> {
    // Where it was moved on, what stands here counts no more anyway.
    const newer = this.#stretches.of(topic).filter((each) => each.segment >= segment)
    const [stretch] = newer
    if (stretch?.segment !== segment) return
    const known = this.#knownOf(segment, topic, stretch)
    const left = newer.filter((each) => each.segment >= known.joinedTo)
    if (left.length === 0) return
    const older = known.isThrough ? undefined : this.#open(topic, stretch)
    try {
      yield
      for (const each of left) {
        known.isThrough ||= older !== undefined && known.gone.noted >= older.rows.ordinals.length
        const isJoined = older !== undefined && !known.isThrough && (yield* this.#survey(each.segment)) !== undefined
        if (isJoined) yield* this.#with(older, topic, each, (newer) => joinSides(older, newer, known.gone))
        known.joinedTo = each.segment + 1
      }
    } finally {
      older?.window.close()
    }
  }

  /** Behind {@link #examineTopic}: what it supersedes here goes with it. */
  *#examineTombstones(segment: number, row: DirectoryRow): Generator<undefined, void> {
    const known = this.#known.get(segment)?.get(row.topic)
    const ripe = this.#ripe(segment, row)
    if (known === undefined) return
    const { looked, at } = known.tombstones
    if (ripe.length === 0 || (ripe.length === looked && at === this.#changes)) return
    known.tombstones = { looked: ripe.length, at: this.#changes }
    const upTo = this.#stretches.of(row.topic).filter((each) => each.segment <= segment)
    const stretch = upTo.at(-1)
    if (stretch?.segment !== segment) return
    for (const each of this.#unknown) if (each < segment) return
    const side = this.#open(row.topic, stretch)
    if (side === undefined) return
    try {
      yield
      const ordinals = ripe.map((offset) => offset - stretch.firstOffset)
      const free = new FreeTombstones(side, ordinals, known.gone)
      for (const each of upTo.reverse()) {
        if (free.isEmpty || (yield* this.#survey(each.segment)) === undefined) return
        if (!(yield* this.#with(side, row.topic, each, (older) => free.keepWhatIsIn(older)))) return
      }
      free.release()
    } finally {
      side.window.close()
    }
  }

  /** Tombstones of the topic in the segment that may go by their age and by the groups. */
  #ripe(segment: number, { topic, name }: DirectoryRow): readonly number[] {
    const offsets = this.#surveys.get(segment)?.get(topic)
    if (offsets === undefined) return []
    const { lastTime } = (this.#sealed.get(segment) as SealedSegment).footer
    const below = this.#compacted.tombstonesBelow(topic, name, lastTime)
    const end = offsets.findIndex((offset) => offset >= below)
    return end < 0 ? offsets : offsets.slice(0, end)
  }

  /** False: the device does not give all of the other side. */
  *#with(
    side: KeySide,
    topic: number,
    stretch: SealedStretch,
    work: (other: KeySide) => Generator<undefined, void>,
  ): Generator<undefined, boolean> {
    const other = stretch.segment === side.stretch.segment ? side : this.#open(topic, stretch)
    if (other === undefined) return false
    try {
      yield
      yield* work(other)
      return true
    } catch (error) {
      if (!isUnreadable(error)) throw error
      return false
    } finally {
      if (other !== side) other.window.close()
    }
  }

  #knownOf(segment: number, topic: number, { firstOffset, count }: SealedStretch): JoinedTopic {
    let topics = this.#known.get(segment)
    if (topics === undefined) {
      topics = new Map()
      this.#known.set(segment, topics)
    }
    let known = topics.get(topic)
    if (known === undefined) {
      known = {
        gone: new GoneRecords(firstOffset, count),
        joinedTo: segment,
        isThrough: false,
        tombstones: { looked: 0, at: 0 },
      }
      topics.set(topic, known)
    }
    return known
  }

  /** Undefined: the device does not give it. */
  #open(topic: number, stretch: SealedStretch): KeySide | undefined {
    try {
      return openSide(this.#tools, this.#sealed.get(stretch.segment) as SealedSegment, topic, stretch)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      return undefined
    }
  }

  /** Undefined: it is not whole. */
  *#survey(segment: number): Generator<undefined, Tombstones | undefined> {
    if (this.#surveys.has(segment)) return this.#surveys.get(segment)
    const sealed = this.#sealed.get(segment)
    if (sealed === undefined) return undefined
    const { files, plainMemory } = this.#tools
    const window = files.openWindow(plainMemory, segment)
    let found: Tombstones | undefined
    try {
      const topics = new Set(sealed.rows.map(({ topic }) => topic))
      found = yield* surveySegment(window, files.base(segment), sealed, topics)
    } catch (error) {
      if (!isUnreadable(error)) throw error
    } finally {
      window.close()
    }
    this.#surveys.set(segment, found)
    return found
  }
}
