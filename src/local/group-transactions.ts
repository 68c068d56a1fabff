/**
 * Transactions that acknowledge, on the thread that keeps the books of groups: what each group gets is one more message of the atomic group, in the group's
 * journal. See format/ack-layout.ts.
 */
import { type OffsetRange, OffsetRanges } from '../collections/offset-ranges.js'
import type { StartedTransaction } from '../dispatcher/groups/desk-transactions.js'
import { GroupDesk } from '../dispatcher/groups/group-desk.js'
import { Lease } from '../dispatcher/groups/lease.js'
import type { Durability, TransactionAcks, TransactionParts } from '../engine/terms.js'
import { encodeAcks } from '../format/ack-layout.js'
import type { LocalGroup } from './local-group.js'

/** Messages of one group, as they were leased. */
export interface AckShare {
  readonly topic: string
  readonly group: string
  readonly generation: number
  readonly ranges: readonly OffsetRange[]
}

export interface CommitShare {
  readonly topic: string
  readonly group: string
  readonly offset: number
}

export interface GroupTransactionsParts {
  group(topic: string, name: string): LocalGroup
  /** Writes it as one atomic group. @returns the offsets of its messages */
  write(parts: TransactionParts, level: Durability): Promise<readonly number[]>
  published(): number
  /** Something was acknowledged. */
  onWritten(): void
}

/** By group. @throws TypeError for what is no lease of these groups */
export function ackShares(
  leases: TransactionAcks['leases'],
  nameOf: (desk: unknown) => { topic: string; group: string },
): AckShare[] {
  const shares = new Map<
    unknown,
    { name: { topic: string; group: string }; generation: number; ranges: OffsetRanges }
  >()
  for (const lease of leases) {
    if (!(lease instanceof Lease) || lease.holder === undefined)
      throw new TypeError("ack() takes a delivery of one of this log's groups")
    const { desk } = lease.holder
    const share = shares.get(desk) ?? { name: nameOf(desk), generation: lease.generation, ranges: new OffsetRanges() }
    shares.set(desk, share)
    // What the group has passed by a seek means nothing any more: the older one says so.
    share.generation = Math.min(share.generation, lease.generation)
    share.ranges.add(lease.first, lease.end)
  }
  return [...shares.values()].map(({ name, generation, ranges }) => ({ ...name, generation, ranges: ranges.list }))
}

export class GroupTransactions {
  readonly #parts: GroupTransactionsParts

  constructor(parts: GroupTransactionsParts) {
    this.#parts = parts
  }

  /** @returns the offsets of the messages in `given` */
  async transact(
    given: TransactionParts,
    acks: readonly AckShare[],
    commits: readonly CommitShare[],
    level: Durability,
  ): Promise<readonly number[]> {
    const { group, write, published, onWritten } = this.#parts
    // Groups that are new are made before: nothing may come between the look at the books and the ring.
    for (const { topic, group: name } of commits) await group(topic, name).desk.open('first')
    const started: StartedTransaction[] = []
    try {
      for (const { topic, group: name, generation, ranges } of acks)
        started.push(group(topic, name).desk.transactions.acknowledge(generation, ranges))
      for (const { topic, group: name, offset } of commits)
        started.push(group(topic, name).desk.transactions.commit(offset))
      const own = started.filter(({ ranges }) => ranges.length > 0)
      const journaled = own.map(({ journal, ranges }) => ({
        ...{ topic: journal.name, value: encodeAcks(ranges) },
        ...{ extras: undefined, condition: undefined },
      }))
      // The journals behind the messages: offsets of those come first.
      const offsets = await write({ ...given, messages: [...given.messages, ...journaled] }, level)
      const position = published()
      own.forEach((each, index) => {
        each.written(offsets[given.messages.length + index], position)
      })
      for (const each of started) if (!own.includes(each)) each.refused()
      if (own.length > 0) onWritten()
      return offsets.slice(0, given.messages.length)
    } catch (error) {
      for (const each of started) each.refused()
      throw error
    }
  }
}

/** Of the desks of this thread. */
export function deskName(desk: unknown): { topic: string; group: string } {
  if (!(desk instanceof GroupDesk)) throw new TypeError("ack() takes a delivery of one of this log's groups")
  return { topic: desk.topic.name, group: desk.name }
}
