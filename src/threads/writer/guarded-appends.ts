/**
 * Appends with conditions. The writer judges them with their group at the head of its ring and everything before that appended, or about to be in the same
 * batch: the writer is one, so between the judgement and the append there is nothing. A group that is refused leaves the ring, and nothing of it the log.
 *
 * Groups that follow each other in a ring are judged one after the other, appended together and published once. Of what they come to, nothing is
 * told before that: a write that fails, or has no room, leaves all of them where they are, to be judged anew.
 */
import { assert } from '../../errors.js'
import type { FeatureSet } from '../../format/features.js'
import { frameBytes, frameKind, frameWord, hasOwnConditions, kindOf, tailWord } from '../../format/frame-layout.js'
import { neededBy, stampChanged, stampGuard } from '../../format/guard-layout.js'
import type { RingMemory } from '../../ring/append-ring.js'
import type { FrameRun } from '../../storage/append/batch-cutter.js'
import type { LogTail } from '../../storage/append/log-tail.js'
import { type GroupExtent, groupExtent } from './group-extent.js'
import { GuardJudge, type GuardJudgeParts } from './guard-judge.js'
import { type JudgedGroup, JudgedGroups } from './judged-groups.js'
import type { LaneIntake } from './lane-intake.js'
import type { Publisher } from './publisher.js'
import { StagedGroups } from './staged-groups.js'

export interface GuardedAppendsParts extends Omit<GuardJudgeParts, 'staged'> {
  tail: Pick<LogTail, 'next' | 'first' | 'time' | 'takesGroup'>
  publisher: Pick<Publisher, 'publish' | 'release'>
  /** False: the log does not say yet that it has them. */
  mayHold(features: FeatureSet): boolean
  /** Blocks for so much more. False: they are not there yet. */
  makeRoom(bytes: number, records: number, topics: number): boolean
  /** False: there is no room for the group yet, and nothing was written. */
  appendGroup(run: FrameRun, from: number, to: number, extent?: GroupExtent): boolean
}

export class GuardedAppends {
  readonly #parts: GuardedAppendsParts
  readonly #staged = new StagedGroups()
  readonly #groups = new JudgedGroups()
  readonly #judge: GuardJudge

  constructor(parts: GuardedAppendsParts) {
    this.#parts = parts
    this.#judge = new GuardJudge({ ...parts, staged: this.#staged })
  }

  /**
   * Takes the guards at `at`, the head of a lane's ring, with the group behind them, and what follows as far as it is of that kind; where there is no
   * room for the first yet, or the log has to say before that it holds such things, all stay.
   */
  take(lane: LaneIntake, at: number, to: number): void {
    const { publisher } = this.#parts
    const { memory, head } = lane.ring
    const { words } = memory
    const groups = this.#groups
    // What an append that failed has left.
    this.#staged.clear()
    groups.clear()
    let end = at
    while (end < to && !groups.isFull) {
      const tail = words[(end >>> 2) + frameWord.tail]
      const kind = kindOf(tail)
      if (kind !== frameKind.guard && (kind !== frameKind.data || hasOwnConditions(tail))) break
      const from = behindGuards(words, end, to)
      const isBulk = kindOf(words[(from >>> 2) + frameWord.tail]) === frameKind.bulk
      const extent = groupExtent(words, from, to)
      if (isBulk || !this.#staged.takes(extent.bytes)) {
        // In a turn of its own.
        if (groups.length > 0) break
        this.#takeAlone(lane, end, from, isBulk ? undefined : extent)
        return
      }
      const group = this.#judged(memory, end, from, from + extent.bytes)
      if (group === undefined) break
      if (group.refusal === undefined && !this.#stage(memory, group, extent)) {
        groups.takeBack()
        break
      }
      end = group.end
    }
    if (groups.length === 0) return
    const isAppending = this.#staged.bytes > 0
    if (isAppending) this.#append()
    this.#settle(memory)
    if (!isAppending) publisher.release(lane, head + end - at)
    else this.#publish(lane, head + end - at)
  }

  /** False: there is no room behind what is staged. */
  #stage(memory: FrameRun, { from, end, first, last }: JudgedGroup, { bytes, records, topics }: GroupExtent): boolean {
    const { tail, makeRoom } = this.#parts
    const staged = this.#staged
    const isFirst = staged.bytes === 0
    // Topics that are staged already may be counted twice: that is more than they take.
    const isTaken = tail.takesGroup(staged.bytes + bytes, staged.records + records, staged.topics + topics)
    if (!isTaken && !(isFirst && makeRoom(bytes, records, topics))) return false
    staged.add(memory, from, end)
    for (let index = first; index < last; index++) {
      const verdict = this.#groups.verdict(index)
      if (verdict.hasId) staged.addId(verdict)
    }
    return true
  }

  #append(): void {
    const { run, bytes, records, topics } = this.#staged
    const isTaken = this.#parts.appendGroup(run, 0, bytes, { bytes, records, topics })
    assert(isTaken, 'there is room for groups that are staged')
  }

  /** Behind the append: tells what has become of the groups. */
  #settle(memory: FrameRun): void {
    let at = 0
    for (let index = 0; index < this.#groups.length; index++) {
      const group = this.#groups.at(index)
      if (group.refusal === undefined) at = this.#staged.stampBack(memory.words, group.from, group.end, at)
      this.#tell(memory, group)
    }
    this.#staged.clear()
  }

  /** What came past the ring, or is larger than what is copied: it is appended from where it is. @param extent none: the first */
  #takeAlone(lane: LaneIntake, at: number, from: number, extent: GroupExtent | undefined): void {
    const { publisher, appendGroup } = this.#parts
    const { memory, head } = lane.ring
    const isBulk = extent === undefined
    const end = isBulk ? frameAfter(memory.words, from) : from + extent.bytes
    const group = this.#judged(memory, at, from, end)
    if (group === undefined) return
    if (group.refusal !== undefined) {
      if (isBulk) lane.forgetBulkAt(from)
      this.#tell(memory, group)
      publisher.release(lane, head + end - at)
      return
    }
    const run = isBulk ? lane.bulkAt(from) : memory
    const isTaken = isBulk ? appendGroup(run, 0, run.bytes.length) : appendGroup(run, from, end, extent)
    if (!isTaken) return
    if (isBulk) lane.bulkAppended(from)
    this.#tell(memory, group)
    this.#publish(lane, head + end - at)
  }

  #publish(lane: LaneIntake, head: number): void {
    const { tail, publisher } = this.#parts
    lane.noteTime(tail.time)
    publisher.publish(lane, head)
  }

  /** Undefined: the log has to say first that it holds what the group is. */
  #judged(memory: RingMemory, at: number, from: number, end: number): JudgedGroup | undefined {
    const { words } = memory
    const group = this.#groups.add(from, end)
    for (let guard = at; guard < from; guard = frameAfter(words, guard)) {
      const needed = neededBy(words, guard)
      if (needed !== undefined) {
        if (this.#parts.mayHold(needed)) continue
        this.#groups.takeBack()
        return undefined
      }
      const verdict = this.#groups.addVerdict(group)
      this.#judge.judge(memory, guard, verdict)
      if (verdict.kind !== 'holds') group.refusal ??= verdict
    }
    return group
  }

  /** Behind the append, and before it is published. */
  #tell({ bytes, words }: FrameRun, { from, end, first, last, refusal }: JudgedGroup): void {
    if (refusal === undefined) {
      for (let index = first; index < last; index++) {
        const verdict = this.#groups.verdict(index)
        this.#judge.note(bytes, verdict)
        stampGuard(words, verdict.at, frameKind.guard, verdict.offset)
      }
      return
    }
    if (refusal.isChanged) stampChanged(words, refusal.at)
    // Who looks for the newest messages in the ring must not find these.
    cancelAll(words, from, end)
    stampGuard(words, refusal.at, refusal.kind === 'known' ? frameKind.guard : frameKind.conflict, refusal.offset)
  }
}

function frameAfter(words: Uint32Array, at: number): number {
  return at + frameBytes(words[(at >>> 2) + frameWord.length])
}

/** Where the group begins whose guards begin at `at`. */
function behindGuards(words: Uint32Array, at: number, to: number): number {
  let from = at
  while (kindOf(words[(from >>> 2) + frameWord.tail]) === frameKind.guard) {
    from = frameAfter(words, from)
    assert(from < to, 'a guard and its group are handed over at once')
  }
  return from
}

function cancelAll(words: Uint32Array, from: number, end: number): void {
  for (let at = from; at < end; at = frameAfter(words, at))
    words[(at >>> 2) + frameWord.tail] = tailWord(0, frameKind.cancelled, 0)
}
