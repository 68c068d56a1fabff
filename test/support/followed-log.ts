/**
 * A log and its followers on the simulated disk, all of them the real code: an owner appends, is killed in the middle of a write, loses its power,
 * comes again; followers hear and look at any moment, each in two threads by turns. What they may know is checked against what their owner knows.
 */
import assert from 'node:assert/strict'
import type { BellRecord } from '../../src/format/bell-layout.js'
import type { ControlRecord } from '../../src/format/control-layout.js'
import { frameFlag } from '../../src/format/frame-layout.js'
import { openSharedState } from '../../src/ring/shared-state.js'
import { SlotTable } from '../../src/ring/slot-table.js'
import { TopicCells } from '../../src/ring/topic-cells.js'
import { BellFile } from '../../src/storage/files/bell-file.js'
import { ControlFile } from '../../src/storage/files/control-file.js'
import { SegmentWindows } from '../../src/storage/files/segment-windows.js'
import { FirstOffsets } from '../../src/storage/follow/first-offsets.js'
import { endOfLeft } from '../../src/storage/follow/left-behind.js'
import { LogWalk } from '../../src/storage/follow/log-walk.js'
import { ShortWalk } from '../../src/storage/follow/short-walk.js'
import { hasFooter } from '../../src/storage/index/sealed-index.js'
import { openLog } from '../../src/storage/life/open-log.js'
import { FollowedTopics } from '../../src/threads/follower/followed-topics.js'
import { FollowedWords } from '../../src/threads/follower/followed-words.js'
import { Follower } from '../../src/threads/follower/follower.js'
import { ShortWay } from '../../src/threads/follower/short-way.js'
import { Engine } from './engine.js'
import { groupOf, payloadOf } from './frames.js'
import { imageStyles } from './power-cuts.js'
import type { Seeded } from './seeded.js'
import { sharedWords } from './shared-words.js'
import { bootA } from './storage-log.js'
import { type SimulatedWorld, simulatedWorld } from './worlds.js'

const segmentBytes = 1 << 18
const topics = ['a', 'b', 'c']

/** What is broken, one at a time. */
export type BellMutant =
  /** The owner rings, then publishes. */
  | 'rings first'
  /** A bell counts with any epoch, and who opens the log leaves it as it is. */
  | 'any epoch'
  /** A bell counts without an owner at work. */
  | 'no owner'
  /** Of a log that is left everything that looks like a batch counts. */
  | 'torn tail'
  /** Nothing but the bell is ever looked at. */
  | 'no looks'

interface Following {
  follower: Follower
  /** Of the same one in its application's thread. */
  way: ShortWay
  cells: TopicCells
  /** Topics whose names were told. */
  named: Set<number>
  published: number
  trim(): number
}

export class FollowedLog {
  #world: SimulatedWorld = simulatedWorld()
  #boot = 0
  #owner: Engine | undefined
  #following: Following[] = []
  #sent = 0
  /** What owners that are gone had last rung. */
  readonly #ghosts: Uint8Array[] = []
  #trimsHeard = 0
  #shortWays = 0
  readonly #random: Seeded
  readonly #mutant: BellMutant | undefined

  constructor(random: Seeded, mutant: BellMutant | undefined) {
    this.#random = random
    this.#mutant = mutant
    this.#open()
    // There is a log, whatever the power does.
    this.#world.disk.settle()
  }

  /** Times that a follower has learned from the bell that files are gone. */
  get trimsHeard(): number {
    return this.#trimsHeard
  }

  /** Times that something was taken in by the short way. */
  get shortWays(): number {
    return this.#shortWays
  }

  /** One thing happens. @throws where a follower knows what it must not */
  async step(): Promise<void> {
    const random = this.#random
    const what = random.unit()
    if (this.#owner === undefined) {
      if (what < 0.5) this.#open()
      else if (what < 0.6) this.#cutPower()
    } else if (what < 0.57) this.#append()
    else if (what < 0.6) this.#trim()
    else if (what < 0.75) await this.#tend()
    else if (what < 0.8) this.#kill()
    else if (what < 0.83) this.#cutPower()
    else if (what < 0.85) this.#haunt()
    if (this.#following.length < 3 && random.chance(0.1)) this.#follow()
    // What is opened meanwhile is open.
    for (let turn = 0; turn < 4; turn++) await undefined
    for (const following of this.#following) {
      if (random.chance(0.4)) this.#hear(following)
      else if (random.chance(0.15)) this.#look(following)
    }
  }

  /** Nothing happens any more, with an owner at work or without, and every follower has its look: it knows all that there is. */
  async settle(): Promise<void> {
    if (this.#owner !== undefined && this.#random.chance(0.5)) this.#kill()
    if (this.#owner !== undefined) await this.#tend()
    for (const following of this.#following) {
      this.#look(following)
      // A second one: the first may have found somebody else at work than the record it read.
      this.#look(following)
    }
    const end = this.#owner?.state.published.load() ?? this.#endAsOpened()
    for (const { follower } of this.#following) assert.equal(follower.published, end, 'a follower has missed something')
  }

  #look(following: Following): void {
    if (this.#mutant !== 'no looks') this.#let(following, (follower) => follower.look())
  }

  /** What the bell tells is known by whoever has heard it. */
  #hear(following: Following): void {
    const { follower, trim } = following
    if (this.#random.chance(0.6) && this.#hearShortly(following)) return
    const before = trim()
    this.#let(following, (each) => each.hear())
    const bell = this.#bell()
    if (follower.stage !== 'hearing' || bell === undefined || bell.sequence !== follower.sequence) return
    assert.ok(trim() >= bell.trim, 'a follower has not heard what is trimmed')
    if (trim() > before) this.#trimsHeard += 1
  }

  /** In the application's thread. False: it is left to the other one. */
  #hearShortly(following: Following): boolean {
    const { follower, way, trim } = following
    const before = follower.published
    const isHeard = way.hear()
    this.#check(following)
    if (!isHeard) {
      assert.equal(follower.published, before, 'what is left to the other thread is taken in here')
      return false
    }
    const bell = this.#bell()
    assert.ok(bell === undefined || follower.published >= bell.published, 'a follower has not heard what was rung')
    assert.ok(bell === undefined || trim() >= bell.trim, 'a follower has not heard what is trimmed')
    if (follower.published > before) this.#shortWays += 1
    return true
  }

  #bell(): BellRecord | undefined {
    const { disk, directory } = this.#world
    const { files } = this.#owner ?? {}
    const bell = files && BellFile.forHearing(disk, directory, files.id)
    const found = bell?.read()
    bell?.close()
    return found
  }

  #let(following: Following, act: (follower: Follower) => void): void {
    act(following.follower)
    this.#check(following)
  }

  #check(following: Following): void {
    const { follower, cells, named } = following
    for (const id of topics.keys())
      assert.ok(cells.next(id).load() === 0 || named.has(id), 'a follower has messages of a topic without a name')
    assert.notEqual(follower.stage, 'lost', 'a follower takes its log for another')
    assert.ok(follower.published >= following.published, 'what a follower knows goes back')
    following.published = follower.published
    const owner = this.#owner
    if (owner === undefined) {
      assert.ok(follower.published <= this.#endAsOpened(), 'a follower shows what the next owner will cut')
      return
    }
    assert.ok(follower.published <= owner.state.published.load(), 'a follower knows more than its owner')
    for (const id of topics.keys()) {
      const theirs: number = cells.next(id).load()
      const own: number = owner.cells.next(id).load()
      assert.ok(theirs <= own, 'a follower knows a message that its owner does not')
      if (follower.published === owner.state.published.load()) assert.equal(theirs, own, 'a message is missing')
    }
  }

  #open(): void {
    const bytes = this.#mutant === 'any epoch' ? this.#bellBytes()?.slice() : undefined
    const owner = new Engine(this.#world, { segmentBytes, bootId: this.#bootId })
    if (bytes !== undefined) this.#bellBytes()?.set(bytes)
    this.#owner = owner
    for (const { follower } of this.#following)
      assert.ok(follower.published <= owner.recovered.published, 'the next owner has cut what a follower had shown')
    // Until it has seen that somebody follows, the bell is as the last owner has left it.
    if (this.#random.chance(0.5)) owner.state.followerCalls.store(1)
    const { published } = owner.state
    // In the moment in which the bell is rung a follower may hear it.
    const hear = () => {
      for (const following of this.#following) if (this.#random.chance(0.3)) this.#hear(following)
    }
    if (this.#mutant === 'rings first') {
      const bell = BellFile.forRinging(this.#world.disk, this.#world.directory, owner.files.id)
      const { epoch } = this.#record() as ControlRecord
      const load = () => published.load()
      const store = (position: number) => {
        bell.ring({ sequence: ((position / 8) | 0) + 1, epoch, published: position, trim: owner.state.trim.load() })
        hear()
        published.store(position)
      }
      Object.assign(owner.state, { published: { load, store } })
    }
    owner.writer.doWork()
  }

  #append(): void {
    const owner = this.#owner as Engine
    const random = this.#random
    const id = random.below(topics.length)
    if (owner.tail.next(id) === undefined || !this.#isDeclared(owner, id))
      owner.offer([{ declare: topics[id] as string, topic: id }])
    const count = 1 + random.below(6)
    const values = Array.from({ length: count }, () => payloadOf(id, this.#sent++, 8 + random.below(8_000)))
    if (random.chance(0.4)) owner.offer(groupOf(id, values, frameFlag.awaited))
    else for (const value of values) owner.append(id, value)
    if (random.chance(0.8)) owner.writer.doWork()
  }

  /** Whole segments go with the next looks of the reaper. */
  #trim(): void {
    const owner = this.#owner as Engine
    const all = this.#random.chance(0.7)
    for (const id of topics.keys()) {
      const [first, next] = [owner.cells.first(id).load(), owner.cells.next(id).load()]
      if (first < next) owner.writer.trim(id, all ? next : first + 1 + this.#random.below(next - first))
    }
  }

  #isDeclared(owner: Engine, id: number): boolean {
    return owner.cells.next(id).load() > 0
  }

  async #tend(): Promise<void> {
    const owner = this.#owner as Engine
    owner.state.followerCalls.store(owner.state.followerCalls.load() + 1)
    // What is deleted is flushed and noted before.
    await owner.settle(4)
  }

  /** As `kill -9` does it: at any moment, perhaps in the middle of a write that nobody has heard of. */
  #kill(): void {
    const owner = this.#owner as Engine
    const { disk, directory } = this.#world
    this.#remember()
    if (this.#random.chance(0.6)) {
      const before = this.#bellBytes()?.slice()
      const from = owner.state.published.load()
      const segment = owner.tail.segment
      this.#silently(() => this.#append())
      owner.writer.doWork()
      // In place: followers have it open.
      if (before !== undefined) this.#bellBytes()?.set(before)
      else if (this.#bellBytes() !== undefined) disk.drop(BellFile.path(directory))
      const to = owner.tail.segment === segment ? owner.state.published.load() : from
      const base = owner.files.base(segment)
      const bytes = disk.bytes(owner.files.path(segment))
      // Some of it is there, the rest is not. In front of it nothing has changed.
      bytes.fill(0, from - base + this.#random.below(Math.max(1, to - from)), to - base)
    }
    this.#owner = undefined
  }

  #remember(): void {
    const bytes = this.#bellBytes()
    if (bytes !== undefined) this.#ghosts.push(bytes.slice())
  }

  #bellBytes(): Uint8Array | undefined {
    const { disk, directory } = this.#world
    const file = BellFile.path(directory)
    return disk.has(file) ? disk.bytes(file) : undefined
  }

  /** The other process does not hear meanwhile. */
  #silently(act: () => void): void {
    const following = this.#following
    this.#following = []
    act()
    this.#following = following
  }

  /** Followers go with the machine. */
  #cutPower(): void {
    const { disk } = this.#world
    this.#remember()
    this.#owner = undefined
    this.#following = []
    this.#boot += 1
    const image = disk.imageAfter(disk.events.length, this.#random, this.#random.pick(imageStyles))
    image.settle()
    this.#world = simulatedWorld(image)
  }

  /** What an owner that is gone has rung is there once more, as a file that somebody copies back. Until the next ring, nobody believes it. */
  #haunt(): void {
    const bytes = this.#bellBytes()
    if (bytes === undefined || this.#ghosts.length === 0) return
    const before = bytes.slice()
    bytes.set(this.#random.pick(this.#ghosts))
    // After a power cut an epoch may be the same once more: that is what a bell is silenced for.
    if (this.#bell()?.epoch === this.#record()?.epoch) bytes.set(before)
  }

  get #bootId(): string {
    return this.#boot === 0 ? bootA : String(this.#boot).padStart(32, '0')
  }

  #record(): ControlRecord | undefined {
    const control = ControlFile.open(this.#world.disk, this.#world.directory, 'read')
    control?.close()
    return control?.found
  }

  /** Where the next owner would find the end, as things are now. */
  #endAsOpened(): number {
    const { disk, directory, plainMemory: memory } = this.#world
    const common = { disk, directory, segmentBytes, memory, bootId: this.#bootId, now: () => 1 }
    const { control, recovered } = openLog({ ...common, readOnly: true })
    control.close()
    return recovered.published
  }

  #follow(): void {
    const world = this.#world
    const { disk, directory, plainMemory } = world
    const common = { disk, directory, segmentBytes, memory: plainMemory, bootId: this.#bootId, now: () => 1 }
    const { control, files, recovered } = openLog({ ...common, readOnly: true })
    control.close()
    const { memory, state, lane } = sharedWords()
    const cellMemory = new SharedArrayBuffer(64 * 16)
    const cells = new TopicCells(cellMemory)
    const named = new Set(recovered.topics.map(({ id }) => id))
    for (const topic of recovered.topics) {
      cells.next(topic.id).store(topic.next)
      cells.first(topic.id).store(topic.first)
    }
    state.published.store(recovered.published)
    state.trim.store(recovered.trim)
    const windows = new SegmentWindows(plainMemory, plainMemory, files, new SlotTable(SlotTable.allocate()), 'read', 4)
    const { published, trim } = recovered
    const mutant = this.#mutant
    const openBell = () => {
      const bell = BellFile.forHearing(disk, directory, files.id)
      if (bell === undefined) return undefined
      if (mutant !== 'any epoch') return { read: () => bell.read(), identity: 'bell', close: () => bell.close() }
      const read = () => {
        const found = bell.read()
        return found && { ...found, epoch: this.#record()?.epoch ?? 0 }
      }
      return { read, identity: 'bell', close: () => bell.close() }
    }
    const readBell = () => {
      const bell = openBell()
      const found = bell?.read()
      bell?.close()
      return found
    }
    // Another thread has its own view of the same memory.
    const here = openSharedState(memory, 'application', 'writer', 'reaper', 'flusher')
    const way = new ShortWay({
      state: here,
      words: new FollowedWords(here, 'application'),
      cells: new TopicCells(cellMemory),
      walk: new ShortWalk(world.now, files),
      readBell,
      sharedMs: () => 0,
    })
    const follower = new Follower({
      state,
      application: lane.bell,
      words: new FollowedWords(state, 'writer'),
      topics: new FollowedTopics({
        cells,
        firsts: new FirstOffsets(disk, files, windows, trim, () => state.indexed.load()),
        segmentOf: (position) => files.segmentOf(position),
        firstTopics: recovered.topics,
        onNew: (id) => named.add(id),
      }),
      files,
      directory,
      bootId: this.#bootId,
      known: { epoch: this.#record()?.epoch ?? 0, published, trim },
      walk: new LogWalk(disk, files, published),
      unregistered: undefined,
      readControl: () => this.#record(),
      listRepairs: () => [],
      findOwner: () => (this.#owner === undefined && mutant !== 'no owner' ? 'none' : 'running'),
      openBell,
      watchBell: () => ({ close() {} }),
      endOfLeft: (record) =>
        mutant === 'torn tail' ? this.#writtenEnd() : endOfLeft(disk, plainMemory, files, record, this.#bootId),
      hasFooter: (segment) => hasFooter(disk, files, segment),
      send: () => {},
      nowMs: () => 0,
      sharedMs: () => 0,
    })
    const following = { follower, way, cells, named, published, trim: () => state.trim.load() }
    this.#look(following)
    this.#following.push(following)
  }

  /** Where the last byte stands that is not zero. */
  #writtenEnd(): number {
    const { disk, directory } = this.#world
    const control = ControlFile.open(disk, directory, 'read')
    control?.close()
    const names = disk
      .list(`${directory}/log`)
      .filter((name) => name.endsWith('.seg'))
      .sort()
    for (const name of names.reverse()) {
      const bytes = disk.bytes(`${directory}/log/${name}`)
      const last = bytes.findLastIndex((byte) => byte !== 0)
      if (last >= 64) return Number(name.slice(0, 20)) + Math.ceil((last + 1) / 8) * 8
    }
    return 0
  }
}
