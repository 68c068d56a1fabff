/**
 * Consumer groups and power cuts, on the simulated disk: groups are made, commit, go back and are removed, by the real
 * dispatcher's, writer's and reaper's code; then the power goes. Every group must be there with a state that was asked
 * for, not older than the last one that was acknowledged as flushed, and not newer than the last one asked for.
 *
 * `SEED=n npx vitest run test/threads/group-crash` replays one life.
 */
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { StoredGroup } from '../../../src/dispatcher/groups/group-entry.js'
import { type GroupState, groupCellAt, groupRecordAt } from '../../../src/format/group-layout.js'
import { GroupMailboxes } from '../../../src/ring/group-mailboxes.js'
import { GroupFile } from '../../../src/storage/files/group-file.js'
import type { OpenedGroup } from '../../../src/threads/protocol.js'
import { GroupWorld, groupsPath, topicState } from '../../support/groups.js'
import { cutShortJournal } from '../../support/journal-lives.js'
import { type ImageStyle, imageStyles } from '../../support/power-cuts.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'
import { type Lies, SimulatedDisk } from '../../support/simulated-disk.js'

const checksum = vi.hoisted(() => ({ isOn: true }))
vi.mock('node:zlib', async (importOriginal) => {
  const zlib = await importOriginal<typeof import('node:zlib')>()
  const crc32: typeof zlib.crc32 = (data, value) => (checksum.isOn ? zlib.crc32(data, value) : 0)
  return { ...zlib, crc32, default: { ...zlib, crc32 } }
})

const names = ['a', 'b', 'c', 'd', 'e']
const endless = [topicState(0, 't', 2 ** 40)]
const tally = { images: 0, damaged: 0, clamped: 0, removed: 0, older: 0 }

/** A group from its creation to its removal. */
interface Incarnation {
  name: string
  /** Every state asked for, in order; the first is the one it began with. All are different. */
  states: GroupState[]
  /** Subscripts of the newest states acknowledged as written, and known to be flushed. */
  written: number
  durable: number
  life: 'creating' | 'there' | 'removing' | 'removed'
}

interface Moment {
  event: number
  incarnations: (Incarnation & { count: number })[]
}

class Life {
  readonly random: Seeded
  disk = new SimulatedDisk()
  #tag = 0
  #incarnations: Incarnation[] = []
  /** All that was ever asked for, by group. */
  readonly #asked = new Map<string, GroupState[]>(names.map((name) => [name, []]))
  readonly #lies: Lies

  constructor(seed: number, lies: Lies) {
    this.random = new Seeded(seed)
    this.#lies = lies
  }

  #state(committed: number): GroupState {
    this.#tag += 1
    // The far range makes every state one of its own.
    return { committed, ranges: [{ first: 2 ** 30, end: 2 ** 30 + this.#tag }] }
  }

  async live(steps: number): Promise<Moment[]> {
    const { random, disk } = this
    disk.settle()
    disk.lies = this.#lies
    const isFlushing = random.chance(0.5)
    const world = new GroupWorld(disk, { topics: endless, durability: isFlushing ? 'disk' : 'process' })
    const { commits, registry } = world
    const handles = new Map<Incarnation, StoredGroup>()
    // What was found is what is there.
    this.#incarnations = world.opened.map(({ name, state }) => {
      const incarnation: Incarnation = { name, states: [state], written: 0, durable: 0, life: 'there' }
      handles.set(incarnation, registry.known('t', name) as StoredGroup)
      return incarnation
    })
    const moments: Moment[] = []
    const note = () => {
      const incarnations = this.#incarnations.map((each) => ({ ...each, count: each.states.length }))
      moments.push({ event: disk.events.length, incarnations })
    }
    note()
    if (random.chance(0.6)) disk.holdSyncs()
    for (let step = 0; step < steps; step++) {
      const choice = random.unit()
      const name = random.pick(names)
      const incarnation = this.#incarnations.find((each) => each.name === name && each.life !== 'removed')
      if (incarnation === undefined) {
        const made: Incarnation = { name, states: [], written: 0, durable: 0, life: 'creating' }
        this.#tag += 1
        const committed = 100 * this.#tag + random.below(100)
        made.states.push({ committed, ranges: [] })
        this.#asked.get(name)?.push({ committed, ranges: [] })
        this.#incarnations.push(made)
        void registry
          .open('t', name, () => committed)
          .then((group) => {
            handles.set(made, group)
            made.life = 'there'
          })
      } else if (incarnation.life === 'there' && choice < 0.08) {
        incarnation.life = 'removing'
        void registry.remove(handles.get(incarnation) as StoredGroup).then(() => {
          incarnation.life = 'removed'
          tally.removed += 1
        })
      } else if (incarnation.life === 'there' && choice < 0.8) {
        const { committed } = incarnation.states.at(-1) as GroupState
        const goesBack = random.chance(0.15)
        const state = this.#state(goesBack ? random.below(committed + 1) : committed + random.below(50))
        const index = incarnation.states.push(state) - 1
        this.#asked.get(name)?.push(state)
        void commits.commit(handles.get(incarnation) as StoredGroup, state).then(() => {
          incarnation.written = Math.max(incarnation.written, index)
          if (isFlushing) incarnation.durable = Math.max(incarnation.durable, index)
        })
      } else if (choice < 0.9) {
        const asked = this.#incarnations.map((each) => ({ each, count: each.states.length }))
        void commits.flush('disk').then(() => {
          for (const { each, count } of asked) {
            if (each.life !== 'creating') each.durable = Math.max(each.durable, count - 1)
          }
        })
      }
      note()
      if (random.chance(0.6)) commits.handOver()
      if (random.chance(0.6)) world.writer.doWork()
      note()
      if (random.chance(0.5)) commits.settle()
      if (random.chance(0.3)) world.nowMs += 100
      if (random.chance(0.5)) world.keeper.tend()
      note()
      if (random.chance(0.6)) disk.finishSyncs()
      if (random.chance(0.7)) await new Promise(setImmediate)
      note()
    }
    return moments
  }

  /** Cuts the power; checks what the next owner finds. Returns its disk. */
  cut(moments: readonly Moment[], style: ImageStyle): SimulatedDisk {
    const { random } = this
    const index = random.below(moments.length - 1)
    // Promises of this moment, limits of the next: the power goes somewhere between.
    const [before, after] = [moments[index], moments[index + 1]]
    const event = before.event + random.below(after.event - before.event + 1)
    const image = this.disk.imageAfter(event, random, style)
    const world = new GroupWorld(image.copy(), { topics: endless, readOnly: true })
    tally.images += 1
    const note = `moment ${index} of ${moments.length}, event ${event}, ${style}`
    expect(world.damages, note).toEqual([])
    for (const name of names) {
      const found = world.opened.filter((group) => group.name === name)
      expect(found.length, `${note}: ${name}`).toBeLessThanOrEqual(1)
      this.#expect(name, found[0]?.state, before, after, style, note)
    }
    for (const { id, name, state } of world.opened) {
      const owner = before.incarnations.find((each) => each.name === name && indexOf(each.states, state) > 0)
      const promised = (style === 'kept' ? owner?.written : owner?.durable) ?? 0
      const isAcknowledged = owner !== undefined && indexOf(owner.states, state) <= promised
      this.#damage(image, id, isAcknowledged, style, note)
    }
    return image
  }

  /** The group is there if it had been made, not if it had been removed, with a state between acknowledged and asked for. */
  #expect(
    name: string,
    state: GroupState | undefined,
    before: Moment,
    after: Moment,
    style: ImageStyle,
    note: string,
  ): void {
    const past = before.incarnations.filter((each) => each.name === name)
    const possible = after.incarnations.filter((each) => each.name === name)
    const isThere = past.some((each, at) => each.life === 'there' && possible[at].life === 'there')
    if (state === undefined) {
      expect(isThere, `${note}: ${name} is missing`).toBe(false)
      return
    }
    const owner = possible.findIndex(({ states, count }) => indexOf(states.slice(0, count), state) >= 0)
    expect(owner, `${note}: ${name} has ${JSON.stringify(state)}, which nobody asked for`).toBeGreaterThanOrEqual(0)
    expect(past[owner]?.life, `${note}: ${name} is back`).not.toBe('removed')
    const promised = style === 'kept' ? past[owner]?.written : past[owner]?.durable
    const at = indexOf(possible[owner].states, state)
    if (at < possible[owner].count - 1) tally.older += 1
    expect(at, `${note}: ${name} went back to ${JSON.stringify(state)}`).toBeGreaterThanOrEqual(promised ?? 0)
  }

  /** A bit of the newest record flips: the group has an older state, never one that is further on than was acknowledged. */
  #damage(image: SimulatedDisk, id: number, isAcknowledged: boolean, style: ImageStyle, note: string): void {
    const { random } = this
    const options = { topics: endless, readOnly: true }
    const whole = new GroupWorld(image.copy(), options)
    const sequence = whole.mailboxes.sequence(id)
    const { state, name } = whole.opened.find((group) => group.id === id) as OpenedGroup
    const disk = image.copy()
    // Header and ranges, or anything.
    const byte = random.below(random.chance(0.8) ? 40 : 512)
    disk.bytes(groupsPath)[groupRecordAt(id, sequence) + byte] ^= 1 << random.below(8)
    const { opened, damages, mailboxes } = new GroupWorld(disk, options)
    const found = opened.find((group) => group.id === id)?.state as GroupState
    const what = `${note}: ${name}, record ${sequence} damaged at ${byte}: ${JSON.stringify(found)}`
    tally.damaged += 1
    expect(damages.length, what).toBe(1)
    if (isAcknowledged) expect(found.committed, `${what}: further on`).toBeLessThanOrEqual(state.committed)
    // Without a power cut, the last commit alone is lost.
    if (isAcknowledged && style === 'kept') expect(mailboxes.sequence(id), what).toBe(sequence - 1)
    // 0: the other record was never written, or never stored.
    if (mailboxes.sequence(id) > 0) {
      expect(indexOf(this.#asked.get(name) ?? [], found), `${what}: nobody asked for it`).toBeGreaterThanOrEqual(0)
    }
  }
}

function indexOf(states: readonly GroupState[], state: GroupState): number {
  return states.findIndex((each) => JSON.stringify(each) === JSON.stringify(state))
}

async function run(seed: number, images: number, lies: Lies = {}): Promise<void> {
  const life = new Life(seed, lies)
  try {
    for (let generation = 0; generation < 3; generation++) {
      const moments = await life.live(60)
      let disk = life.disk
      for (let image = 0; image < images; image++) disk = life.cut(moments, life.random.pick(imageStyles))
      life.disk = disk
    }
  } catch (error) {
    throw new Error(`SEED=${seed}: ${(error as Error).message}`, { cause: error })
  }
}

/** A log opens after a power cut that has kept offsets and lost messages; then another cut follows, or damage. */
async function clamp(seed: number): Promise<void> {
  const random = new Seeded(seed)
  const disk = new SimulatedDisk()
  const before = new GroupWorld(disk, { topics: endless, durability: 'disk' })
  const group = await before.registry.open('t', 'g', () => 0)
  const ranges = [
    { first: 500, end: 600 },
    { first: 700, end: 800 },
  ]
  for (let committed = 100; committed <= 100 * (1 + random.below(3)); committed += 100) {
    await Promise.all([before.commits.commit(group, { committed, ranges }), before.settle()])
  }
  const next = random.below(900)
  disk.settle()
  const [{ state }] = new GroupWorld(disk, { topics: [topicState(0, 't', next)] }).opened
  expect(Math.max(state.committed, state.ranges.at(-1)?.end ?? 0)).toBeLessThanOrEqual(next)
  if (state.committed < group.state.committed || state.ranges.length < 2) tally.clamped += 1
  // Others get those offsets now: the topic grows past them.
  for (const style of imageStyles) {
    const image = disk.imageAfter(disk.events.length, random, style)
    const [found] = new GroupWorld(image.copy(), { topics: endless, readOnly: true }).opened
    expect(found.state, `next ${next}, ${style}`).toEqual(state)
    for (const parity of [0, 1]) {
      const damaged = image.copy()
      damaged.bytes(groupsPath)[groupRecordAt(0, parity) + 8] ^= 0x80
      const [left] = new GroupWorld(damaged, { topics: endless, readOnly: true }).opened
      expect(Math.max(left.state.committed, left.state.ranges.at(-1)?.end ?? 0)).toBeLessThanOrEqual(next)
    }
  }
}

afterEach(() => {
  checksum.isOn = true
})

describe('after a power cut', () => {
  it.each(seedsFrom(1, 12))('every group is as it was acknowledged, or newer as asked for (SEED=%i)', async (seed) => {
    await run(seed, 12)
  })

  it.each(seedsFrom(201, 20))('no group is ahead of its topic, then or later (SEED=%i)', async (seed) => {
    await clamp(seed)
  })

  it.each(seedsFrom(401, 20))(
    'no group has passed what its journal does not hold, then or later (SEED=%i)',
    async (seed) => {
      await cutShortJournal(new Seeded(seed))
    },
  )

  it('was tried in lives with removals, older states, damage and offsets that were ahead', () => {
    if (process.env.SEED !== undefined) return
    expect(tally.images).toBeGreaterThan(300)
    expect(tally.removed).toBeGreaterThan(20)
    expect(tally.older).toBeGreaterThan(50)
    expect(tally.damaged).toBeGreaterThan(300)
    expect(tally.clamped).toBeGreaterThan(5)
  })
})

type Method = (this: object, ...args: never[]) => unknown

/** Breaks a method until the test ends. */
function breaking(target: { prototype: object }, method: string, broken: (original: Method) => Method): void {
  const prototype = target.prototype as Record<string, Method>
  const original = prototype[method]
  prototype[method] = broken(original)
  onTestFinished(() => {
    prototype[method] = original
  })
}

const withoutChecksum = () => {
  checksum.isOn = false
}
const singleRecord = () =>
  breaking(
    GroupMailboxes,
    'sequence',
    (original) =>
      function (...args) {
        // The successor is even, always: the newest record is overwritten.
        return ((original.apply(this, args) as number) + 1) | 1
      },
  )
const oneRecordBack = () => breaking(GroupMailboxes, 'written', () => () => 0)
const identityWithRecord = () => {
  const lying = new WeakSet<object>()
  breaking(
    GroupFile,
    'writeFirstRecord',
    (original) =>
      function (...args) {
        lying.add(this)
        return original.apply(this, args)
      },
  )
  breaking(
    GroupFile,
    'syncLater',
    (original) =>
      function (...args) {
        return lying.delete(this) ? Promise.resolve() : original.apply(this, args)
      },
  )
}
const removalUnflushed = () => {
  const lying = new WeakSet<object>()
  breaking(
    GroupFile,
    'writeIdentity',
    (original) =>
      function (...args) {
        if (args[1] === undefined) lying.add(this)
        return original.apply(this, args)
      },
  )
  breaking(
    GroupFile,
    'syncLater',
    (original) =>
      function (...args) {
        return lying.delete(this) ? Promise.resolve() : original.apply(this, args)
      },
  )
}
const clampUnflushed = () => breaking(GroupFile, 'sync', () => () => {})
const clampOneRecord = () => {
  let isSecond = true
  breaking(
    GroupFile,
    'writeRecord',
    (original) =>
      function (...args) {
        isSecond = !isSecond
        return isSecond ? undefined : original.apply(this, args)
      },
  )
}
const clampMissing = () => breaking(GroupFile, 'writeRecord', () => () => {})

async function livesToCatch(live: (seed: number) => Promise<void>, lives: number): Promise<number | undefined> {
  for (let life = 0; life < lives; life++) {
    try {
      await live(3_000 + life)
    } catch (error) {
      const { cause = error } = error as Error
      // Only an expectation that failed counts.
      if ((cause as Error).name === 'AssertionError') return life + 1
      throw error
    }
  }
  return undefined
}

describe('mutants that the crash test has to catch', () => {
  it.each<[string, Lies, () => void]>([
    ['does not flush the file', { sync: '/groups' }, () => {}],
    ['does not flush the directory', { syncDirectory: '/log' }, () => {}],
    ['checks no checksum', {}, withoutChecksum],
    ['keeps one record instead of two', {}, singleRecord],
    ['writes a state that goes back once', {}, oneRecordBack],
    ['flushes identity and first record of a group together', {}, identityWithRecord],
    ['does not flush a removal', {}, removalUnflushed],
  ])('%s', async (_, lies, mutate) => {
    mutate()
    expect(await livesToCatch((seed) => run(seed, 12, lies), 20)).toBeDefined()
  })

  it.each<[string, () => void]>([
    ['leaves in the file what is ahead of its topic', clampMissing],
    ['does not flush what it puts back', clampUnflushed],
    ['puts back one record of two', clampOneRecord],
  ])('%s', async (_, mutate) => {
    mutate()
    expect(await livesToCatch(clamp, 20)).toBeDefined()
    expect(await livesToCatch((seed) => cutShortJournal(new Seeded(seed)), 20)).toBeDefined()
  })

  it('none of them is caught by mistake', async () => {
    expect(groupCellAt(0)).toBeLessThan(groupRecordAt(0, 1))
    expect(await livesToCatch((seed) => run(seed, 12), 10)).toBeUndefined()
    expect(await livesToCatch(clamp, 20)).toBeUndefined()
    expect(await livesToCatch((seed) => cutShortJournal(new Seeded(seed)), 20)).toBeUndefined()
  })
})
