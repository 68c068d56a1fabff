/** What a guard comes to, by all that is in the log, and what is appended to it next. */
import { frameWord } from '../../format/frame-layout.js'
import { aheadOf, belowOf, expectedOf, idOf, unchangedOf } from '../../format/guard-layout.js'
import { registerValue } from '../../format/hidden-topics.js'
import type { RingMemory } from '../../ring/append-ring.js'
import type { LogTail } from '../../storage/append/log-tail.js'
import type { IdWindows } from './id-windows.js'
import type { KeyedAppends } from './keyed-appends.js'
import type { StagedGroups } from './staged-groups.js'

export interface GuardJudgeParts {
  tail: Pick<LogTail, 'next' | 'first' | 'time'>
  ids: IdWindows
  keys: Pick<KeyedAppends, 'isUnchanged'>
  staged: StagedGroups
}

/** What the guard at `at` comes to. */
export interface GuardVerdict {
  at: number
  topic: number
  /** `known`: what it is about was written before, and that is the answer. */
  kind: 'holds' | 'known' | 'conflict'
  /** Of the message that it is about; of a conflict, what is there. */
  offset: number
  /** To be remembered. */
  id: string | undefined
  /** Of a conflict: what was looked up may not be so any more. */
  isChanged: boolean
}

export class GuardJudge {
  readonly #parts: GuardJudgeParts

  constructor(parts: GuardJudgeParts) {
    this.#parts = parts
  }

  judge(memory: RingMemory, at: number): GuardVerdict {
    const { tail, ids, keys, staged } = this.#parts
    const { words } = memory
    const topic = words[(at >>> 2) + frameWord.topic]
    const below = belowOf(words, at)
    if (below !== undefined) {
      const value = registerValue(staged.statedOf(topic) ?? tail.first(topic) ?? 0)
      const kind = value === undefined || value < below ? 'holds' : 'conflict'
      return { at, topic, kind, offset: value ?? 0, id: undefined, isChanged: false }
    }
    const offset = tail.next(topic) + staged.messagesOf(topic) + aheadOf(words, at)
    const named = idOf(memory, at)
    if (named !== undefined) {
      // The id first: what was written is written, whatever has come behind it.
      const known = ids.find(topic, named.id, named) ?? staged.offsetOf(topic, named.id)
      if (known !== undefined)
        return { at, topic, kind: named.isNew ? 'conflict' : 'known', offset: known, id: undefined, isChanged: false }
    }
    const expected = expectedOf(words, at) ?? offset
    if (offset !== expected) return { at, topic, kind: 'conflict', offset, id: undefined, isChanged: false }
    const key = unchangedOf(words, at)
    if (key !== undefined && !(keys.isUnchanged(topic, key) && !staged.hasKey(topic, key.tag)))
      return { at, topic, kind: 'conflict', offset, id: undefined, isChanged: true }
    return { at, topic, kind: 'holds', offset, id: named?.id, isChanged: false }
  }

  /** Behind the append: what holds is remembered. */
  note({ topic, id, offset }: GuardVerdict): void {
    const { ids, tail } = this.#parts
    if (id !== undefined) ids.note(topic, { id, offset, time: tail.time })
  }
}
