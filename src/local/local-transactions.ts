/** Transactions of a log of this process: at the desks of its groups, whoever names them, and with what is scheduled in them. */
import { GroupDesk } from '../dispatcher/groups/group-desk.js'
import type { Lease } from '../dispatcher/groups/lease.js'
import type { Durability, TransactionAcks, TransactionAnswer, TransactionParts } from '../engine/terms.js'
import { foreignDelivery } from '../failures.js'
import {
  type AckShare,
  type CommitShare,
  type DeskAcks,
  type DeskCommit,
  deskAcks,
  type GroupTransactions,
} from './group-transactions.js'
import type { LocalGroup } from './local-group.js'
import { hasScheduled, type LocalSchedules } from './local-schedules.js'

export interface LocalTransactionsParts {
  readonly groups: GroupTransactions
  readonly later: Pick<LocalSchedules, 'transact'>
  /** What acknowledges nothing. */
  write(parts: TransactionParts, level: Durability): Promise<TransactionAnswer>
  /** Of a group by its names. */
  desk(topic: string, group: string): GroupDesk
  /** A desk of this log, and no other one that has a group of the name. */
  isOwn(desk: GroupDesk): boolean
}

const noCommits: readonly DeskCommit[] = []

export class LocalTransactions {
  readonly #parts: LocalTransactionsParts

  constructor(parts: LocalTransactionsParts) {
    this.#parts = parts
  }

  /** @throws TypeError for a delivery, or a group, that is none of this log, though its group may have a name that is known here */
  transact(
    parts: TransactionParts,
    { leases, commits }: TransactionAcks,
    level: Durability,
  ): Promise<TransactionAnswer> {
    const { later, write } = this.#parts
    if (leases.length + commits.length === 0)
      return hasScheduled(parts) ? later.transact(parts, level, write) : write(parts, level)
    const acks = deskAcks(leases, this.#ownDesk)
    const moves =
      commits.length === 0
        ? noCommits
        : commits.map(({ group, offset }) => ({ desk: this.#ownDesk((group as LocalGroup).desk), offset }))
    return this.#transact(parts, acks, moves, level, leases as readonly Lease[])
  }

  /** For other threads, which say groups by their names. */
  transactShares(
    parts: TransactionParts,
    acks: readonly AckShare[],
    commits: readonly CommitShare[],
    level: Durability,
  ): Promise<TransactionAnswer> {
    const deskOf = ({ topic, group }: { topic: string; group: string }) => this.#parts.desk(topic, group)
    return this.#transact(
      parts,
      acks.map(({ generation, ranges, ...names }) => ({ desk: deskOf(names), generation, ranges })),
      commits.map(({ offset, ...names }) => ({ desk: deskOf(names), offset })),
      level,
    )
  }

  #transact(
    parts: TransactionParts,
    acks: readonly DeskAcks[],
    commits: readonly DeskCommit[],
    level: Durability,
    leases?: readonly Lease[],
  ): Promise<TransactionAnswer> {
    const { groups, later } = this.#parts
    if (!hasScheduled(parts)) return groups.transact(parts, acks, commits, level, leases)
    return later.transact(parts, level, (rest, reached) => groups.transact(rest, acks, commits, reached, leases))
  }

  readonly #ownDesk = (desk: unknown): GroupDesk => {
    if (desk instanceof GroupDesk && this.#parts.isOwn(desk)) return desk
    throw foreignDelivery()
  }
}
