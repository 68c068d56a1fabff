/**
 * Appends with a condition. The writer judges it with the group at the head of its ring, and with everything before that published: the
 * writer is one, so between the judgement and the append there is nothing. A group that is refused leaves the ring, and nothing of it the log.
 */
import { assert } from '../../errors.js'
import { flagsOf, frameBytes, frameFlag, frameKind, frameWord, kindOf, tailWord } from '../../format/frame-layout.js'
import { expectedOf, idOf, stampGuard } from '../../format/guard-layout.js'
import type { FrameRun } from '../../storage/append/batch-cutter.js'
import type { LogTail } from '../../storage/append/log-tail.js'
import type { IdWindows } from './id-windows.js'
import type { LaneIntake } from './lane-intake.js'
import type { Publisher } from './publisher.js'

export interface GuardedAppendsParts {
  tail: Pick<LogTail, 'next' | 'time'>
  publisher: Publisher
  ids: IdWindows
  /** False: there is no room for the group yet, and nothing was written. */
  appendGroup(run: FrameRun, from: number, to: number): boolean
}

export class GuardedAppends {
  readonly #parts: GuardedAppendsParts

  constructor(parts: GuardedAppendsParts) {
    this.#parts = parts
  }

  /** Takes the guard at `at`, the head of a lane's ring, with the group behind it; where there is no room for that yet, both stay. */
  take(lane: LaneIntake, at: number, to: number): void {
    const { tail, publisher, ids, appendGroup } = this.#parts
    const { memory, head } = lane.ring
    const { words } = memory
    const from = at + frameBytes(words[(at >>> 2) + frameWord.length])
    assert(from < to, 'a guard and its group are handed over at once')
    const end = groupEnd(words, from, to)
    const topic = words[(at >>> 2) + frameWord.topic]
    const next = tail.next(topic)
    const named = idOf(memory.bytes, words, at)
    // The id first: what was written is written, whatever has come behind it.
    const known = named && ids.find(topic, named.id, named)
    const isBulk = kindOf(words[(from >>> 2) + frameWord.tail]) === frameKind.bulk
    const expected = expectedOf(words, at) ?? next
    if (known !== undefined || next !== expected) {
      if (isBulk) lane.forgetBulkAt(from)
      // Who looks for the newest messages in the ring must not find these.
      cancelAll(words, from, end)
      stampGuard(words, at, known === undefined ? frameKind.conflict : frameKind.guard, known ?? next)
      publisher.release(lane, head + end - at)
      return
    }
    const run = isBulk ? lane.bulkAt(from) : memory
    const isTaken = isBulk ? appendGroup(run, 0, run.bytes.length) : appendGroup(run, from, end)
    if (!isTaken) return
    if (isBulk) lane.bulkAppended(from)
    if (named !== undefined) ids.note(topic, { id: named.id, offset: next, time: tail.time })
    stampGuard(words, at, frameKind.guard, next)
    lane.noteTime(tail.time)
    publisher.publish(lane, head + end - at)
  }
}

/** Where the atomic group (or single frame) ends that begins at `from`. */
function groupEnd(words: Uint32Array, from: number, to: number): number {
  let at = from
  for (let continues = true; continues && at < to; ) {
    continues = (flagsOf(words[(at >>> 2) + frameWord.tail]) & frameFlag.continues) !== 0
    at += frameBytes(words[(at >>> 2) + frameWord.length])
  }
  return at
}

function cancelAll(words: Uint32Array, from: number, end: number): void {
  for (let at = from; at < end; at += frameBytes(words[(at >>> 2) + frameWord.length]))
    words[(at >>> 2) + frameWord.tail] = tailWord(0, frameKind.cancelled, 0)
}
