/** What a guard comes to, by all that is in the log, and what is appended to it next. */
import { frameWord } from '../../format/frame-layout.js'
import { aheadOf, belowOf, expectedOf, idOf, unchangedOf } from '../../format/guard-layout.js'
import { registerValue } from '../../format/hidden-topics.js'
import type { RingMemory } from '../../ring/append-ring.js'
import type { LogTail } from '../../storage/append/log-tail.js'
import { hashOf } from './id-table.js'
import type { IdWindows } from './id-windows.js'
import type { GuardVerdict } from './judged-groups.js'
import type { KeyedAppends } from './keyed-appends.js'
import type { StagedGroups } from './staged-groups.js'

export interface GuardJudgeParts {
  tail: Pick<LogTail, 'next' | 'first' | 'time'>
  ids: IdWindows
  keys: Pick<KeyedAppends, 'isUnchanged'>
  staged: StagedGroups
}

export class GuardJudge {
  readonly #parts: GuardJudgeParts

  constructor(parts: GuardJudgeParts) {
    this.#parts = parts
  }

  /** @param verdict what the guard at `at` comes to: all of it is set */
  judge(memory: RingMemory, at: number, verdict: GuardVerdict): void {
    const { tail, ids, keys, staged } = this.#parts
    const { words, bytes } = memory
    const topic = words[(at >>> 2) + frameWord.topic]
    verdict.at = at
    verdict.topic = topic
    verdict.hasId = false
    verdict.isChanged = false
    const below = belowOf(words, at)
    if (below !== undefined) {
      const value = registerValue(staged.statedOf(topic) ?? tail.first(topic) ?? 0)
      verdict.kind = value === undefined || value < below ? 'holds' : 'conflict'
      verdict.offset = value ?? 0
      return
    }
    const offset = tail.next(topic) + staged.messagesOf(topic) + aheadOf(words, at)
    verdict.offset = offset
    const { id } = verdict
    const named = idOf(words, at)
    if (named !== undefined) {
      id.from = named.from
      id.end = named.end
      id.hash = hashOf(bytes, id.from, id.end)
      // The id first: what was written is written, whatever has come behind it.
      const known = ids.find(topic, bytes, id, named) ?? staged.offsetOf(topic, bytes, id)
      if (known !== undefined) {
        verdict.kind = named.isNew ? 'conflict' : 'known'
        verdict.offset = known
        return
      }
    }
    const expected = expectedOf(words, at) ?? offset
    if (offset !== expected) {
      verdict.kind = 'conflict'
      return
    }
    const key = unchangedOf(words, at)
    if (key !== undefined && !(keys.isUnchanged(topic, key) && !staged.hasKey(topic, key.tag))) {
      verdict.kind = 'conflict'
      verdict.isChanged = true
      return
    }
    verdict.kind = 'holds'
    verdict.hasId = named !== undefined
  }

  /** Behind the append: what holds is remembered. @param bytes of the ring */
  note(bytes: Uint8Array, { topic, id, hasId, offset }: GuardVerdict): void {
    const { ids, tail } = this.#parts
    if (hasId) ids.note(topic, bytes, id, offset, tail.time)
  }
}
