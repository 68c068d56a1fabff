/**
 * Side indexes: a segment that gets its footer gets its side index in the same walk; those that were sealed before, or have one that lacks
 * something, get theirs in quiet moments, the newest first, a step a call.
 *
 * None is ever needed: where one cannot be made, readers do without. That it was for want of space or since the segment is damaged nobody is told
 * here: who appends or reads there is. Everything else is.
 */

import type { TopicIndex } from '../../engine/terms.js'
import { mayPass } from '../../failures.js'
import type { SegmentFooter } from '../../format/segment-layout.js'
import { indexQuietMs } from '../../limits.js'
import { isUnreadable } from '../../memory/errno.js'
import type { Memory, Window } from '../../memory/memory.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { Disk } from '../../storage/files/disk.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import { LiveIndex } from '../../storage/index/live-index.js'
import { readSealedFile, type SealedSegment } from '../../storage/index/sealed-index.js'
import { SideCollector } from '../../storage/side/side-collector.js'
import { makeSideIndex, namesIn, ownerOf, readSideHead, writeSideIndex } from '../../storage/side/side-index-file.js'
import { errnoOf, isBug } from '../device-error.js'
import { bothOf, hasAll } from '../topic-index.js'
import type { ReaperEvent } from './reaper-event.js'

/** Bytes of a segment that are walked in one turn of the event loop. */
const stepBytes = 4 << 20

export interface SideIndexDutyParts {
  state: SharedState<'reaper'>
  disk: Disk
  files: SegmentFiles
  /** Reads segments without mapping them. */
  plainMemory: Memory
  nowMs(): number
  emit(event: ReaperEvent): void
}

/** A segment being walked for its side index. */
interface Walk {
  readonly segment: number
  readonly sealed: SealedSegment
  readonly window: Window
  readonly index: LiveIndex
  readonly collector: SideCollector
}

export class SideIndexDuty {
  readonly #parts: SideIndexDutyParts
  /** Looks whether the log is still this process's. */
  readonly #isOwner: () => boolean
  /** By name of the topic. */
  readonly #wanted = new Map<string, TopicIndex>()
  /** Sealed segments that have all that is wanted, or cannot have it. */
  readonly #settled = new Set<number>()
  /** Another one whenever more is wanted. */
  #version = 0
  #walk: Walk | undefined
  #publishing: Promise<void> | undefined
  #lastMove = { published: -1, atMs: 0 }

  constructor(parts: SideIndexDutyParts, isOwner: () => boolean) {
    this.#parts = parts
    this.#isOwner = isOwner
  }

  /** From now on the topic of that name is indexed so: more than before, never less. */
  want(topic: string, index: TopicIndex): void {
    this.#wanted.set(topic, index)
    this.#version += 1
    this.#settled.clear()
    this.#end()
  }

  /** What a walk over a segment that is being sealed collects; undefined: nothing is wanted. */
  collector(): SideCollector | undefined {
    if (this.#wanted.size === 0) return undefined
    const wanted = new Map(this.#wanted)
    return new SideCollector((topic) => wanted.get(topic))
  }

  /** There is a segment that lacks something. */
  get isBehind(): boolean {
    return this.#unsettled() !== undefined
  }

  /** The one being written now. */
  get running(): Promise<void> | undefined {
    return this.#publishing
  }

  /** Goes on with the newest segment that lacks something, if nothing is appended. True: there is more to do at once. */
  step(): boolean {
    const { state, nowMs } = this.#parts
    if (this.#publishing !== undefined || this.#wanted.size === 0) return false
    if (this.#walk !== undefined && this.#isDeleted(this.#walk.segment)) this.#end()
    const published = state.published.load()
    if (published !== this.#lastMove.published) this.#lastMove = { published, atMs: nowMs() }
    if (nowMs() - this.#lastMove.atMs < indexQuietMs) return false
    const segment = this.#walk?.segment ?? this.#unsettled()
    if (segment === undefined) return false
    try {
      return this.#advance(segment)
    } catch (error) {
      // Whatever it is, it is not tried again and again.
      this.#settled.add(segment)
      this.#end()
      if (!isUnreadable(error)) this.#tell(segment, error)
      return this.isBehind
    }
  }

  /**
   * Makes the side index of a segment out of a whole walk over it. Nothing fails with it.
   * @param index that has added up: its records stand in order
   */
  async publish(segment: number, index: LiveIndex, collector: SideCollector, footer: SegmentFooter): Promise<void> {
    const { disk, files } = this.#parts
    const version = this.#version
    try {
      const turn = () => new Promise(setImmediate)
      const bytes = await makeSideIndex(ownerOf(files, segment, footer), index, collector, turn)
      // Nothing is put beside a segment that was deleted meanwhile, or is another owner's by now.
      if (this.#isDeleted(segment) || !this.#isOwner()) return
      writeSideIndex(disk, files, segment, bytes)
    } catch (error) {
      this.#tell(segment, error)
    }
    if (this.#version === version) this.#settled.add(segment)
  }

  /** The segment was written anew, and has none. */
  rewritten(segment: number): void {
    this.#version += 1
    this.#settled.delete(segment)
    if (this.#walk?.segment === segment) this.#end()
  }

  /** Nothing is walked any more. */
  close(): void {
    this.#end()
    this.#wanted.clear()
  }

  /** The newest sealed segment that is not known to have all that is wanted. */
  #unsettled(): number | undefined {
    const { state, files } = this.#parts
    if (this.#wanted.size === 0 || state.reaperErrno.load() !== 0) return undefined
    const first = files.segmentOf(state.trim.load())
    for (const segment of this.#settled) if (segment < first) this.#settled.delete(segment)
    const end = files.segmentOf(state.indexed.load())
    if (this.#settled.size >= end - first) return undefined
    for (let segment = end - 1; segment >= first; segment--) if (!this.#settled.has(segment)) return segment
    return undefined
  }

  #advance(segment: number): boolean {
    const walk = this.#walk ?? this.#begin(segment)
    if (walk === undefined) return this.isBehind
    const { sealed, window, index, collector } = walk
    const { files, state } = this.#parts
    index.catchUp(window, files.segmentBytes, true, {
      stepBytes,
      onValid: collector.batch,
      onExtended: collector.record,
    })
    if (!index.isSealed && index.damages.length === 0) return true
    this.#end()
    if (!isAsStored(index, sealed)) {
      this.#settled.add(segment)
      return this.isBehind
    }
    this.#publishing = this.publish(segment, index, collector, sealed.footer).finally(() => {
      this.#publishing = undefined
      state.reaper.ring()
    })
    return false
  }

  /** Undefined: it lacks nothing, or cannot have it. */
  #begin(segment: number): Walk | undefined {
    const { disk, files, plainMemory } = this.#parts
    const sealed = readSealedFile(disk, files, segment)
    const had = sealed === undefined ? new Map<string, TopicIndex>() : this.#had(segment, sealed)
    if (
      sealed === undefined ||
      sealed.rows.every((row) => row.count === 0 || hasAll(had.get(row.name), this.#wanted.get(row.name)))
    ) {
      this.#settled.add(segment)
      return undefined
    }
    // With what was wanted before, by whoever had the log open: it is as good as it was.
    for (const [topic, index] of this.#wanted) had.set(topic, bothOf(had.get(topic), index))
    const collector = new SideCollector((topic) => had.get(topic))
    const window = files.openWindow(plainMemory, segment)
    const index = new LiveIndex(files.base(segment), files.segmentBytes)
    this.#walk = { segment, sealed, window, index, collector }
    return this.#walk
  }

  /** What the side index that is there has, by name of the topic. */
  #had(segment: number, { footer, rows }: SealedSegment): Map<string, TopicIndex> {
    const { disk, files } = this.#parts
    const file = disk.open(files.sidePath(segment), 'read')
    try {
      const head = file && readSideHead(file, ownerOf(files, segment, footer))
      return head === undefined ? new Map() : namesIn(head, rows)
    } finally {
      file?.close()
    }
  }

  #tell(segment: number, error: unknown): void {
    const { files, emit } = this.#parts
    const { errno, code } = errnoOf(error)
    // A full disk has better uses for its last blocks, and a process for its last descriptor.
    if (mayPass(errno)) return
    const why = isBug(error) ? ` (${error})` : ''
    emit({ type: 'error', what: `making the side index of segment ${files.base(segment)}${why}`, code, errno })
  }

  #isDeleted(segment: number): boolean {
    const { state, files } = this.#parts
    return segment < files.segmentOf(state.trim.load())
  }

  #end(): void {
    this.#walk?.window.close()
    this.#walk = undefined
  }
}

/** The walk has found what the segment's own index says: nothing was lost since, and nothing contradicts itself. */
function isAsStored(index: LiveIndex, { footer, rows }: SealedSegment): boolean {
  if (!index.isSealed || !index.addsUp || index.damages.length > 0 || index.entryCount !== footer.records) return false
  return rows.every(({ topic, firstOffset, count }) => {
    const entries = index.topics.get(topic)
    return entries !== undefined && entries.count === count && (count === 0 || entries.firstOffset === firstOffset)
  })
}
