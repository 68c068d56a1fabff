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
import { batchHeaderBytes, readBatchHeader } from '../../format/batch-layout.js'
import type { ControlRecord } from '../../format/control-layout.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import type { Memory } from '../../memory/memory.js'
import type { TailState, TopicState } from '../append/topic-state.js'
import { misnamedError } from '../files/belonging.js'
import type { Disk } from '../files/disk.js'
import { SalvageWindow } from '../files/salvage-window.js'
import { mayBeOwn, type SegmentFiles, type SegmentLook } from '../files/segment-files.js'
import { findNextBatch } from '../index/batch-scan.js'
import { legibleFrames, nameForLost } from '../index/legible-frames.js'
import { LiveIndex } from '../index/live-index.js'
import { readSealedFile, readSealedSegment } from '../index/sealed-index.js'

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

export interface RecoveryOptions {
  disk: Disk
  /** Opens windows for reading; plain files do. */
  memory: Memory
  files: SegmentFiles
  /** What the files are, as they were found before: see {@link SegmentFiles.lookAtAll}. */
  looks: ReadonlyMap<number, SegmentLook>
  control: ControlRecord | undefined
  bootId: string
  /** False: look only; nothing on disk is changed. */
  mayRepair: boolean
}

const sectorBytes = 512
const scanStepBytes = 1 << 20
const zeros = new Uint8Array(scanStepBytes)
const step = new Uint8Array(scanStepBytes)

export function recover(options: RecoveryOptions): Recovered {
  return new Recovery(options).run()
}

/** A segment without a footer, walked. */
interface WalkedSegment {
  index: LiveIndex
  /** Where appending would go on. */
  relative: number
  /** Bytes stand behind it that are nothing. */
  hasRemains: boolean
  /** The control file says that the log ends here, and was closed. */
  isEnd: boolean
}

class Recovery {
  readonly #options: RecoveryOptions
  readonly #topics = new Map<number, TopicState>()
  /** Oldest offset found of each topic whose older segments, if there were any, have been deleted as a whole. */
  readonly #oldest = new Map<number, number>()
  readonly #legibleNames = new Map<number, string>()
  readonly #damages: { from: number; to: number }[] = []
  readonly #durable: number
  /** End of the last segment of which nothing can be used. */
  #lostTo = 0
  #epoch: number
  #time: number
  #tornBytes = 0
  readonly #setAside: string[] = []
  #misnamed: BookendError | undefined

  constructor(options: RecoveryOptions) {
    this.#options = options
    this.#durable = options.control?.durable ?? 0
    this.#epoch = options.control?.epoch ?? 0
    this.#time = options.control?.time ?? 0
  }

  run(): Recovered {
    const { files, looks, control, mayRepair } = this.#options
    if (mayRepair) files.removeUnfinished()
    const all = [...looks.keys()]
    const trimSegment = files.segmentOf(control?.trim ?? files.base(all[0] ?? 0))
    const segments = all.filter((segment) => segment >= trimSegment)

    const durableSegment = files.segmentOf(Math.max(0, this.#durable - 1))
    let tail: TailState | undefined
    let indexed = trimSegment
    let isFooted = true
    for (let segment = trimSegment; segment <= Math.max(durableSegment, segments.at(-1) ?? trimSegment); segment++) {
      const found = this.#visit(segment, segments)
      if (found === 'footer') {
        if (isFooted) indexed = segment + 1
        tail = this.#startOf(segment + 1)
        continue
      }
      isFooted = false
      if (found === 'sealed' || found === 'damaged') {
        tail = this.#startOf(segment + 1)
        continue
      }
      tail = found
      break
    }
    tail ??= this.#startOf(trimSegment)
    this.#nameLost()
    // Retention deletes whole segments and declares nothing: what it has taken is told by what is left.
    for (const topic of this.#topics.values()) {
      topic.first = Math.min(topic.next, Math.max(topic.first, this.#oldest.get(topic.id) ?? 0))
    }
    const published = files.base(tail.segment) + tail.relative
    if (this.#mayChange) {
      // A crash came between the durable trim position and the removal of the files below it.
      for (const segment of all) if (segment < trimSegment) this.#remove(segment)
    }
    const prepared = this.#keepPrepared(tail.segment, segments)
    const trim = files.base(trimSegment)
    return {
      topics: [...this.#topics.values()].sort((a, b) => a.id - b.id),
      tail,
      published,
      // What was trimmed was durable, whatever became of the record that said so.
      durable: Math.min(Math.max(this.#durableBehindLost(), trim), published),
      trim,
      epoch: this.#epoch,
      indexed: files.base(indexed),
      damages: this.#damages,
      tornBytes: this.#tornBytes,
      prepared,
      setAside: this.#setAside,
      misnamed: this.#misnamed,
    }
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

  /** Topics whose every declaration is lost get a name to be read by. */
  #nameLost(): void {
    const topics = [...this.#topics.values()]
    const taken = new Set(topics.map(({ name }) => name))
    for (const topic of topics) {
      if (topic.name === '') topic.name = nameForLost(topic.id, this.#legibleNames.get(topic.id), taken)
      taken.add(topic.name)
    }
  }

  /** What looks like declarations in the damage of a segment, for its topics that have no name. */
  #lookForNames(window: SalvageWindow, index: LiveIndex): void {
    const isNameless = [...index.topics.values()].some(
      ({ name, topic }) => (this.#topics.get(topic)?.name || name) === '',
    )
    if (!isNameless) return
    for (const { from, to } of index.damages) {
      for (const { topic, name } of legibleFrames((at, length) => window.read(at, length), from, to)) {
        if (name !== undefined) this.#legibleNames.set(topic, name)
      }
    }
  }

  /** Of segments that contradict each other nothing may go. They are found before anything is changed: all are walked first. */
  get #mayChange(): boolean {
    return this.#options.mayRepair && this.#misnamed === undefined
  }

  #remove(segment: number): void {
    const aside = this.#options.files.remove(segment)
    if (aside !== undefined) this.#setAside.push(aside)
  }

  #startOf(segment: number): TailState {
    return { segment, relative: segmentHeaderBytes, records: 0, topics: 0, nameBytes: 0, time: this.#time }
  }

  #visit(segment: number, segments: readonly number[]): 'footer' | 'sealed' | 'damaged' | TailState {
    const { disk, files, looks, memory } = this.#options
    const base = files.base(segment)
    const look = looks.get(segment) ?? 'missing'
    const isWhole = look === 'whole'
    const sealed = mayBeOwn(look) ? readSealedFile(disk, files, segment) : undefined
    if (sealed !== undefined) {
      for (const row of sealed.rows) {
        this.#merge(row.topic, row.name, row.firstOffset, row.firstOffset + row.count, row.readable, segment)
      }
      this.#time = Math.max(this.#time, sealed.footer.lastTime)
      // The footer says as well as the header where the segment belongs, and all of it is read.
      if (!isWhole) this.#damages.push({ from: base, to: base + segmentHeaderBytes })
      return 'footer'
    }
    if (!isWhole) {
      const isNeeded = this.#durable > base + segmentHeaderBytes || this.#hasDataBehind(segment - 1, segments)
      if (!isNeeded) return this.#startOf(segment)
      this.#lostTo = files.base(segment + 1)
      this.#damages.push({ from: base, to: this.#lostTo })
      // Nothing is appended to what is left of it, but its topics are known, and their offsets are not given out anew.
      if (mayBeOwn(look)) this.#takeRest(segment)
      return 'damaged'
    }
    const window = memory.open(files.path(segment), files.segmentBytes, 'read')
    try {
      return this.#walk(segment, new SalvageWindow(window), segments)
    } finally {
      window.close()
    }
  }

  #walk(segment: number, window: SalvageWindow, segments: readonly number[]): 'sealed' | 'damaged' | TailState {
    const { files } = this.#options
    let durable = Math.min(this.#durable - files.base(segment), files.segmentBytes)
    for (;;) {
      const walked = this.#derive(segment, window, segments, durable)
      const unknown = Math.max(0, ...window.unreadable.map(({ to }) => to))
      if (walked.index.isSealed || walked.isEnd || unknown <= durable)
        return this.#settle(segment, window, segments, walked)
      // What stands there may have been acknowledged: once more, as damage and not as a tail that is torn.
      durable = unknown
    }
  }

  #takeRest(segment: number): void {
    const { disk, files } = this.#options
    const file = disk.open(files.path(segment), 'read')
    if (file === undefined) return
    try {
      const index = new LiveIndex(files.base(segment), files.segmentBytes, false)
      const window = new SalvageWindow(file)
      index.catchUp(window, files.segmentBytes, true)
      this.#lookForNames(window, index)
      this.#absorb(segment, index)
    } finally {
      file.close()
    }
  }

  /** What is in a segment without a footer, its bytes before `durable` (relative) taken for data. Changes nothing. */
  #derive(segment: number, window: SalvageWindow, segments: readonly number[], durable: number): WalkedSegment {
    const { files, control } = this.#options
    const base = files.base(segment)
    const { segmentBytes } = files
    let index = new LiveIndex(base, segmentBytes, false)
    // Nothing can be wrong before the durable position but damage: read on behind it.
    if (durable > segmentHeaderBytes) index.catchUp(window, durable, true)
    if (!index.isSealed) index.catchUp(window, segmentBytes, false)
    const isEnd = control?.isClean === true && control.published === base + index.end
    // What most crashes leave: nothing. One look tells, and neither batches nor remains have to be searched.
    const isBlank = !index.isSealed && !isEnd && this.#isBlank(segment, window, index.end)
    const isWholeTail = isEnd || (isBlank && !this.#hasDataBehind(segment, segments) && durable <= index.end)
    if (!index.isSealed && !isWholeTail && this.#isDamage(segment, index, window, segments, durable)) {
      index.catchUp(window, segmentBytes, true)
      const last = index.damages.at(-1)
      // Behind the last valid batch of an unsealed segment there is nothing: that is no damage unless the log goes on.
      if (!index.isSealed && last?.to === segmentBytes && !this.#hasDataBehind(segment, segments)) {
        index.damages.pop()
        if (durable > last.from) index.damages.push({ from: last.from, to: durable })
      }
    }
    const relative = Math.max(index.groupEnd, durable)
    const hasRemains = !isEnd && !(isBlank && relative === index.end)
    if (!index.isSealed && relative < index.end) {
      // A group that was not finished is cut, so its records do not count.
      index = new LiveIndex(base, segmentBytes, false)
      index.catchUp(window, relative, true)
    }
    return { index, relative, hasRemains, isEnd }
  }

  /** Takes over what was found, and cuts what is torn. */
  #settle(
    segment: number,
    window: SalvageWindow,
    segments: readonly number[],
    { index, relative, hasRemains }: WalkedSegment,
  ): 'sealed' | 'damaged' | TailState {
    const { files } = this.#options
    const base = files.base(segment)
    // First the damages: a topic's oldest offset is believed only in front of them.
    for (const { from, to } of index.damages) this.#damages.push({ from: base + from, to: base + to })
    this.#lookForNames(window, index)
    this.#absorb(segment, index)
    if (index.isSealed) return 'sealed'
    // Damage that reaches to the end leaves no room for the seal.
    if (relative + batchHeaderBytes > files.segmentBytes) return 'damaged'
    if (this.#hasDataBehind(segment, segments) && index.damages.length > 0) return 'damaged'
    if (this.#mayChange && hasRemains) this.#cut(segment, relative, window)
    return {
      segment,
      relative,
      records: index.entryCount,
      topics: index.topics.size,
      nameBytes: index.nameBytes,
      time: this.#time,
    }
  }

  /** Decides about bytes behind the last valid batch that are no batch. */
  #isDamage(
    segment: number,
    index: LiveIndex,
    window: SalvageWindow,
    segments: readonly number[],
    durable: number,
  ): boolean {
    const { files, control, bootId } = this.#options
    const base = files.base(segment)
    if (index.end < durable) return true
    const read = (at: number, length: number) => window.read(at, length)
    const next = findNextBatch(read, base, index.end, this.#writtenEnd(segment), files.segmentBytes)
    if (next < 0 && !this.#hasDataBehind(segment, segments)) return false
    const isSameBoot = control !== undefined && control.bootId === bootId && /[1-9a-f]/.test(bootId)
    return isSameBoot && !this.#looksUnwritten(window, base, index.end, next)
  }

  /** True if a later segment begins with a valid batch (or carries a footer), or may: the device does not give its beginning. */
  #hasDataBehind(segment: number, segments: readonly number[]): boolean {
    const { disk, files, looks } = this.#options
    return segments.some((later) => {
      if (later <= segment || looks.get(later) === 'foreign') return false
      const file = disk.open(files.path(later), 'read')
      if (file === undefined) return false
      try {
        const window = new SalvageWindow(file)
        const read = (at: number, length: number) => window.read(at, length)
        const to = Math.min(file.size(), segmentHeaderBytes + 4096)
        return (
          findNextBatch(read, files.base(later), segmentHeaderBytes, to, file.size()) >= 0 ||
          window.unreadable.length > 0 ||
          readSealedSegment(read, files.base(later), files.segmentBytes) !== undefined
        )
      } finally {
        file.close()
      }
    })
  }

  #absorb(segment: number, index: LiveIndex): void {
    for (const { topic, name, firstOffset, count, readable } of index.topics.values()) {
      this.#merge(topic, name, firstOffset, firstOffset + count, readable, segment)
    }
    this.#epoch = Math.max(this.#epoch, index.lastEpoch)
    this.#time = Math.max(this.#time, index.lastTime)
  }

  #merge(id: number, name: string, oldest: number, next: number, first: number, segment: number): void {
    const known = this.#topics.get(id)
    // Behind damage nobody knows what was deleted and what is lost.
    if (known === undefined && this.#damages.length === 0) this.#oldest.set(id, oldest)
    else if (oldest < (this.#oldest.get(id) ?? 0)) this.#oldest.set(id, oldest)
    if (known === undefined) {
      this.#topics.set(id, { id, name, next, first, declaredIn: segment })
      return
    }
    if (known.name === '') known.name = name
    else if (name !== '' && name !== known.name) {
      this.#misnamed ??= misnamedError(this.#options.files.path(segment), id, name, known.name)
    }
    known.next = Math.max(known.next, next)
    known.first = Math.max(known.first, first)
    // Where the declaration itself was lost to damage, the one before it is still the last.
    if (name !== '') known.declaredIn = segment
  }

  /**
   * Makes everything behind the end read as zeros again, and flushes that before anything is appended: otherwise the
   * remains of a torn batch could complete a later one.
   */
  #cut(segment: number, relative: number, window: SalvageWindow): void {
    const { disk, files } = this.#options
    let file: ReturnType<Disk['open']>
    const end = this.#writtenEnd(segment)
    for (let at = relative; at < end; at += scanStepBytes) {
      const length = Math.min(scanStepBytes, files.segmentBytes - at)
      const bytes = readStep(window, at, length)
      if (isZero(bytes)) continue
      file ??= disk.open(files.path(segment), 'write')
      file?.write(at, zeros.subarray(0, length))
      this.#tornBytes += nonZeroSpan(bytes)
    }
    file?.sync()
    file?.close()
  }

  /** Keeps whole, empty segments that follow the tail without a gap; removes the rest. */
  #keepPrepared(tail: number, segments: readonly number[]): number {
    const { looks, mayRepair, control } = this.#options
    const mayBeUsed = mayRepair && control?.isClean !== true
    let prepared = looks.get(tail) === 'whole' ? tail : tail - 1
    for (const segment of segments) {
      if (segment < tail) continue
      if (segment === tail && prepared === tail) continue
      const isUsable =
        segment === prepared + 1 &&
        looks.get(segment) === 'whole' &&
        (mayBeUsed ? this.#isEmpty(segment) : !this.#hasDataBehind(segment - 1, [segment]))
      if (isUsable) prepared = segment
      else if (this.#mayChange) this.#remove(segment)
    }
    return prepared
  }

  /** True if nothing was ever written behind the header. Else a power cut took what came before it, and it has to go too. */
  #isEmpty(segment: number): boolean {
    const { files, memory } = this.#options
    const window = memory.open(files.path(segment), files.segmentBytes, 'read')
    try {
      const legible = new SalvageWindow(window)
      return this.#isBlank(segment, legible, segmentHeaderBytes) && legible.unreadable.length === 0
    } finally {
      window.close()
    }
  }

  /** True if the segment reads as zeros from `from` on. */
  #isBlank(segment: number, window: SalvageWindow, from: number): boolean {
    const { segmentBytes } = this.#options.files
    const end = this.#writtenEnd(segment)
    for (let at = from; at < end; at += scanStepBytes) {
      if (!isZero(readStep(window, at, Math.min(scanStepBytes, segmentBytes - at)))) return false
    }
    return true
  }

  /** Most of an active segment, and all of a prepared one, has never been written: nothing there has to be looked at. */
  #writtenEnd(segment: number): number {
    const { disk, files } = this.#options
    const file = disk.open(files.path(segment), 'read')
    try {
      return Math.min(file?.writtenEnd() ?? files.segmentBytes, files.segmentBytes)
    } finally {
      file?.close()
    }
  }

  /**
   * Pages that never reached the disk read as zeros: a whole sector of them, or all the rest of the first, at the place of the
   * bad batch at `end`. What stands behind it does not count.
   * @param next the next valid batch of the segment, or -1
   */
  #looksUnwritten(window: SalvageWindow, base: number, end: number, next: number): boolean {
    const room = this.#options.files.segmentBytes - end
    const header = readBatchHeader(window.read(end, Math.min(batchHeaderBytes, room)), 0, base + end, room)
    const rest = sectorBytes - (end % sectorBytes)
    const claimed = header?.bytes ?? batchHeaderBytes
    const sectors = rest + Math.ceil(Math.max(0, claimed - rest) / sectorBytes) * sectorBytes
    const bytes = window.read(end, next < 0 ? Math.min(sectors, room) : next - end)
    if (isZero(bytes.subarray(0, rest))) return true
    for (let at = rest; at + sectorBytes <= bytes.length; at += sectorBytes) {
      if (isZero(bytes.subarray(at, at + sectorBytes))) return true
    }
    return false
  }
}

/** Into memory that the next call overwrites: hundreds of megabytes of zeros are looked at. */
function readStep(window: SalvageWindow, at: number, length: number): Uint8Array {
  window.readInto(step, 0, at, length)
  return step.subarray(0, length)
}

function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, zeros.subarray(0, bytes.length)) === 0
}

function nonZeroSpan(bytes: Uint8Array): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return end
}
