/**
 * Appends with conditions. The writer judges them with the group at the head of its ring, and with everything before that published: the
 * writer is one, so between the judgement and the append there is nothing. A group that is refused leaves the ring, and nothing of it the log.
 */
import { assert } from '../../errors.js'
import type { FeatureSet } from '../../format/features.js'
import { flagsOf, frameBytes, frameFlag, frameKind, frameWord, kindOf, tailWord } from '../../format/frame-layout.js'
import {
  aheadOf,
  belowOf,
  expectedOf,
  idOf,
  neededBy,
  stampChanged,
  stampGuard,
  unchangedOf,
} from '../../format/guard-layout.js'
import { registerValue } from '../../format/hidden-topics.js'
import type { FrameRun } from '../../storage/append/batch-cutter.js'
import type { LogTail } from '../../storage/append/log-tail.js'
import type { IdWindows } from './id-windows.js'
import type { KeyedAppends } from './keyed-appends.js'
import type { LaneIntake } from './lane-intake.js'
import type { Publisher } from './publisher.js'

export interface GuardedAppendsParts {
  tail: Pick<LogTail, 'next' | 'first' | 'time'>
  publisher: Publisher
  ids: IdWindows
  keys: Pick<KeyedAppends, 'isUnchanged'>
  /** False: the log does not say yet that it has them. */
  mayHold(features: FeatureSet): boolean
  /** False: there is no room for the group yet, and nothing was written. */
  appendGroup(run: FrameRun, from: number, to: number): boolean
}

/** What the guard at `at` comes to. */
interface GuardVerdict {
  at: number
  topic: number
  /** `known`: what it is about was written before, and that is the answer. */
  kind: 'holds' | 'known' | 'conflict'
  /** Of the message that it is about; of a conflict, what is there. */
  offset: number
  /** To be remembered. */
  id: string | undefined
  /** Of a conflict: what was looked up may not be so any more. */
  isChanged?: boolean
}

export class GuardedAppends {
  readonly #parts: GuardedAppendsParts

  constructor(parts: GuardedAppendsParts) {
    this.#parts = parts
  }

  /**
   * Takes the guards at `at`, the head of a lane's ring, with the group behind them; where there is no room for that yet, or the log has to say
   * before that it holds such things, all stay.
   */
  take(lane: LaneIntake, at: number, to: number): void {
    const { tail, publisher, ids, mayHold, appendGroup } = this.#parts
    const { memory, head } = lane.ring
    const { words } = memory
    const verdicts: GuardVerdict[] = []
    let from = at
    for (; kindOf(words[(from >>> 2) + frameWord.tail]) === frameKind.guard; from = frameAfter(words, from)) {
      const needed = neededBy(words, from)
      if (needed === undefined) verdicts.push(this.#judge(memory, from))
      else if (!mayHold(needed)) return
      assert(frameAfter(words, from) < to, 'a guard and its group are handed over at once')
    }
    const end = groupEnd(words, from, to)
    const isBulk = kindOf(words[(from >>> 2) + frameWord.tail]) === frameKind.bulk
    const refusal = verdicts.find(({ kind }) => kind !== 'holds')
    if (refusal !== undefined) {
      if (isBulk) lane.forgetBulkAt(from)
      if (refusal.isChanged) stampChanged(words, refusal.at)
      // Who looks for the newest messages in the ring must not find these.
      cancelAll(words, from, end)
      stampGuard(words, refusal.at, refusal.kind === 'known' ? frameKind.guard : frameKind.conflict, refusal.offset)
      publisher.release(lane, head + end - at)
      return
    }
    const run = isBulk ? lane.bulkAt(from) : memory
    const isTaken = isBulk ? appendGroup(run, 0, run.bytes.length) : appendGroup(run, from, end)
    if (!isTaken) return
    if (isBulk) lane.bulkAppended(from)
    for (const { at: guard, topic, offset, id } of verdicts) {
      if (id !== undefined) ids.note(topic, { id, offset, time: tail.time })
      stampGuard(words, guard, frameKind.guard, offset)
    }
    lane.noteTime(tail.time)
    publisher.publish(lane, head + end - at)
  }

  #judge({ bytes, words }: FrameRun, at: number): GuardVerdict {
    const { tail, ids, keys } = this.#parts
    const topic = words[(at >>> 2) + frameWord.topic]
    const below = belowOf(words, at)
    if (below !== undefined) {
      const value = registerValue(tail.first(topic) ?? 0)
      const kind = value === undefined || value < below ? 'holds' : 'conflict'
      return { at, topic, kind, offset: value ?? 0, id: undefined }
    }
    const offset = tail.next(topic) + aheadOf(words, at)
    const named = idOf(bytes, words, at)
    // The id first: what was written is written, whatever has come behind it.
    const known = named && ids.find(topic, named.id, named)
    if (known !== undefined)
      return { at, topic, kind: named?.isNew === true ? 'conflict' : 'known', offset: known, id: undefined }
    const expected = expectedOf(words, at) ?? offset
    if (offset !== expected) return { at, topic, kind: 'conflict', offset, id: undefined }
    const key = unchangedOf(words, at)
    if (key !== undefined && !keys.isUnchanged(topic, key))
      return { at, topic, kind: 'conflict', offset, id: undefined, isChanged: true }
    return { at, topic, kind: 'holds', offset, id: named?.id }
  }
}

function frameAfter(words: Uint32Array, at: number): number {
  return at + frameBytes(words[(at >>> 2) + frameWord.length])
}

/** Where the atomic group (or single frame) ends that begins at `from`. */
function groupEnd(words: Uint32Array, from: number, to: number): number {
  let at = from
  for (let continues = true; continues && at < to; ) {
    continues = (flagsOf(words[(at >>> 2) + frameWord.tail]) & frameFlag.continues) !== 0
    at = frameAfter(words, at)
  }
  return at
}

function cancelAll(words: Uint32Array, from: number, end: number): void {
  for (let at = from; at < end; at = frameAfter(words, at))
    words[(at >>> 2) + frameWord.tail] = tailWord(0, frameKind.cancelled, 0)
}
