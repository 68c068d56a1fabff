/**
 * Opening a log: how far it goes, what it holds, what a crash left behind.
 *
 * Segments with a valid footer are believed: the footer was written after their data was durable. All others, which
 * the writer keeps few, are walked batch by batch. The end of the log is the end of the last valid batch of a complete group.
 * What stands behind it decides what a bad batch means:
 *
 * - nothing valid behind it, at or past the durable position: a torn tail, cut off (zeroed and flushed);
 * - before the durable position: damage; the log goes on behind it, and reads of the range report it;
 * - past the durable position with valid batches behind it: damage if the page cache has survived (same boot) and the place
 *   does not look like pages that were never written; otherwise a power cut that stored later pages and not
 *   earlier ones, and the log is cut there, so that it stays a gap-free prefix.
 *
 * Blocks that the device does not give are bytes that are no batch, and always damage, wherever they are: nobody knows what they hold,
 * and they may be given the next time. So nothing is cut in front of them.
 */

import type { BookendError } from '../../errors.js'
import { batchHeaderBytes } from '../../format/batch-layout.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import type { Memory } from '../../memory/memory.js'
import type { TailState, TopicState } from '../append/topic-state.js'
import { SalvageWindow } from '../files/salvage-window.js'
import { mayBeOwn } from '../files/segment-files.js'
import { FooterHandOver } from '../index/handed-footers.js'
import { type DamagedRange, LiveIndex } from '../index/live-index.js'
import { readSealedFile } from '../index/sealed-index.js'
import { RecoveredTopics } from './recovered-topics.js'
import { type JudgedSegment, type JudgeParts, SegmentJudge } from './segment-judge.js'
import { SegmentRemains } from './segment-remains.js'

export interface Recovered {
  topics: TopicState[]
  tail: TailState
  published: number
  durable: number
  trim: number
  /** Highest epoch seen in any segment walked. */
  epoch: number
  /** Segments below have footers. */
  indexed: number
  /** Those that were read: see `HandedFooters`. */
  footers: SharedArrayBuffer
  /** Absolute ranges that hold damage. */
  damages: { from: number; to: number }[]
  /** Bytes of torn batches cut off the end. */
  tornBytes: number
  /** Prepared segments behind the tail that can be used. */
  prepared: number
  /** Where files are now that stood in the way and did not provably belong to the log. */
  setAside: string[]
  /** The segments contradict each other about the name of a topic. Nothing was changed then. */
  misnamed: BookendError | undefined
}

export interface RecoveryOptions extends JudgeParts {
  /** Opens windows for reading; plain files do. */
  memory: Memory
  /** False: look only; nothing on disk is changed. */
  mayRepair: boolean
}

export function recover(options: RecoveryOptions): Recovered {
  return new Recovery(options).run()
}

class Recovery {
  readonly #options: RecoveryOptions
  /** Segments that were not trimmed, in order. */
  readonly #segments: readonly number[]
  readonly #trimSegment: number
  readonly #judge: SegmentJudge
  readonly #remains: SegmentRemains
  readonly #damages: DamagedRange[] = []
  readonly #topics: RecoveredTopics
  readonly #durable: number
  /** End of the last segment of which nothing can be used. */
  #lostTo = 0
  #epoch: number
  #time: number
  #tornBytes = 0
  readonly #setAside: string[] = []
  readonly #footers = new FooterHandOver()

  constructor(options: RecoveryOptions) {
    const { disk, files, looks, control } = options
    const all = [...looks.keys()]
    this.#options = options
    this.#trimSegment = files.segmentOf(control?.trim ?? files.base(all[0] ?? 0))
    this.#segments = all.filter((segment) => segment >= this.#trimSegment)
    this.#judge = new SegmentJudge(options, this.#segments)
    this.#remains = new SegmentRemains(disk, files)
    this.#topics = new RecoveredTopics(files, this.#damages)
    this.#durable = control?.durable ?? 0
    this.#epoch = control?.epoch ?? 0
    this.#time = control?.time ?? 0
  }

  run(): Recovered {
    const { files, mayRepair } = this.#options
    if (mayRepair) files.removeUnfinished()
    const { tail, indexed } = this.#visitAll()
    const topics = this.#topics.finish()
    const published = files.base(tail.segment) + tail.relative
    if (this.#mayChange) this.#removeTrimmed()
    const prepared = this.#keepPrepared(tail.segment)
    const trim = files.base(this.#trimSegment)
    return {
      topics,
      tail,
      published,
      // What was trimmed was durable, whatever became of the record that said so.
      durable: Math.min(Math.max(this.#durableBehindLost(), trim), published),
      trim,
      epoch: this.#epoch,
      indexed: files.base(indexed),
      footers: this.#footers.finish(),
      damages: this.#damages,
      tornBytes: this.#tornBytes,
      prepared,
      setAside: this.#setAside,
      misnamed: this.#topics.misnamed,
    }
  }

  /** Goes from segment to segment to where the log ends. `indexed`: all below it have footers. */
  #visitAll(): { tail: TailState; indexed: number } {
    const trimSegment = this.#trimSegment
    const durableSegment = this.#options.files.segmentOf(Math.max(0, this.#durable - 1))
    const last = Math.max(durableSegment, this.#segments.at(-1) ?? trimSegment)
    let indexed = trimSegment
    for (let segment = trimSegment; segment <= last; segment++) {
      const found = this.#visit(segment)
      if (found === 'footer' && indexed === segment) indexed = segment + 1
      if (typeof found !== 'string') return { tail: found, indexed }
    }
    return { tail: this.#startOf(last + 1), indexed }
  }

  /**
   * What is not there cannot be flushed: a durable position before a lost segment goes behind it, once what is there in front of it is
   * on the device. Otherwise the first flush would look for the file, and end appending.
   */
  #durableBehindLost(): number {
    const { disk, files } = this.#options
    if (!this.#mayChange || this.#lostTo <= this.#durable) return this.#durable
    for (let segment = files.segmentOf(this.#durable); files.base(segment) < this.#lostTo; segment++) {
      const file = disk.open(files.path(segment), 'write')
      file?.sync()
      file?.close()
    }
    return this.#lostTo
  }

  /** Of segments that contradict each other nothing may go. They are found before anything is changed: all are walked first. */
  get #mayChange(): boolean {
    return this.#options.mayRepair && this.#topics.misnamed === undefined
  }

  /** A crash came between the durable trim position and the removal of the files below it. */
  #removeTrimmed(): void {
    for (const segment of this.#options.looks.keys()) if (segment < this.#trimSegment) this.#remove(segment)
  }

  #remove(segment: number): void {
    const aside = this.#options.files.remove(segment)
    if (aside !== undefined) this.#setAside.push(aside)
  }

  #startOf(segment: number): TailState {
    return { segment, relative: segmentHeaderBytes, records: 0, topics: 0, nameBytes: 0, time: this.#time }
  }

  #visit(segment: number): 'footer' | 'sealed' | 'damaged' | TailState {
    const { disk, files, looks, memory } = this.#options
    const base = files.base(segment)
    const look = looks.get(segment) ?? 'missing'
    const isWhole = look === 'whole'
    const sealed = mayBeOwn(look) ? readSealedFile(disk, files, segment) : undefined
    if (sealed !== undefined) {
      this.#topics.add(segment, sealed.rows)
      this.#footers.add(segment, sealed)
      this.#time = Math.max(this.#time, sealed.footer.lastTime)
      // The footer says as well as the header where the segment belongs, and all of it is read.
      if (!isWhole) this.#damages.push({ from: base, to: base + segmentHeaderBytes })
      return 'footer'
    }
    if (!isWhole) {
      const isNeeded = this.#durable > base + segmentHeaderBytes || this.#judge.hasDataBehind(segment - 1)
      if (!isNeeded) return this.#startOf(segment)
      this.#lostTo = files.base(segment + 1)
      this.#damages.push({ from: base, to: this.#lostTo })
      // Nothing is appended to what is left of it, but its topics are known, and their offsets are not given out anew.
      if (mayBeOwn(look)) this.#takeRest(segment)
      return 'damaged'
    }
    const window = files.openWindow(memory, segment)
    try {
      const legible = new SalvageWindow(window)
      const durable = Math.min(this.#durable - base, files.segmentBytes)
      return this.#settle(segment, legible, this.#judge.judge(segment, legible, durable))
    } finally {
      window.close()
    }
  }

  #takeRest(segment: number): void {
    const { files } = this.#options
    const file = files.open(segment)
    if (file === undefined) return
    try {
      const index = new LiveIndex(files.base(segment), files.segmentBytes, false)
      const window = new SalvageWindow(file)
      index.catchUp(window, files.segmentBytes, true)
      this.#topics.lookForNames(window, index)
      this.#absorb(segment, index)
    } finally {
      file.close()
    }
  }

  /** Takes over what was found, and cuts what is torn. */
  #settle(
    segment: number,
    window: SalvageWindow,
    { index, relative, hasRemains }: JudgedSegment,
  ): 'sealed' | 'damaged' | TailState {
    const { files } = this.#options
    const base = files.base(segment)
    // First the damages: a topic's oldest offset is believed only in front of them.
    for (const { from, to } of index.damages) this.#damages.push({ from: base + from, to: base + to })
    this.#topics.lookForNames(window, index)
    this.#absorb(segment, index)
    if (index.isSealed) return 'sealed'
    // Nothing of it stands where it seems to: there is no place to append to, and nothing that could be cut.
    if (files.isPacked(segment)) return 'damaged'
    // Damage that reaches to the end leaves no room for the seal.
    if (relative + batchHeaderBytes > files.segmentBytes) return 'damaged'
    if (this.#judge.hasDataBehind(segment) && index.damages.length > 0) return 'damaged'
    if (this.#mayChange && hasRemains) this.#tornBytes += this.#remains.cut(segment, window, relative)
    return {
      segment,
      relative,
      records: index.entryCount,
      topics: index.topics.size,
      nameBytes: index.nameBytes,
      time: this.#time,
    }
  }

  #absorb(segment: number, index: LiveIndex): void {
    this.#topics.add(segment, index.topics.values())
    this.#epoch = Math.max(this.#epoch, index.lastEpoch)
    this.#time = Math.max(this.#time, index.lastTime)
  }

  /** Keeps whole, empty segments that follow the tail without a gap; removes the rest. */
  #keepPrepared(tail: number): number {
    const { looks, mayRepair, control } = this.#options
    const mayBeUsed = mayRepair && control?.isClean !== true
    let prepared = looks.get(tail) === 'whole' ? tail : tail - 1
    for (const segment of this.#segments) {
      if (segment < tail) continue
      if (segment === tail && prepared === tail) continue
      const isUsable =
        segment === prepared + 1 &&
        looks.get(segment) === 'whole' &&
        (mayBeUsed ? this.#isEmpty(segment) : !this.#judge.beginsWithData(segment))
      if (isUsable) prepared = segment
      else if (this.#mayChange) this.#remove(segment)
    }
    return prepared
  }

  /** True if nothing was ever written behind the header. Else a power cut took what came before it, and it has to go too. */
  #isEmpty(segment: number): boolean {
    const { files, memory } = this.#options
    const window = files.openWindow(memory, segment)
    try {
      const legible = new SalvageWindow(window)
      return this.#remains.isBlank(segment, legible, segmentHeaderBytes) && legible.unreadable.length === 0
    } finally {
      window.close()
    }
  }
}
