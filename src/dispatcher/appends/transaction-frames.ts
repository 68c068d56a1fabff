/** A transaction as one atomic group: each topic's messages together, behind guards that tell the offsets that they get. */
import type { Extras, Payload, TransactionParts } from '../../engine/terms.js'
import type { Guard } from '../../format/guard-layout.js'
import { registerTopic } from '../../format/hidden-topics.js'
import type { TopicDirectory, TopicHandle } from '../topic-directory.js'
import { GroupFrames, type TopicMessages } from './group-frames.js'

interface Share extends TopicMessages {
  readonly values: Payload[]
  readonly extras: (Extras | undefined)[]
  readonly conditions: Guard[]
}

export interface TransactionFrames {
  readonly group: GroupFrames
  /** Of the messages, in the order in which they were given. @param stamped what the guards have come to */
  offsets(stamped: readonly number[]): number[]
}

/** @param guards of the messages, instead of their conditions: with versions looked up */
export function transactionFrames(
  { messages, registers }: Pick<TransactionParts, 'messages' | 'registers'>,
  topics: Pick<TopicDirectory, 'handle'>,
  guards: readonly (Guard | undefined)[] = messages.map(({ condition }) => condition),
): TransactionFrames {
  const shares = new Map<TopicHandle, Share>()
  const places: { share: Share; ahead: number }[] = []
  for (const [index, { topic: name, value, extras }] of messages.entries()) {
    const guard = guards[index]
    const topic = topics.handle(name)
    const share: Share = shares.get(topic) ?? { topic, values: [], extras: [], conditions: [] }
    shares.set(topic, share)
    const ahead = share.values.length
    // The first of each topic has one in any case: it tells where the topic's messages stand.
    if (ahead === 0 || guard !== undefined) share.conditions.push({ ...guard, ahead, isIdNew: true })
    share.values.push(value)
    share.extras.push(extras)
    places.push({ share, ahead })
  }
  const set = registers.map(({ kind, name, value, below }) => ({
    topic: topics.handle(registerTopic(kind, name)),
    value,
    below,
  }))
  const all = [...shares.values()]
  return {
    group: new GroupFrames(all, set),
    offsets(stamped) {
      const firsts = new Map<Share, number>()
      let guard = 0
      for (const share of all) {
        firsts.set(share, stamped[guard])
        guard += share.conditions.length
      }
      return places.map(({ share, ahead }) => (firsts.get(share) ?? 0) + ahead)
    },
  }
}
