/** A transaction as one atomic group: each topic's messages together, behind the guards of those that have conditions. */
import { added } from '../../collections/added.js'
import type { Extras, Payload, TransactionParts } from '../../engine/terms.js'
import type { Guard } from '../../format/guard-layout.js'
import { registerTopic } from '../../format/hidden-topics.js'
import type { TopicDirectory, TopicHandle } from '../topic-directory.js'
import { GroupFrames, type RegisterShare, type TopicMessages } from './group-frames.js'

interface Share extends TopicMessages {
  readonly values: Payload[]
  extras: (Extras | undefined)[]
  conditions: Guard[]
}

/** Of topics of which no message has a condition, a key or headers: never added to. */
const noGuards: Guard[] = []
const noExtras: (Extras | undefined)[] = []
const noShares: readonly Share[] = []
const noRegisters: readonly RegisterShare[] = []
/** So many topics are looked through, of more there is a table. */
const fewTopics = 8

/** @param guards of the messages, instead of their conditions: with versions looked up */
export function transactionFrames(
  { messages, registers }: Pick<TransactionParts, 'messages' | 'registers'>,
  topics: Pick<TopicDirectory, 'handle'>,
  guards?: readonly (Guard | undefined)[],
): GroupFrames {
  const shares = new Shares()
  for (let index = 0; index < messages.length; index++) {
    const { topic, value, extras, condition } = messages[index]
    const guard = guards === undefined ? condition : guards[index]
    shares.add(topics.handle(topic), value, extras, guard)
  }
  const set =
    registers.length === 0
      ? noRegisters
      : registers.map(({ kind, name, ...rest }) => ({ topic: topics.handle(registerTopic(kind, name)), ...rest }))
  return new GroupFrames(shares.list, set, shares.places)
}

/** By topic, in the order of their first messages. */
class Shares {
  #list: Share[] | undefined
  /** Of which share each message is; undefined while those of each topic have come together. */
  #order: number[] | undefined
  #byTopic: Map<TopicHandle, number> | undefined

  get list(): readonly Share[] {
    return this.#list ?? noShares
  }

  /** Of each message, as they have come, its place among all in the order of the shares; undefined: they stand so. */
  get places(): number[] | undefined {
    if (this.#order === undefined) return undefined
    const next: number[] = []
    for (let share = 0, begin = 0; share < this.list.length; begin += this.list[share++].values.length) next.push(begin)
    return this.#order.map((share) => next[share]++)
  }

  add(topic: TopicHandle, value: Payload, extras: Extras | undefined, guard: Guard | undefined): void {
    const { list } = this
    const last = list.length - 1
    const at =
      last >= 0 && list[last].topic === topic
        ? last
        : list.length > fewTopics
          ? this.#table().get(topic)
          : placeOf(topic, list)
    if (at === undefined) this.#begin(topic, value, extras, guard)
    else {
      if (at !== last) this.#order ??= inOrder(list)
      addTo(list[at], value, extras, guard)
    }
    this.#order?.push(at ?? last + 1)
  }

  #begin(topic: TopicHandle, value: Payload, extras: Extras | undefined, guard: Guard | undefined): void {
    this.#byTopic?.set(topic, this.list.length)
    this.#list = added(this.#list, {
      topic,
      values: [value],
      extras: extras === undefined ? noExtras : [extras],
      conditions: guard === undefined ? noGuards : [{ ...guard, isIdNew: true }],
    })
  }

  #table(): Map<TopicHandle, number> {
    this.#byTopic ??= new Map(this.list.map(({ topic }, at) => [topic, at]))
    return this.#byTopic
  }
}

function addTo(share: Share, value: Payload, extras: Extras | undefined, guard: Guard | undefined): void {
  const { values } = share
  if (guard !== undefined) {
    if (share.conditions === noGuards) share.conditions = []
    share.conditions.push({ ...guard, ahead: values.length, isIdNew: true })
  }
  if (extras !== undefined && share.extras === noExtras) share.extras = values.map(() => undefined)
  if (share.extras !== noExtras) share.extras.push(extras)
  values.push(value)
}

/** Of messages that have come so: the share of each. */
function inOrder(shares: readonly Share[]): number[] {
  return shares.flatMap(({ values }, share) => values.map(() => share))
}

function placeOf(topic: TopicHandle, list: readonly Share[]): number | undefined {
  for (let at = list.length - 1; at >= 0; at--) if (list[at].topic === topic) return at
  return undefined
}
