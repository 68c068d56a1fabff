/**
 * Transactions that acknowledge, on the thread that keeps the books of groups: what each group gets is one more message of the atomic group, in the group's
 * journal. See format/ack-layout.ts.
 */
import { added } from '../collections/added.js'
import { type OffsetRange, OffsetRanges } from '../collections/offset-ranges.js'
import type { DeskTransactions, StartedTransaction } from '../dispatcher/groups/desk-transactions.js'
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

/** By group. @param nameOf throws where it is no desk of the log. @throws TypeError for what is no lease */
export function ackShares(
  leases: TransactionAcks['leases'],
  nameOf: (desk: unknown) => { topic: string; group: string },
): AckShare[] {
  if (leases.length === 1) {
    const lease = checkLease(leases[0])
    const { topic, group } = nameOf(lease.holder?.desk)
    return [{ topic, group, generation: lease.generation, ranges: [{ first: lease.first, end: lease.end }] }]
  }
  const shares = new Map<unknown, AckShare & { generation: number; covered: OffsetRanges }>()
  for (const each of leases) {
    const lease = checkLease(each)
    const desk = lease.holder?.desk
    let share = shares.get(desk)
    if (share === undefined) {
      const covered = new OffsetRanges()
      const { topic, group } = nameOf(desk)
      share = { topic, group, generation: lease.generation, covered, ranges: covered.list }
      shares.set(desk, share)
    }
    // What the group has passed by a seek means nothing any more: the older one says so.
    share.generation = Math.min(share.generation, lease.generation)
    share.covered.add(lease.first, lease.end)
  }
  return [...shares.values()].map(({ covered, ...share }) => share)
}

function checkLease(given: TransactionAcks['leases'][number]): Lease {
  if (given instanceof Lease && given.holder !== undefined) return given
  throw new TypeError("ack() takes a delivery of one of this log's groups")
}

const noLeases: readonly Lease[] = []
const noneStarted: readonly StartedTransaction[] = []

export class GroupTransactions {
  readonly #parts: GroupTransactionsParts

  constructor(parts: GroupTransactionsParts) {
    this.#parts = parts
  }

  /**
   * @param leases what consumers hold of what is acknowledged: settled when it is written
   * @returns the offsets of the messages in `given`
   */
  transact(
    given: TransactionParts,
    acks: readonly AckShare[],
    commits: readonly CommitShare[],
    level: Durability,
    leases = noLeases,
  ): Promise<readonly number[]> {
    if (commits.length === 0) return this.#write(given, acks, commits, level, leases)
    // Groups that are new are made before: nothing may come between the look at the books and the ring.
    return this.#open(commits).then(() => this.#write(given, acks, commits, level, leases))
  }

  async #open(commits: readonly CommitShare[]): Promise<void> {
    for (const { topic, group } of commits) await this.#parts.group(topic, group).desk.open('first')
  }

  #write(
    { messages, registers }: TransactionParts,
    acks: readonly AckShare[],
    commits: readonly CommitShare[],
    level: Durability,
    leases: readonly Lease[],
  ): Promise<readonly number[]> {
    let started: StartedTransaction[] | undefined
    try {
      // One by one: what has begun is refused where the next one is.
      for (const { topic, group, generation, ranges } of acks)
        started = added(started, this.#desk(topic, group).acknowledge(generation, ranges))
      for (const { topic, group, offset } of commits) {
        const commit = this.#desk(topic, group).commit(offset)
        // All of it is done already.
        if (commit.ranges.length === 0) commit.refused()
        else started = added(started, commit)
      }
      const begun = started ?? noneStarted
      // The journals behind the messages: offsets of those come first.
      const all = { messages: messages.concat(begun.map(journaled)), registers }
      return this.#parts.write(all, level).then(
        (offsets) => this.#written(begun, leases, offsets, messages.length),
        (error) => {
          refuse(begun)
          throw error
        },
      )
    } catch (error) {
      refuse(started ?? noneStarted)
      return Promise.reject(error)
    }
  }

  /** @param count of the messages that stand in front of the journals. @returns their offsets */
  #written(
    started: readonly StartedTransaction[],
    leases: readonly Lease[],
    offsets: readonly number[],
    count: number,
  ): readonly number[] {
    const position = this.#parts.published()
    for (let index = 0; index < started.length; index++) started[index].written(offsets[count + index], position)
    if (started.length > 0) this.#parts.onWritten()
    for (const lease of leases) lease.holder?.settled(lease)
    return offsets.slice(0, count)
  }

  #desk(topic: string, group: string): DeskTransactions {
    return this.#parts.group(topic, group).desk.transactions
  }
}

function refuse(started: readonly StartedTransaction[]): void {
  for (const each of started) each.refused()
}

function journaled({ journal, ranges }: StartedTransaction): TransactionParts['messages'][number] {
  return { topic: journal.name, value: encodeAcks(ranges), extras: undefined, condition: undefined }
}
