/**
 * Damage to the groups file: every single bit flipped, the file cut at every byte, sectors and pages zeroed, garbled, copied from
 * elsewhere in it. Must: a group goes on where it was, or where it had been before, and then that is reported; or it is lost;
 * never where nobody put it, never ahead of its topic, and never because of damage to another one.
 *
 * And no damage, but an end between any two steps: commits that count as written are in the file, and a group that is there is
 * where it was to begin.
 *
 * Mutants it catches: a single record instead of two in turn, does not put back what is ahead of its topic, counts commits as
 * written before they are, makes a group before its first record is durable, takes acknowledgements of transactions into the file before
 * the log is on the device, along with an acknowledgement beside it, or above a gap, passes what a power cut has taken of a journal, trims a journal to where a record takes it that is
 * not flushed; of transactions that acknowledge: two of one message, one that a commit is about to acknowledge, one
 * of before a move, one under way while the group is moved, one that leaves what it was refused, or not in the books what it has written.
 */
import { type GroupState, groupCellAt, groupCellBytes } from '../../src/format/group-layout.js'
import { watchDeskTransactions } from '../support/desk-transaction-lives.js'
import { cutAtEveryStepOfCreation, endAtEveryCommit } from '../support/group-steps.js'
import { GroupWorld, groupsPath, topicState } from '../support/groups.js'
import { cutJournal, cutShortJournal, cutTrimmedJournal } from '../support/journal-lives.js'
import type { Seeded } from '../support/seeded.js'
import { SimulatedDisk } from '../support/simulated-disk.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'

const names = ['mail', 'audit', 'search', 'billing']
const commitsEach = 4
const sectorBytes = 512

interface Damage {
  what: string
  from: number
  to: number
  /** What was damaged can look as if nothing had ever been there. */
  mayBeSilent: boolean
  apply(disk: SimulatedDisk): void
}

interface Stored {
  disk: SimulatedDisk
  next: number
  /** By group, in the order of their cells: what it may go on with, the newest last. */
  states: GroupState[][]
}

export const groups: Fault = {
  name: 'groups',
  isRoot: false,
  weight: 20,
  async run(context: Context): Promise<Row[]> {
    const whole = await storedGroups(2 ** 30)
    // A power cut has kept the offsets and lost the messages: the next owner puts the groups back.
    const next = 150
    const behind = await storedGroups(next)
    return [
      sweep(context, whole, 'groups file damaged'),
      sweep(context, behind, 'groups file damaged, groups put back'),
      await steps('groups that commit, killed at any write', () => endAtEveryCommit(Math.max(1, 100 * context.scale))),
      await steps('groups that are made, power cut at any step', () =>
        cutAtEveryStepOfCreation(context.random(12), Math.max(10, 100 * context.scale)),
      ),
      await steps('groups acknowledged in transactions, power cut', async () => {
        const lives = Math.max(1_000, 20_000 * context.scale)
        const random = context.random(13)
        for (let life = 0; life < lives; life++) cutJournal(random)
        return lives
      }),
      await steps('groups in the cells of others, power cut to their journal', async () => {
        const lives = Math.max(20, 200 * context.scale)
        const random = context.random(15)
        for (let life = 0; life < lives; life++) await cutShortJournal(random)
        return lives
      }),
      await steps('groups whose journal is trimmed, power cut', async () => {
        const lives = Math.max(20, 400 * context.scale)
        const random = context.random(16)
        for (let life = 0; life < lives; life++) await cutTrimmedJournal(random)
        return lives
      }),
      await steps('groups acknowledged in transactions, moved and removed', async () => {
        const lives = Math.max(200, 4_000 * context.scale)
        const random = context.random(14)
        for (let life = 0; life < lives; life++) await watchDeskTransactions(random)
        return lives
      }),
    ]
  },
}

async function steps(what: string, run: () => Promise<number>): Promise<Row> {
  const row = emptyRow(what)
  row.lost = 0
  row.wrong = 0
  try {
    row.runs = await run()
  } catch (error) {
    row.failures.push(messageOf(error))
  }
  return row
}

async function storedGroups(next: number): Promise<Stored> {
  const disk = new SimulatedDisk()
  const world = new GroupWorld(disk, { topics: [topicState(0, 't', 2 ** 30)], durability: 'disk' })
  const states: GroupState[][] = []
  for (const [index, name] of names.entries()) {
    const opening = world.registry.open('t', name, () => 0)
    await world.settle()
    const group = await opening
    const own: GroupState[] = [{ committed: 0, ranges: [] }]
    for (let step = 1; step <= commitsEach; step++) {
      const committed = 100 * step + index
      own.push({ committed, ranges: [{ first: committed + 10, end: committed + 20 + step }] })
      await Promise.all([world.commits.commit(group, own[step]), world.settle()])
    }
    states.push(own)
  }
  disk.settle()
  const { opened } = new GroupWorld(disk, { topics: [topicState(0, 't', next)] })
  // What was put back is there twice, and nothing older.
  if (opened.some(({ state }) => state.committed === next)) for (const { id, state } of opened) states[id] = [state]
  disk.settle()
  return { disk, next, states }
}

function sweep(context: Context, stored: Stored, what: string): Row {
  const row = emptyRow(what)
  row.lost = 0
  row.wrong = 0
  const random = context.random(11)
  let reported = 0
  // All bits with --scale 10.
  const kinds: [number, Iterable<Damage>][] = [
    [1 / 10, flips(stored)],
    [1 / 10, cuts(stored)],
    [1, blocks(stored, random)],
  ]
  for (const [usual, damages] of kinds) {
    const share = Math.min(1, usual * context.scale)
    for (const damage of damages) {
      if (share < 1 && !random.chance(share)) continue
      const disk = stored.disk.copy()
      damage.apply(disk)
      row.runs += 1
      try {
        // Others have got the offsets by now: nothing more is put back.
        const world = new GroupWorld(disk, { topics: [topicState(0, 't', 2 ** 30)], readOnly: true })
        if (world.damages.length > 0) reported += 1
        const problem = problemOf(stored, damage, world)
        if (problem !== undefined) row.failures.push(`${damage.what} at ${damage.from}: ${problem}`)
      } catch (error) {
        row.failures.push(`${damage.what} at ${damage.from}: ${messageOf(error)}`)
      }
      if (row.failures.length > 20) return row
    }
  }
  row.note = `${reported} reported, the rest harmless or lost whole cells`
  return row
}

function problemOf({ states, next }: Stored, damage: Damage, { opened, damages }: GroupWorld): string | undefined {
  const strange = opened.find(({ id, name, topic }) => names[id] !== name || topic !== 't')
  if (strange !== undefined) return `a group ${strange.name} in cell ${strange.id} that nobody made`
  for (const [id, own] of states.entries()) {
    const cell = groupCellAt(id)
    const isHit = damage.from < cell + groupCellBytes && cell < damage.to
    const found = opened.find((group) => group.id === id)?.state
    const newest = own.at(-1) as GroupState
    if (found === undefined) {
      if (!isHit) return `group ${names[id]} is missing`
      if (damages.length === 0 && !damage.mayBeSilent) return `group ${names[id]} is lost, and nobody says so`
      continue
    }
    if (Math.max(found.committed, found.ranges.at(-1)?.end ?? 0) > next)
      return `group ${names[id]} is ahead of its topic`
    const index = own.findIndex((state) => JSON.stringify(state) === JSON.stringify(found))
    if (index === own.length - 1) continue
    const where = `group ${names[id]} goes on at ${JSON.stringify(found)} in the place of ${JSON.stringify(newest)}`
    if (!isHit) return where
    // Both records damaged: from the beginning, which passes nothing over. One of them: from the one before.
    const isBeginning = found.committed === 0 && found.ranges.length === 0
    const isNarrow = Math.floor(damage.from / sectorBytes) === Math.floor((damage.to - 1) / sectorBytes)
    if (isNarrow ? index < own.length - 2 : index < 0 && !isBeginning) return where
    if (damages.length === 0 && !damage.mayBeSilent) return `${where}, and nobody says so`
  }
  return undefined
}

function* flips({ disk }: Stored): Generator<Damage> {
  const { length } = disk.bytes(groupsPath)
  for (let bit = 0; bit < length * 8; bit++) {
    const at = bit >>> 3
    const apply = (copy: SimulatedDisk) => {
      copy.bytes(groupsPath)[at] ^= 1 << (bit & 7)
    }
    yield { what: `bit ${bit & 7}`, from: at, to: at + 1, mayBeSilent: isUnused(at), apply }
  }
}

/** Bytes of a cell behind its sectors mean nothing. */
function isUnused(at: number): boolean {
  return at % groupCellBytes >= 3 * sectorBytes
}

function* cuts({ disk }: Stored): Generator<Damage> {
  const { length } = disk.bytes(groupsPath)
  for (let size = 0; size < length; size++) {
    const apply = (copy: SimulatedDisk) => copy.truncate(groupsPath, size)
    yield { what: 'cut', from: size, to: length, mayBeSilent: true, apply }
  }
}

function* blocks({ disk }: Stored, random: Seeded): Generator<Damage> {
  const { length } = disk.bytes(groupsPath)
  for (const size of [sectorBytes, 4096]) {
    for (let at = 0; at < length; at += size) {
      const range = { from: at, to: Math.min(length, at + size) }
      const put = (bytes: Uint8Array) => (copy: SimulatedDisk) => copy.bytes(groupsPath).set(bytes, at)
      const count = range.to - at
      const garbage = Uint8Array.from({ length: count }, () => random.below(256))
      const other = random.below(Math.floor(length / size)) * size
      const moved = disk.bytes(groupsPath).slice(other, other + count)
      yield { ...range, what: `zeroed ${size}`, mayBeSilent: true, apply: put(new Uint8Array(count)) }
      yield { ...range, what: `garbled ${size}`, mayBeSilent: isUnused(at), apply: put(garbage) }
      // A blank sector copied looks like one that was never written.
      yield { ...range, what: `${size} copied from ${other}`, mayBeSilent: true, apply: put(moved) }
    }
  }
}
