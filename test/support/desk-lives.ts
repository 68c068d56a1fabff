/**
 * Threads at the desks of one group, in one thread: they ask, acknowledge, give back and end in whatever order, and every word between them
 * and the books takes its time. Nothing is lost, nothing is with two at a time, nothing done comes again; who hears that something is
 * acknowledged finds it in the books.
 */
import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { Lease } from '../../src/dispatcher/groups/lease.js'
import { FarDesk, NearDesk } from './far-desk.js'
import type { Seeded } from './seeded.js'

const threadCount = 3
const steps = 60
/** More turns than anything takes that ends. */
const mostTurns = 2_000

interface Member {
  readonly far: FarDesk
  isGone: boolean
  /** In its hands, by offset. */
  readonly held: Map<number, Lease>
  /** Offsets that it has acknowledged, and not heard of yet. */
  readonly unheard: Set<number>
}

/** @returns how many messages there were. @throws what was not as promised */
export async function watchDesks(random: Seeded): Promise<number> {
  const near = new NearDesk()
  const done = new Set<number>()
  let failure: unknown
  const fail = (error: unknown) => {
    failure ??= error
  }
  const members: Member[] = []
  const settle = async (): Promise<void> => {
    for (let quiet = 0; quiet < 2; ) {
      await turn()
      const moved = members.map(({ far }) => [far.deliver(false), far.deliver(true)].includes(true))
      quiet = moved.includes(true) ? 0 : quiet + 1
    }
  }
  const join = async (): Promise<void> => {
    const far = new FarDesk(near)
    const opening = far.desk.open('first')
    members.push({ far, isGone: false, held: new Map(), unheard: new Set() })
    await settle()
    await opening
  }
  while (members.length < threadCount) await join()

  const take = (member: Member) => (lease: Lease) => {
    if (member.isGone) return
    const other = members.find(({ held }) => held.has(lease.first))
    assert.equal(other, undefined, `message ${lease.first} is with two at a time`)
    assert.ok(!done.has(lease.first), `message ${lease.first} comes again after its acknowledgement`)
    member.held.set(lease.first, lease)
  }
  const ask = (member: Member): void => {
    const lease = member.far.desk.takeInTurn()
    if (lease !== undefined) take(member)(lease)
    else {
      const { lease: given } = member.far.desk.request(1, random.chance(0.2))
      // Nobody is refused but whoever is closed.
      given.then(take(member), () => {}).catch(fail)
    }
  }
  const acknowledge = (member: Member, lease: Lease): void => {
    const { first, end } = lease
    member.held.delete(first)
    done.add(first)
    member.unheard.add(first)
    const hear = () => {
      if (member.isGone) return
      member.unheard.delete(first)
      assert.ok(near.desk.ledger.isDone(first), `message ${first} is acknowledged, and not done in the books`)
    }
    member.far.desk.acknowledge(lease, first, end).then(hear).catch(fail)
  }
  const end = (member: Member): void => {
    member.isGone = true
    member.held.clear()
    // Said in its last turn: it may have been too late.
    for (const offset of member.unheard) done.delete(offset)
    member.far.end()
  }

  for (let step = 0; step < steps; step++) {
    const member = random.pick(members)
    const what = random.unit()
    if (what < 0.1) near.publish(random.below(6))
    else if (what > 0.6) {
      member.far.deliver(random.chance(0.5))
      await turn()
    } else if (member.isGone) continue
    else if (what < 0.3) ask(member)
    else if (what < 0.33 && member !== members[0]) {
      // What comes may be given to it in the moment in which it ends.
      if (random.chance(0.5)) near.publish(1)
      end(member)
    } else {
      const lease = random.pick([...member.held.values()])
      if (lease === undefined) continue
      if (what < 0.5) acknowledge(member, lease)
      else {
        member.held.delete(lease.first)
        member.far.desk.giveBack(lease, lease.first, lease.end, lease.attempt + 1, 0)
      }
      if (random.chance(0.5)) await turn()
    }
  }

  await settle()
  const [last, ...others] = members
  for (const other of others) {
    if (other.isGone) continue
    for (const lease of [...other.held.values()]) acknowledge(other, lease)
    other.far.desk.close(new Error('closed'))
    await settle()
    end(other)
  }
  // Of what it has asked for before, and of what it asks for now.
  for (let turns = 0; near.committed < near.next; turns++) {
    assert.ok(turns < mostTurns, `message ${near.committed} of ${near.next} is lost`)
    for (const lease of [...last.held.values()]) acknowledge(last, lease)
    await settle()
    ask(last)
    await settle()
  }
  await settle()
  if (failure !== undefined) throw failure
  return near.next
}
