/**
 * Transactions that acknowledge, on the thread that keeps the books of groups: what each group gets is one more message of the atomic group, in the group's
 * journal. See format/ack-layout.ts.
 */
import { added } from '../collections/added.js'
import { type OffsetRange, OffsetRanges } from '../collections/offset-ranges.js'
import { allOffsets, type GroupOutcome } from '../dispatcher/appends/group-outcome.js'
import type { StartedTransaction } from '../dispatcher/groups/desk-transactions.js'
import type { GroupDesk } from '../dispatcher/groups/group-desk.js'
import { Lease } from '../dispatcher/groups/lease.js'
import type { Durability, TransactionAcks, TransactionAnswer, TransactionParts } from '../engine/terms.js'
import { foreignDelivery } from '../failures.js'
import { ackBytes, encodeAcks } from '../format/ack-layout.js'

/** Messages of one group, as they were leased. */
export interface LeasedRanges {
  readonly generation: number
  readonly ranges: readonly OffsetRange[]
}

/** Of a group by its names: as other threads say it. */
export interface AckShare extends LeasedRanges {
  readonly topic: string
  readonly group: string
}

/** At its desk. @typeParam D where its messages were leased */
export interface DeskAcks<D = TransactionDesk> extends LeasedRanges {
  readonly desk: D
}

/** All below the offset is done. */
export interface DeskCommit {
  readonly desk: TransactionDesk
  readonly offset: number
}

export interface CommitShare {
  readonly topic: string
  readonly group: string
  readonly offset: number
}

/** A desk of the thread that keeps the books. */
export type TransactionDesk = Pick<GroupDesk, 'open' | 'transactions'>

export interface GroupTransactionsParts {
  /** Writes it as one atomic group. Does not hold on to values after it has returned. @param outcome told what becomes of it, whatever that is */
  write(
    parts: TransactionParts,
    level: Durability,
    outcome: GroupOutcome<TransactionAnswer>,
  ): Promise<TransactionAnswer>
  published(): number
  /** Something was acknowledged. */
  onWritten(): void
}

/**
 * By desk.
 * @param deskOf what the lease was given at. Throws where that is no desk of the log
 * @throws TypeError for what is no lease
 */
export function deskAcks<D>(leases: TransactionAcks['leases'], deskOf: (desk: unknown) => D): DeskAcks<D>[] {
  if (leases.length === 1) {
    const { holder, generation, first, end } = checkLease(leases[0])
    return [{ desk: deskOf(holder?.desk), generation, ranges: [{ first, end }] }]
  }
  const acks = new Map<D, { desk: D; generation: number; covered: OffsetRanges }>()
  for (const each of leases) {
    const { holder, generation, first, end } = checkLease(each)
    const desk = deskOf(holder?.desk)
    const known = acks.get(desk) ?? { desk, generation, covered: new OffsetRanges() }
    acks.set(desk, known)
    // What the group has passed by a seek means nothing any more: the older one says so.
    known.generation = Math.min(known.generation, generation)
    known.covered.add(first, end)
  }
  return [...acks.values()].map(({ covered, ...ack }) => ({ ...ack, ranges: covered.list }))
}

function checkLease(given: TransactionAcks['leases'][number]): Lease {
  if (given instanceof Lease && given.holder !== undefined) return given
  throw foreignDelivery()
}

const noLeases: readonly Lease[] = []

export class GroupTransactions {
  readonly #parts: GroupTransactionsParts

  constructor(parts: GroupTransactionsParts) {
    this.#parts = parts
  }

  /** @param leases what consumers hold of what is acknowledged: settled when it is written */
  transact(
    given: TransactionParts,
    acks: readonly DeskAcks[],
    commits: readonly DeskCommit[],
    level: Durability,
    leases = noLeases,
  ): Promise<TransactionAnswer> {
    if (commits.length === 0) return this.#write(given, acks, commits, level, leases)
    // Groups that are new are made before: nothing may come between the look at the books and the ring.
    return this.#open(commits).then(() => this.#write(given, acks, commits, level, leases))
  }

  async #open(commits: readonly DeskCommit[]): Promise<void> {
    for (const { desk } of commits) await desk.open('first')
  }

  #write(
    { messages, registers }: TransactionParts,
    acks: readonly DeskAcks[],
    commits: readonly DeskCommit[],
    level: Durability,
    leases: readonly Lease[],
  ): Promise<TransactionAnswer> {
    const acknowledged = new Acknowledged(this.#parts, leases)
    try {
      // One by one: what has begun is refused where the next one is.
      for (const { desk, generation, ranges } of acks)
        acknowledged.begin(desk.transactions.acknowledge(generation, ranges))
      for (const { desk, offset } of commits) {
        const commit = desk.transactions.commit(offset)
        // All of it is done already.
        if (commit.ranges.length === 0) commit.refused()
        else acknowledged.begin(commit)
      }
      return this.#parts.write({ messages: acknowledged.behind(messages), registers }, level, acknowledged)
    } catch (error) {
      acknowledged.refused()
      return Promise.reject(error)
    }
  }
}

/** What one transaction acknowledges, from when that has begun. */
class Acknowledged implements GroupOutcome<TransactionAnswer> {
  readonly #parts: Pick<GroupTransactionsParts, 'published' | 'onWritten'>
  readonly #leases: readonly Lease[]
  #started: StartedTransaction[] | undefined

  constructor(parts: Pick<GroupTransactionsParts, 'published' | 'onWritten'>, leases: readonly Lease[]) {
    this.#parts = parts
    this.#leases = leases
  }

  begin(started: StartedTransaction): void {
    this.#started = added(this.#started, started)
  }

  /** The journals behind the messages: offsets of those come first. */
  behind(messages: TransactionParts['messages']): TransactionParts['messages'] {
    const started = this.#started
    if (started === undefined) return messages
    const all = new Array<TransactionParts['messages'][number]>(messages.length + started.length)
    for (let index = 0; index < messages.length; index++) all[index] = messages[index]
    const bytes = started.length === 1 && started[0].ranges.length === 1 ? lone : undefined
    for (let index = 0; index < started.length; index++) all[messages.length + index] = journaled(started[index], bytes)
    return all
  }

  written(offsets: number[]): TransactionAnswer {
    const started = this.#started
    if (started !== undefined) {
      const position = this.#parts.published()
      const count = offsets.length - started.length
      for (let index = 0; index < started.length; index++) started[index].written(offsets[count + index], position)
      offsets.length = count
      this.#parts.onWritten()
    }
    for (const lease of this.#leases) lease.holder?.settled(lease)
    return allOffsets.written(offsets)
  }

  refused(): void {
    for (const each of this.#started ?? []) each.refused()
  }
}

/** For the journal's message where one range is all of it, as mostly: nobody holds on to values. */
const lone = new Uint8Array(ackBytes([{ first: 0, end: 1 }]))

function journaled(
  { journal, ranges }: StartedTransaction,
  bytes: Uint8Array | undefined,
): TransactionParts['messages'][number] {
  return { topic: journal.name, value: encodeAcks(ranges, bytes), extras: undefined, condition: undefined }
}
