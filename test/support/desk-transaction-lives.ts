/**
 * A group whose messages are acknowledged in transactions, by several at once, and outside of them, while it is moved, removed and made anew, and while transactions
 * fail: nothing is acknowledged by two, nothing begun is there when the group is moved, what is written is done and what is refused is free again.
 */
import assert from 'node:assert/strict'
import type { OffsetRange } from '../../src/collections/offset-ranges.js'
import { AckJournal } from '../../src/dispatcher/groups/ack-journal.js'
import { GroupDesk } from '../../src/dispatcher/groups/group-desk.js'
import type { StoredGroup } from '../../src/dispatcher/groups/group-entry.js'
import type { TopicHandle } from '../../src/dispatcher/topic-directory.js'
import { BookendError } from '../../src/errors.js'
import { decodeAcks } from '../../src/format/ack-layout.js'
import { GroupTransactions } from '../../src/local/group-transactions.js'
import type { Seeded } from './seeded.js'

const topicSize = 40

/** A transaction that was handed over. */
interface Handed {
  readonly ranges: readonly OffsetRange[]
  settle(isWritten: boolean): void
}

class DeskLife {
  readonly desk: GroupDesk
  readonly #random: Seeded
  readonly #transactions: GroupTransactions
  readonly #handed: Handed[] = []
  readonly #ends: Promise<unknown>[] = []
  #stored: StoredGroup | undefined
  #durable = 0
  #position = 0
  #journaled = 0
  /** How often the group was moved or removed. */
  #moves = 0

  constructor(random: Seeded) {
    this.#random = random
    this.desk = new GroupDesk({
      ...{ topic: { id: 0, name: 't' }, name: 'g', first: () => 0, next: () => topicSize },
      registry: {
        known: () => this.#stored,
        open: async () => {
          await new Promise(setImmediate)
          this.#stored ??= this.#made()
          return this.#stored
        },
        remove: async () => {
          this.#moved()
          this.#stored = undefined
        },
      },
      commits: {
        commit: async (stored, state) => {
          stored.state = state
        },
      },
      ...{ whenNext: () => () => {}, checkOpen() {}, onSkipped() {} },
    })
    this.#transactions = new GroupTransactions({
      write: ({ messages }, _, outcome) =>
        new Promise((resolve, reject) => {
          // It has found all of it done.
          if (messages.length === 0) {
            resolve(outcome.written([]))
            return
          }
          const settle = (isWritten: boolean) => {
            if (isWritten) {
              resolve(outcome.written([this.#journaled++]))
              return
            }
            outcome.refused()
            reject(new BookendError('BOOKEND_NO_SPACE', 'the disk of the test is full'))
          }
          this.#handed.push({ ranges: messages.flatMap(({ value }) => decodeAcks(value as Uint8Array)), settle })
        }),
      published: () => this.#position,
      onWritten() {},
    })
  }

  async step(): Promise<void> {
    const random = this.#random
    const { desk } = this
    await desk.open('first')
    // It was removed in the same moment.
    if (desk.needsOpen) return
    const draw = random.unit()
    if (draw < 0.25) desk.take(1 + random.below(3))
    else if (draw < 0.6) this.#begin(this.#acknowledge())
    else if (draw < 0.65) this.#begin(this.#commit())
    else if (draw < 0.7) await this.#acknowledgePlainly()
    else if (draw < 0.92) await this.#settle(1 + random.below(3))
    else if (draw < 0.97) this.#begin(desk.seek(random.below(topicSize)))
    else this.#begin(desk.remove())
    if (random.chance(0.1)) this.#durable = this.#position
  }

  /** What it fails with is told at the end. */
  #begin(done: Promise<unknown>): void {
    this.#ends.push(done)
    done.catch(() => {})
  }

  /** All of it is over. */
  async end(): Promise<void> {
    let isOver = false
    const over = Promise.all(this.#ends).finally(() => {
      isOver = true
    })
    // It is told below.
    over.catch(() => {})
    while (!isOver) {
      await this.#settle(Number.POSITIVE_INFINITY)
      await new Promise(setImmediate)
    }
    await over
    const { desk } = this
    await desk.open('first')
    assert.ok(!desk.transactions.isUnderWay, 'something is under way for ever')
    // Whatever was refused is free.
    for (const range of desk.ledger.open(desk.ledger.committed, desk.ledger.next))
      desk.transactions.acknowledge(desk.ledger.generation, [range]).refused()
    const stored = this.#stored
    assert.ok(stored !== undefined)
    this.#durable = this.#position
    const { committed, ranges } = stored.journal.stateOf(stored.state)
    const { ledger } = desk
    assert.deepEqual({ committed, ranges }, { committed: ledger.committed, ranges: ledger.ranges })
  }

  #made(): StoredGroup {
    const journal = new AckJournal({ id: 1, name: '.a.0' } as TopicHandle, () => this.#durable, this.#journaled)
    const pass = () => {
      this.#moved()
      AckJournal.prototype.pass.call(journal)
    }
    return {
      id: 0,
      topic: 't',
      name: 'g',
      state: { committed: 0, ranges: [] },
      journal: Object.assign(journal, { pass }),
    }
  }

  #moved(): void {
    assert.equal(this.#handed.length, 0, 'the group is moved while a transaction of it is under way')
    this.#moves += 1
  }

  async #acknowledge(): Promise<void> {
    const { ledger } = this.desk
    const given = ledger.open(0, ledger.next)
    const first = this.#random.below(ledger.next + 1)
    const within = this.#random.chance(0.8) && given.length > 0 ? this.#random.pick(given) : undefined
    const range = within ?? { first, end: Math.min(first + 1, ledger.next) }
    if (range.end <= range.first) return
    await this.#transact([range], ledger.generation - (this.#random.chance(0.05) ? 1 : 0))
  }

  async #transact(ranges: readonly OffsetRange[], generation: number): Promise<void> {
    const before = this.#handed.length
    const done = this.#transactions.transact(
      { messages: [], registers: [] },
      [{ desk: this.desk, generation, ranges }],
      [],
      'process',
    )
    // It is awaited behind what is looked at first.
    done.catch(() => {})
    const isHanded = this.#handed.length > before
    const moves = this.#moves
    if (isHanded) {
      assert.equal(generation, this.desk.ledger.generation, 'something of before the move is acknowledged')
      assert.deepEqual(this.#handed.at(-1)?.ranges, ranges)
      const others = this.#handed.slice(0, before).flatMap((other) => other.ranges)
      for (const { first, end } of ranges) {
        assert.ok(!others.some((other) => other.first < end && first < other.end), 'two acknowledge one message')
        for (let offset = first; offset < end; offset++)
          assert.ok(!this.desk.ledger.isDone(offset), `message ${offset} is acknowledged, and was done`)
      }
    }
    try {
      await done
    } catch (error) {
      assert.ok(error instanceof BookendError, String(error))
      assert.equal(error.code, isHanded ? 'BOOKEND_NO_SPACE' : 'BOOKEND_CONFLICT')
      return
    }
    if (moves === this.#moves) this.#checkDone(ranges)
  }

  async #commit(): Promise<void> {
    const offset = this.#random.below(topicSize + 1)
    const moves = this.#moves
    const { desk } = this
    const commit = this.#transactions.transact({ messages: [], registers: [] }, [], [{ desk, offset }], 'process')
    try {
      await commit
    } catch (error) {
      assert.ok(error instanceof BookendError, String(error))
      return
    }
    if (moves === this.#moves) this.#checkDone([{ first: 0, end: offset }])
  }

  async #acknowledgePlainly(): Promise<void> {
    const { ledger } = this.desk
    const [open] = ledger.open(0, ledger.next)
    if (open !== undefined) await this.desk.acknowledge(ledger, open.first, open.first + 1)
  }

  #checkDone(ranges: readonly OffsetRange[]): void {
    for (const { first, end } of ranges)
      for (let offset = first; offset < end; offset++)
        assert.ok(this.desk.ledger.isDone(offset), `message ${offset} is acknowledged by a transaction that is written`)
  }

  async #settle(count: number): Promise<void> {
    for (let left = count; left > 0 && this.#handed.length > 0; left--) {
      const handed = this.#handed.shift()
      this.#position += 10
      handed?.settle(this.#random.chance(0.8))
      await new Promise(setImmediate)
    }
  }
}

/** @returns how many steps there were. @throws what was not as promised */
export async function watchDeskTransactions(random: Seeded): Promise<number> {
  const life = new DeskLife(random)
  const steps = 60
  for (let step = 0; step < steps; step++) await life.step()
  await life.end()
  return steps
}
