/**
 * What a thread knows of side indexes: opened when they are asked for the first time. Whatever is wrong with one, it is as if it were not
 * there; what is not there is looked for again after a while, since it may have been made meanwhile.
 */
import { KeptPages } from '../../collections/kept-pages.js'
import type { Filter } from '../../engine/terms.js'
import { headerHash } from '../../format/header-hash.js'
import type { SegmentFooter } from '../../format/segment-layout.js'
import type { SideRows, SideSection } from '../../format/side-index-layout.js'
import { maxSidePages } from '../../limits.js'
import type { Disk, DiskFile } from '../files/disk.js'
import type { SegmentFiles } from '../files/segment-files.js'
import { SideIndex, SideIndexFault, type SideRun } from './side-index.js'
import { ownerOf, readAheadOfHead, readSideHead } from './side-index-file.js'

/** Files that a thread keeps open, and how soon it looks again for one that was of no use. */
const maxOpen = 256
const lookAgainMs = 1_000

/** Records of a topic in a sealed segment, and its footer. */
export interface IndexedStretch {
  readonly segment: number
  readonly footer: SegmentFooter
  readonly first: number
  readonly end: number
}

/** Offsets of records that may be what is looked for: no other in `[from, to)` is. Ascending. */
export interface Candidates {
  readonly offsets: number[]
  readonly from: number
  readonly to: number
}

interface HeldSide {
  /** Of the segment as it was then: one that was rewritten has another side index. */
  readonly footer: SegmentFooter
  /** Undefined: there is none of use. */
  readonly index: SideIndex | undefined
  /** Of its file; see {@link Disk.identityAt}. */
  readonly identity: string | undefined
  readonly lookedMs: number
  /** When it was asked last, in questions of this thread. */
  asked: number
}

/** On its way to be held. */
interface OpenedSide extends Pick<HeldSide, 'identity'> {
  /** Undefined: there is none that can be opened. */
  readonly file: DiskFile | undefined
}

const encoder = new TextEncoder()

export class SideIndexes {
  readonly #disk: Disk
  readonly #files: SegmentFiles
  readonly #nowMs: () => number
  /** What was looked at of them. */
  readonly #pages = new KeptPages(maxSidePages)
  /** How many were opened so far. */
  #opened = 0
  readonly #held = new Map<number, HeldSide>()
  #questions = 0

  /** @param nowMs a clock that never goes back */
  constructor(disk: Disk, files: SegmentFiles, nowMs: () => number = () => performance.now()) {
    this.#disk = disk
    this.#files = files
    this.#nowMs = nowMs
  }

  /**
   * They will be asked for the tag one after the other: what has to be read of those that are asked the first time is begun to be read of all at
   * once, the heads, and with them known the pages. A hint: nothing depends on it.
   */
  foresee(topic: number, tag: number, stretches: readonly Pick<IndexedStretch, 'segment' | 'footer'>[]): void {
    const unknown = stretches.filter(({ segment, footer }) => this.#held.get(segment)?.footer !== footer)
    if (unknown.length < 2) return
    const opened = unknown.slice(0, maxOpen / 2).map((stretch) => ({ stretch, ...this.#openFile(stretch.segment) }))
    for (const { file } of opened) if (file !== undefined) readAheadOfHead(file)
    for (const { stretch, ...file } of opened) {
      const { index } = this.#enter(stretch, file)
      const section = index?.section(topic, undefined)
      if (index !== undefined && section !== undefined) index.readAhead(section, tag)
    }
  }

  /**
   * Records of the stretch with that tag of a key: those nearest to its end, or to its beginning, `max` at most. Undefined: the index does
   * not say.
   */
  withKey(
    topic: number,
    stretch: IndexedStretch,
    tag: number,
    isReverse: boolean,
    max: number,
  ): Candidates | undefined {
    return this.#ask(stretch, sectionOf(topic, undefined), (index, section) => {
      const run = runIn(index, section, stretch, tag)
      const isCut = run.end - run.start > max
      const taken = !isCut ? run : isReverse ? { ...run, start: run.end - max } : { ...run, end: run.start + max }
      const offsets = index.ordinals(section, taken).map((ordinal) => ordinal + section.firstOffset)
      if (!isCut) return { offsets, from: stretch.first, to: stretch.end }
      return isReverse
        ? { offsets, from: offsets[0], to: stretch.end }
        : { offsets, from: stretch.first, to: (offsets.at(-1) as number) + 1 }
    })
  }

  /**
   * Records of the stretch that may match: those nearest to its beginning, about `max`. Undefined: no index says, or they are more than
   * `atMost`, so that all may as well be read.
   */
  matching(
    topic: number,
    stretch: IndexedStretch,
    filter: Filter,
    max: number,
    atMost: number,
  ): Candidates | undefined {
    let best: { name: string; values: readonly string[]; count: number } | undefined
    for (const { name, values } of filter) {
      const count = this.#ask(stretch, sectionOf(topic, name), (index, section) =>
        values.reduce((sum, value) => sum + lengthOf(runIn(index, section, stretch, hashOf(value))), 0),
      )
      if (count !== undefined && (best === undefined || count < best.count)) best = { name, values, count }
    }
    if (best === undefined || best.count > atMost) return undefined
    const { name, values } = best
    return this.#ask(stretch, sectionOf(topic, name), (index, section) => {
      const ordinals = new Set<number>()
      // Up to where all values were looked at.
      let to = stretch.end
      for (const value of values) {
        const run = runIn(index, section, stretch, hashOf(value))
        const taken = index.ordinals(section, { ...run, end: Math.min(run.end, run.start + max) })
        if (lengthOf(run) > max) to = Math.min(to, (taken.at(-1) as number) + 1 + section.firstOffset)
        for (const ordinal of taken) ordinals.add(ordinal)
      }
      const offsets = [...ordinals].map((ordinal) => ordinal + section.firstOffset).sort((a, b) => a - b)
      return { offsets: offsets.filter((offset) => offset < to), from: stretch.first, to }
    })
  }

  /** The first offset of the stretch at or after a time; its end: there is none. Undefined: the index does not say. */
  firstAtOrAfter(topic: number, stretch: IndexedStretch, time: number): number | undefined {
    const times = (index: SideIndex) => index.times(topic)
    return this.#ask(stretch, times, (index, section) => {
      const ordinal = index.firstAtOrAfter(section, time)
      if (ordinal === undefined) return undefined
      return Math.min(stretch.end, Math.max(stretch.first, section.firstOffset + ordinal))
    })
  }

  /** Closes those that were deleted or made anew since: an open file keeps its space on the disk. */
  dropReplaced(): void {
    for (const [segment, { index, identity }] of this.#held)
      if (index !== undefined && this.#identityOf(segment) !== identity) this.#drop(segment)
  }

  /** Gives back what was kept of them. */
  forget(): void {
    this.#pages.clear()
  }

  close(): void {
    for (const segment of this.#held.keys()) this.#drop(segment)
  }

  /** Undefined: there is no index of the segment with such a section that is believed. */
  #ask<S extends SideRows, R>(
    stretch: IndexedStretch,
    find: (index: SideIndex) => S | undefined,
    ask: (index: SideIndex, section: S) => R,
  ): R | undefined {
    const { segment, footer, first, end } = stretch
    let held = this.#held.get(segment)
    if (held !== undefined && held.footer !== footer) held = undefined
    let section = held?.index && find(held.index)
    if (section === undefined && (held === undefined || this.#nowMs() - held.lookedMs >= lookAgainMs)) {
      held = this.#enter(stretch, this.#openFile(segment))
      section = held.index && find(held.index)
    }
    if (held?.index === undefined || section === undefined) return undefined
    // It speaks of the records that it was made of, and of no others.
    if (first < section.firstOffset || end > section.firstOffset + section.records) return undefined
    held.asked = this.#questions++
    try {
      return ask(held.index, section)
    } catch (error) {
      // A checksum, or the device: the segment itself says all that this would.
      if (!(error instanceof SideIndexFault)) throwBug(error)
      this.#keep(stretch, undefined)
      return undefined
    }
  }

  #openFile(segment: number): OpenedSide {
    // First: another that takes its place in between is noticed then.
    const identity = this.#identityOf(segment)
    try {
      return { file: this.#disk.open(this.#files.sidePath(segment), 'read'), identity }
    } catch (error) {
      // A link or a folder stands there, or there is no descriptor to be had.
      throwBug(error)
      return { file: undefined, identity }
    }
  }

  #enter(stretch: Pick<IndexedStretch, 'segment' | 'footer'>, { file, identity }: OpenedSide): HeldSide {
    const { segment, footer } = stretch
    let index: SideIndex | undefined
    try {
      const head = file && readSideHead(file, ownerOf(this.#files, segment, footer))
      if (file !== undefined && head !== undefined) index = new SideIndex(file, head, this.#pages, this.#opened++)
    } catch (error) {
      // The device does not give it.
      throwBug(error)
    } finally {
      if (index === undefined) file?.close()
    }
    return this.#keep(stretch, index, identity)
  }

  #identityOf(segment: number): string | undefined {
    return this.#disk.identityAt(this.#files.sidePath(segment))
  }

  #keep(
    { segment, footer }: Pick<IndexedStretch, 'segment' | 'footer'>,
    index: SideIndex | undefined,
    identity?: string,
  ): HeldSide {
    this.#drop(segment)
    if (this.#held.size >= maxOpen) this.#dropOldest()
    const held = { footer, index, identity, lookedMs: this.#nowMs(), asked: this.#questions++ }
    this.#held.set(segment, held)
    return held
  }

  #dropOldest(): void {
    let oldest = -1
    let least = Number.POSITIVE_INFINITY
    for (const [segment, { asked }] of this.#held)
      if (asked < least) {
        oldest = segment
        least = asked
      }
    this.#drop(oldest)
  }

  #drop(segment: number): void {
    this.#held.get(segment)?.index?.close()
    this.#held.delete(segment)
  }
}

/** What is no error of the system is one of ours. */
function throwBug(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code === undefined) throw error
}

function sectionOf(topic: number, name: string | undefined) {
  return (index: SideIndex): SideSection | undefined => index.section(topic, name)
}

function runIn(index: SideIndex, section: SideSection, { first, end }: IndexedStretch, hash: number): SideRun {
  return index.run(section, hash, first - section.firstOffset, end - section.firstOffset)
}

function lengthOf({ start, end }: SideRun): number {
  return end - start
}

function hashOf(value: string): number {
  const stored = encoder.encode(JSON.stringify(value))
  return headerHash(stored, 0, stored.length)
}
