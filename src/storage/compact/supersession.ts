/**
 * Which records of compacted topics are superseded, one sealed segment after the other, in steps: the rows of its keys are joined with those of
 * each newer segment, and with its own. Where two have one tag the keys are compared; what has a newer record with its key is gone.
 *
 * Two things hold whatever happens: a record is gone only where a newer one with the very same key stands in a sealed segment all of which was
 * found whole; and nothing comes back, since what supersedes is itself superseded only by what is newer. So each pair of segments is looked at once.
 */

import { isUnreadable } from '../../memory/errno.js'
import type { Memory, Window } from '../../memory/memory.js'
import type { Disk } from '../files/disk.js'
import type { SegmentFiles } from '../files/segment-files.js'
import { readSealedFile, type SealedSegment } from '../index/sealed-index.js'
import { type SealedStretch, SealedStretches } from '../index/sealed-stretches.js'
import { GoneRecords } from './gone-records.js'
import { type KeyedRows, keyedRowsOf } from './keyed-rows.js'
import { surveySegment, type Tombstones } from './segment-survey.js'
import { StoredKeys } from './stored-keys.js'

/** Rows, records and footers that are looked at in one step: some milliseconds. */
const rowsPerStep = 1 << 17
const recordsPerStep = 1 << 12
const footersPerStep = 16
/** Records of other keys with one tag that are looked at for one: with more of them a record stays that might go. */
const maxOthers = 64

export interface SupersessionTools {
  disk: Disk
  files: SegmentFiles
  /** Opens windows without mapping. */
  plainMemory: Memory
}

/** What is known of a topic in a segment. */
interface JoinedTopic {
  gone: GoneRecords
  /** It was joined with the segments below. */
  joinedTo: number
}

/** A topic's part of a segment, open. */
interface Side {
  readonly window: Window
  readonly rows: KeyedRows
  readonly keys: StoredKeys
  readonly stretch: SealedStretch
}

export class Supersession {
  readonly #tools: SupersessionTools
  readonly #isCompacted: (name: string) => boolean
  readonly #stretches = new SealedStretches()
  readonly #sealed = new Map<number, SealedSegment>()
  /** Undefined: the segment is not whole. */
  readonly #surveys = new Map<number, Tombstones | undefined>()
  /** By segment, then topic. */
  readonly #known = new Map<number, Map<number, JoinedTopic>>()
  /** Footers of segments below were read. */
  #added: number
  #run: { readonly segment: number; readonly steps: Generator<undefined, void> } | undefined
  /** Up to where the newest was looked at with each segment. */
  readonly #lookedTo = new Map<number, number>()

  /**
   * @param first sealed segment
   * @param isCompacted by name of the topic: does not change
   */
  constructor(tools: SupersessionTools, first: number, isCompacted: (name: string) => boolean) {
    this.#tools = tools
    this.#added = first
    this.#isCompacted = isCompacted
  }

  /** Reads footers of segments below `end`, some of them. True: there are more. */
  catchUp(end: number): boolean {
    const { disk, files } = this.#tools
    for (let count = 0; count < footersPerStep && this.#added < end; count++) {
      const sealed = readSealedFile(disk, files, this.#added)
      if (sealed !== undefined) this.#add(this.#added, sealed)
      this.#added += 1
    }
    return this.#added < end
  }

  /** Looks a step further into what of a segment is superseded. False: all that is known by now was looked at. */
  step(segment: number): boolean {
    if (this.#run?.segment !== segment) {
      this.close()
      if (!this.#sealed.has(segment) || this.#lookedTo.get(segment) === this.#added) return false
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

  /** Nobody remembers the ids of the segment's messages any more. */
  forgetIds(segment: number): void {
    for (const { gone } of this.#known.get(segment)?.values() ?? []) gone.forgetIds()
  }

  /** The segment was written anew without what was gone. */
  rewritten(segment: number): void {
    const { disk, files } = this.#tools
    const sealed = readSealedFile(disk, files, segment)
    this.#surveys.delete(segment)
    if (sealed === undefined || !this.#sealed.has(segment)) return
    const ours = this.#ours(sealed)
    this.#sealed.set(segment, ours)
    this.#stretches.replace(segment, ours)
    for (const [topic, known] of this.#known.get(segment) ?? []) {
      const row = ours.rows.find((each) => each.topic === topic)
      if (row === undefined || row.count === 0) this.#known.get(segment)?.delete(topic)
      else known.gone = new GoneRecords(row.firstOffset, row.count)
    }
  }

  /** The segments below are deleted. */
  dropBelow(segment: number): void {
    this.#added = Math.max(this.#added, segment)
    this.#stretches.dropBelow(segment)
    for (const map of [this.#sealed, this.#surveys, this.#known, this.#lookedTo])
      for (const each of map.keys()) if (each < segment) map.delete(each)
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
    return { footer, rows: rows.filter(({ name }) => this.#isCompacted(name)) }
  }

  *#examine(segment: number, end: number): Generator<undefined, void> {
    if ((yield* this.#survey(segment)) !== undefined) {
      for (const { topic } of this.#sealed.get(segment)?.rows ?? []) yield* this.#examineTopic(segment, topic)
    }
    this.#lookedTo.set(segment, end)
  }

  *#examineTopic(segment: number, topic: number): Generator<undefined, void> {
    // Where it was moved on, what stands here counts no more anyway.
    const newer = this.#stretches.of(topic).filter((each) => each.segment >= segment)
    const [stretch] = newer
    if (stretch?.segment !== segment) return
    const known = this.#knownOf(segment, topic, stretch)
    const left = newer.filter((each) => each.segment >= known.joinedTo)
    if (left.length === 0) return
    const older = this.#open(topic, stretch)
    try {
      yield
      for (const each of left) {
        if (older !== undefined && (yield* this.#survey(each.segment)) !== undefined)
          yield* this.#joinWith(topic, older, each, known.gone)
        known.joinedTo = each.segment + 1
      }
    } finally {
      older?.window.close()
    }
  }

  *#joinWith(topic: number, older: Side, stretch: SealedStretch, gone: GoneRecords): Generator<undefined, void> {
    const newer = stretch.segment === older.stretch.segment ? older : this.#open(topic, stretch)
    if (newer === undefined) return
    try {
      yield
      const successors = yield* join(older, newer, gone)
      if (successors !== undefined) yield* compare(older, newer, successors, gone)
    } catch (error) {
      // Nothing more of that segment supersedes anything.
      if (!isUnreadable(error)) throw error
    } finally {
      if (newer !== older) newer.window.close()
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
      known = { gone: new GoneRecords(firstOffset, count), joinedTo: segment }
      topics.set(topic, known)
    }
    return known
  }

  /** Undefined: the device does not give it. */
  #open(topic: number, stretch: SealedStretch): Side | undefined {
    const { files, plainMemory } = this.#tools
    const { segment } = stretch
    const { footer } = this.#sealed.get(segment) as SealedSegment
    const window = files.openWindow(plainMemory, segment)
    try {
      const rows = keyedRowsOf(this.#tools, window, footer, topic, stretch)
      return { window, rows, keys: new StoredKeys(window, topic, stretch, footer.dataEnd), stretch }
    } catch (error) {
      window.close()
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

/**
 * For each record of the older side the row behind the newest of the newer side that has its tag; 0: none has, or it is gone already.
 * Undefined: there is none at all.
 */
function* join(older: Side, newer: Side, gone: GoneRecords): Generator<undefined, Uint32Array | undefined> {
  const { tags, ordinals } = older.rows
  const others = newer.rows.tags
  const isSelf = older === newer
  const { count } = older.stretch
  let successors: Uint32Array | undefined
  let row = 0
  let other = 0
  for (let pause = rowsPerStep; row < tags.length && other < others.length; pause--) {
    if (pause === 0) {
      pause = rowsPerStep
      yield
    }
    const tag = tags[row]
    if (others[other] < tag) {
      other += 1
    } else if (others[other] > tag) {
      row += 1
    } else {
      let end = other + 1
      while (end < others.length && others[end] === tag) end += 1
      // Of its own segment the newest with a tag has none behind it.
      const last = isSelf ? end - 1 : tags.length
      for (; row < tags.length && tags[row] === tag; row++) {
        const ordinal = ordinals[row]
        if (row >= last || ordinal >= count || gone.isNoted(ordinal)) continue
        successors ??= new Uint32Array(count)
        successors[ordinal] = end
      }
      other = end
    }
  }
  return successors
}

/** Goes through the records of the older side in order, and notes those whose key one of the newer side has. */
function* compare(older: Side, newer: Side, successors: Uint32Array, gone: GoneRecords): Generator<undefined, void> {
  const { tags, ordinals } = newer.rows
  const { firstOffset, count } = newer.stretch
  let pause = recordsPerStep
  for (let ordinal = 0; ordinal < successors.length; ordinal++) {
    if (successors[ordinal] === 0) continue
    if (--pause === 0) {
      pause = recordsPerStep
      yield
    }
    const record = older.keys.record(ordinal)
    if (record === undefined) continue
    const offset = older.stretch.firstOffset + ordinal
    const newest = successors[ordinal] - 1
    for (let row = newest; row >= 0 && row > newest - maxOthers && tags[row] === tags[newest]; row--) {
      if (firstOffset + ordinals[row] <= offset) break
      if (ordinals[row] >= count || !newer.keys.isOf(ordinals[row], record.key)) continue
      gone.add(ordinal, record.saved, record.hasId)
      break
    }
  }
}
