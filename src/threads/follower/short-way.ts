/**
 * What is published is taken in by the application's thread itself, where that is short, plain and in memory: nobody else has to be woken then.
 * Everything else it leaves to the follower's thread, which does it as if nobody had looked before.
 *
 * It believes the bell of the owner in the epoch, and for as long, as the follower's thread says, which looks at who has the log open; and it
 * stores only in its turn.
 */
import { type BellRecord, noEpoch } from '../../format/bell-layout.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import type { MetTopic } from '../../storage/follow/log-walk.js'
import type { ShortWalk } from '../../storage/follow/short-walk.js'
import type { FollowedWords } from './followed-words.js'

export interface ShortWayParts {
  state: Pick<SharedState, 'believedEpoch' | 'believedUntil' | 'trim'>
  words: FollowedWords
  cells: TopicCells
  walk: Pick<ShortWalk, 'step' | 'dropBelow'>
  /** Without waiting. @returns undefined: it is not to be read now, or says nothing */
  readBell(): BellRecord | undefined
  /** The clock that threads compare with each other. */
  sharedMs(): number
}

export class ShortWay {
  readonly #parts: ShortWayParts

  constructor(parts: ShortWayParts) {
    this.#parts = parts
  }

  /** The bell was written to. False: it is for the follower's thread to hear. */
  hear(): boolean {
    const { words, readBell } = this.#parts
    const bell = readBell()
    if (bell === undefined || !words.tryTake()) return false
    try {
      return this.#takeIn(bell)
    } finally {
      words.giveBack()
    }
  }

  #takeIn(bell: BellRecord): boolean {
    const { state, words, cells, walk } = this.#parts
    walk.dropBelow(bell.trim)
    if (!this.#isBelieved(bell) || bell.trim !== state.trim.load()) return false
    const from = words.published
    if (bell.published <= from) return true
    const step = walk.step(from, bell.published)
    if (step === undefined || !step.topics.every((met) => this.#isPlain(met))) return false
    let records = 0
    for (const { topic, next } of step.topics) records += Math.max(0, next - cells.next(topic).load())
    words.publish(step, records)
    cells.storeTogether(() => {
      for (const { topic, next } of step.topics) {
        const cell = cells.next(topic)
        cell.takeOver()
        // Records that were moved forward were known before.
        cell.store(Math.max(cell.load(), next))
      }
    })
    return true
  }

  #isBelieved({ epoch }: BellRecord): boolean {
    const { state, sharedMs } = this.#parts
    const isOfNow = ((state.believedUntil.load() - sharedMs()) | 0) > 0
    return epoch !== noEpoch && epoch === state.believedEpoch.load() >>> 0 && isOfNow
  }

  /** Only messages, of a topic that is known here. What is declared is for the thread that keeps the books. */
  #isPlain({ topic, name, readable }: MetTopic): boolean {
    return name === '' && readable === 0 && this.#parts.cells.next(topic).load() > 0
  }
}
