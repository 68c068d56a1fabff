/** What checking one segment has found so far: its report in the making, and the holes from which messages may be missing. */
import { frameHeaderBytes } from '../../format/frame-layout.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import type { Damage, DamageKind, LostOffsets, Remark, SegmentReport, SegmentTask } from './verify-report.js'

/** A place, relative, from which messages may be missing, and those that are known to be. */
export interface Hole {
  from: number
  to: number
  lost: LostOffsets[]
}

/** Of one kind and segment; more of the same say nothing new, and a hostile file could make millions. */
const maxDamagesOfKind = 100

export class SegmentFindings {
  readonly report: SegmentReport
  /** Ascending: damage, and the gaps that a repair left. */
  readonly holes: Hole[] = []
  readonly #task: SegmentTask
  readonly #counts = new Map<DamageKind, number>()

  constructor(task: SegmentTask) {
    this.#task = task
    this.report = {
      segment: task.segment,
      records: 0,
      batches: 0,
      bytes: task.segmentBytes,
      firstTime: 0,
      lastTime: 0,
      lastEpoch: 0,
      topics: [],
      damages: [],
      remarks: [],
      ranges: [],
      isTailLost: false,
      expires: false,
      isPacked: false,
      end: segmentHeaderBytes,
    }
  }

  /** The report of a segment of which there is no byte that is this log's. */
  nothingOfOurs(): SegmentReport {
    const { segmentBytes, end = segmentBytes } = this.#task
    this.report.bytes = 0
    this.report.ranges.push({ from: segmentHeaderBytes, to: end, time: 0 })
    this.report.isTailLost = true
    return this.report
  }

  /** Undefined: there are enough of the kind. */
  damage(kind: DamageKind, at: number, bytes: number, what: string): Damage | undefined {
    const same = this.#counts.get(kind) ?? 0
    this.#counts.set(kind, same + 1)
    if (same >= maxDamagesOfKind) return undefined
    const { base, file } = this.#task
    const damage = { kind, file, position: base + at, bytes, what, lost: [] }
    this.report.damages.push(damage)
    return damage
  }

  remark(kind: Remark['kind'], at: number, bytes: number, what: string): Remark {
    const { base, file } = this.#task
    const remark = { kind, file, position: base + at, bytes, what, lost: [] }
    this.report.remarks.push(remark)
    return remark
  }

  /** One says enough. */
  unknownFrame(at: number, bytes: number, kind: number): void {
    if (this.report.remarks.some((remark) => remark.kind === 'unknown')) return
    this.remark('unknown', at, bytes, `a frame of kind ${kind}, which this release does not know and passes over`)
  }

  has(kind: DamageKind): boolean {
    return this.report.damages.some((damage) => damage.kind === kind)
  }

  /** Bytes that are no batch, where one has to be. */
  noBatch(from: number, to: number, what: string): void {
    this.report.ranges.push({ from, to, time: this.report.lastTime })
    this.holes.push({ from, to, lost: this.damage('batches', from, to - from, what)?.lost ?? [] })
  }

  /** What a repair has set aside. Long gaps stand in several batches. */
  gap(from: number, to: number): void {
    const last = this.holes.at(-1)
    const { base } = this.#task
    const before = this.report.remarks.find(
      ({ kind, position, bytes }) => kind === 'gap' && position + bytes === base + from,
    )
    if (last !== undefined && last.to === from && before !== undefined) {
      last.to = to
      before.bytes += to - from
      return
    }
    this.holes.push({ from, to, lost: this.remark('gap', from, to - from, 'was set aside by a repair').lost })
  }

  /** Of how many messages there can have been in damage before a position. */
  roomBefore(position: number): number {
    const before = this.report.ranges.filter(({ from }) => this.#task.base + from < position)
    return before.reduce((sum, { from, to }) => sum + Math.floor((to - from) / frameHeaderBytes), 0)
  }
}
