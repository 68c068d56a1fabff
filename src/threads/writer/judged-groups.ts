/** Groups with what their guards have come to, from when they are judged until that is told. Used again: see collections/reused.ts. */
import { Reused } from '../../collections/reused.js'
import type { IdPlace } from './id-table.js'

/** What the guard at `at` comes to. */
export interface GuardVerdict {
  at: number
  topic: number
  /** `known`: what it is about was written before, and that is the answer. */
  kind: 'holds' | 'known' | 'conflict'
  /** Of the message that it is about; of a conflict, what is there. */
  offset: number
  /** Of a conflict: what was looked up may not be so any more. */
  isChanged: boolean
  /** To be remembered, if {@link hasId}: in the ring. */
  readonly id: IdPlace
  hasId: boolean
  /** Another one that is staged, in the same chain. */
  before: GuardVerdict | undefined
}

/** A group with its guards, or without. */
export interface JudgedGroup {
  /** Of its first frame. */
  from: number
  end: number
  /** Of its verdicts: the first, and behind the last. */
  first: number
  last: number
  /** Why it is not written. */
  refusal: GuardVerdict | undefined
}

/** So many are judged before any of it is told. */
const maxGroups = 1024

export class JudgedGroups {
  readonly #groups = new Reused<JudgedGroup>(() => ({ from: 0, end: 0, first: 0, last: 0, refusal: undefined }))
  readonly #verdicts = new Reused<GuardVerdict>(newVerdict)

  get length(): number {
    return this.#groups.length
  }

  get isFull(): boolean {
    return this.#groups.length >= maxGroups
  }

  at(index: number): JudgedGroup {
    return this.#groups.at(index)
  }

  verdict(index: number): GuardVerdict {
    return this.#verdicts.at(index)
  }

  add(from: number, end: number): JudgedGroup {
    const group = this.#groups.add()
    group.from = from
    group.end = end
    group.first = this.#verdicts.length
    group.last = group.first
    group.refusal = undefined
    return group
  }

  /** The next one of the last group, as it was left. */
  addVerdict(group: JudgedGroup): GuardVerdict {
    group.last += 1
    return this.#verdicts.add()
  }

  /** The last one is not judged after all. */
  takeBack(): void {
    const last = this.#groups.length - 1
    this.#verdicts.cut(this.#groups.at(last).first)
    this.#groups.cut(last)
  }

  clear(): void {
    this.#groups.cut(0)
    this.#verdicts.cut(0)
  }
}

function newVerdict(): GuardVerdict {
  const id = { from: 0, end: 0, hash: 0 }
  return { at: 0, topic: 0, kind: 'holds', offset: 0, isChanged: false, id, hasId: false, before: undefined }
}
