/** A transaction as one atomic group: each topic's messages together, behind guards that tell the offsets that they get. */
import { added } from '../../collections/added.js'
import type { Extras, Payload, TransactionParts } from '../../engine/terms.js'
import type { Guard } from '../../format/guard-layout.js'
import { registerTopic } from '../../format/hidden-topics.js'
import type { TopicDirectory, TopicHandle } from '../topic-directory.js'
import { GroupFrames, type RegisterShare, type TopicMessages } from './group-frames.js'

interface Share extends TopicMessages {
  readonly values: Payload[]
  readonly extras: (Extras | undefined)[]
  readonly conditions: Guard[]
}

/** Of a message that has no condition, and is the first of its topic. */
const firstOfTopic: Guard = { isIdNew: true }
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
  const order = new Array<number>(messages.length)
  for (let index = 0; index < order.length; index++) {
    const { topic, value, extras, condition } = messages[index]
    const guard = guards === undefined ? condition : guards[index]
    order[index] = shares.add(topics.handle(topic), value, extras, guard)
  }
  const set =
    registers.length === 0
      ? noRegisters
      : registers.map(({ kind, name, ...rest }) => ({ topic: topics.handle(registerTopic(kind, name)), ...rest }))
  return new GroupFrames(shares.list ?? noShares, set, order)
}

/** By topic, in the order of their first messages. */
class Shares {
  list: Share[] | undefined
  #byTopic: Map<TopicHandle, number> | undefined

  /** @returns the subscript of the share that it is in now */
  add(topic: TopicHandle, value: Payload, extras: Extras | undefined, guard: Guard | undefined): number {
    const list = this.list ?? noShares
    const at = list.length > fewTopics ? this.#table(list).get(topic) : placeOf(topic, list)
    if (at === undefined) return this.#begin(topic, value, extras, guard)
    const { values, extras: others, conditions } = list[at]
    if (guard !== undefined) conditions.push({ ...guard, ahead: values.length, isIdNew: true })
    values.push(value)
    others.push(extras)
    return at
  }

  /** The first of each topic has a guard in any case: it tells where the topic's messages stand. */
  #begin(topic: TopicHandle, value: Payload, extras: Extras | undefined, guard: Guard | undefined): number {
    const condition = guard === undefined ? firstOfTopic : { ...guard, isIdNew: true }
    const share = { topic, values: [value], extras: [extras], conditions: [condition] }
    this.list = added(this.list, share)
    this.#byTopic?.set(topic, this.list.length - 1)
    return this.list.length - 1
  }

  #table(list: readonly Share[]): Map<TopicHandle, number> {
    this.#byTopic ??= new Map(list.map(({ topic }, at) => [topic, at]))
    return this.#byTopic
  }
}

function placeOf(topic: TopicHandle, list: readonly Share[]): number | undefined {
  for (let at = list.length - 1; at >= 0; at--) if (list[at].topic === topic) return at
  return undefined
}
