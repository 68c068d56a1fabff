/**
 * Lives of a log in which everything is at work that decides and finds: appends under conditions (an offset, an id, a version of a key), transactions of messages,
 * a register and what a group acknowledges, acknowledgements beside them, side indexes of keys and of a header, made as segments are sealed. The power goes many times in
 * each life, and the next one begins where a cut has left the log. All of it is the product's code, without its threads.
 */
import assert from 'node:assert/strict'
import { transactionFrames } from '../../src/dispatcher/appends/transaction-frames.js'
import { GroupCommits } from '../../src/dispatcher/groups/group-commits.js'
import { GroupDesk } from '../../src/dispatcher/groups/group-desk.js'
import { GroupRegistry } from '../../src/dispatcher/groups/group-registry.js'
import { JournalKeeper } from '../../src/dispatcher/groups/journal-keeper.js'
import type { LeasedRange } from '../../src/dispatcher/groups/lease.js'
import { KeepAlive } from '../../src/dispatcher/keep-alive.js'
import { TopicDirectory } from '../../src/dispatcher/topic-directory.js'
import type { Filter, TransactionParts } from '../../src/engine/terms.js'
import { BookendError } from '../../src/errors.js'
import { frameFlag, frameKind } from '../../src/format/frame-layout.js'
import type { GroupState } from '../../src/format/group-layout.js'
import { type Guard, needBytes, writeNeedFrame } from '../../src/format/guard-layout.js'
import { journalTopic, registerTopic, registerValue } from '../../src/format/hidden-topics.js'
import { tagOf } from '../../src/format/key-tag.js'
import { idHeader } from '../../src/limits.js'
import { GroupTransactions } from '../../src/local/group-transactions.js'
import { GroupMailboxes } from '../../src/ring/group-mailboxes.js'
import { SlotTable } from '../../src/ring/slot-table.js'
import { SegmentWindows } from '../../src/storage/files/segment-windows.js'
import { Catalog } from '../../src/storage/index/catalog.js'
import { HandedFooters } from '../../src/storage/index/handed-footers.js'
import { openLog } from '../../src/storage/life/open-log.js'
import { journaledAcks } from '../../src/storage/read/journaled-acks.js'
import { RecordLookup } from '../../src/storage/read/record-lookup.js'
import { TopicReader } from '../../src/storage/read/topic-reader.js'
import { GroupKeeper } from '../../src/threads/reaper/group-keeper.js'
import { Engine } from './engine.js'
import { framePlaces } from './frame-places.js'
import { readAll } from './model.js'
import { imageStyles } from './power-cuts.js'
import { Seeded } from './seeded.js'
import { sharedWords } from './shared-words.js'
import { readingOf } from './side-indexed-log.js'
import { SimulatedDisk } from './simulated-disk.js'
import { bootA, bootB } from './storage-log.js'
import { simulatedWorld, soleOwner } from './worlds.js'

const segmentBytes = 1 << 17
/** Of the values of a transaction: with all that belongs to them they fit a segment. */
const mostBytes = segmentBytes >>> 1
const lives = 3
const steps = 60
const encoder = new TextEncoder()

/** In the order of their numbers. What is looked for is in the first. */
const [found, asked] = ['t', 'in']
const names = [found, asked, journalTopic(0), registerTopic('r', 'n')]
/** The last two have one checksum. */
const keys = ['a', 'b', 'plumless', 'buckeroo']
const types = ['paid', 'open', 'rare']

/** A message of the topic in which something is looked for, and which message of the other one it has come of. */
interface Outcome {
  readonly key: string
  readonly type: string
  readonly of: number
  readonly bytes: number
}

/** What was written at one moment. */
interface Entry {
  readonly ids: readonly (string | undefined)[]
  readonly outcomes: readonly Outcome[]
  /** What it acknowledges; undefined: nothing. */
  readonly acked: LeasedRange | undefined
  readonly register: number | undefined
  /** Of the log behind it. */
  readonly position: number
}

/** What holds whenever the power goes from here on, until the next moment. */
interface Moment {
  readonly event: number
  /** Entries that are on the device. */
  readonly durable: number
  /** Acknowledged outside of transactions, and said to be on the device. */
  readonly promised: ReadonlySet<number>
}

export interface DecidingTally {
  images: number
  entries: number
  /** Conditions that did not hold. */
  conflicts: number
  /** What was acknowledged in a transaction, and what was committed beside them and said to be on the device. */
  transacted: number
  committed: number
  /** Cuts that have left side indexes; sealed segments of which one is there, and is not. */
  indexed: number
  unindexed: number
}

export function emptyDecidingTally(): DecidingTally {
  return { images: 0, entries: 0, conflicts: 0, transacted: 0, committed: 0, indexed: 0, unindexed: 0 }
}

/** @param images cuts of each life. @throws what was not as promised */
export async function decideAndCut(seed: number, images: number, tally: DecidingTally): Promise<void> {
  const random = new Seeded(seed)
  const history = new History()
  let disk = new SimulatedDisk()
  for (let life = 0; life < lives; life++) {
    const bootId = life % 2 === 0 ? bootA : bootB
    const log = new DecidingLog(disk, bootId, random, history, tally)
    await log.begin(life === 0)
    const moments = await log.live()
    let last: { disk: SimulatedDisk; count: number } | undefined
    for (let image = 0; image < images; image++) {
      const index = random.below(moments.length)
      const moment = moments[index]
      const until = moments[index + 1]?.event ?? log.disk.events.length
      const event = moment.event + random.below(until - moment.event + 1)
      const style = random.pick(imageStyles)
      const left = log.disk.imageAfter(event, random, style)
      tally.images += 1
      try {
        // Only the last one goes on, and is as it was left.
        const looked = image === images - 1 ? left.copy() : left
        last = { disk: left, count: await check(looked, moment, history, random, tally) }
      } catch (error) {
        const where = `SEED=${seed}, life ${life}, moment ${index} of ${moments.length}, event ${event}, ${style}`
        throw new Error(`${where}: ${(error as Error).message}`, { cause: error })
      }
    }
    if (last === undefined) return
    disk = last.disk
    history.cutTo(last.count)
  }
}

/** What was written, in the order of the log. */
class History {
  entries: Entry[] = []
  /** Acknowledged outside of transactions, at some time or other. */
  readonly plain = new Set<number>()

  /** Messages of each topic, in the order of their numbers, in the first `count` entries. */
  counts(count = this.entries.length): [outcomes: number, inputs: number, acks: number] {
    const sum: [number, number, number] = [0, 0, 0]
    for (const { outcomes, ids, acked } of this.entries.slice(0, count)) {
      sum[0] += outcomes.length
      sum[1] += ids.length
      sum[2] += acked === undefined ? 0 : 1
    }
    return sum
  }

  cutTo(count: number): void {
    this.entries = this.entries.slice(0, count)
    const [, inputs] = this.counts()
    // Others get their offsets.
    for (const offset of this.plain) if (offset >= inputs) this.plain.delete(offset)
  }
}

class DecidingLog {
  readonly disk: SimulatedDisk
  readonly #engine: Engine
  readonly #random: Seeded
  readonly #history: History
  readonly #tally: DecidingTally
  #refused: unknown
  readonly #topics: TopicDirectory
  readonly #registry: GroupRegistry
  readonly #commits: GroupCommits
  readonly #journals: JournalKeeper
  readonly #desk: GroupDesk
  readonly #transactions: GroupTransactions
  readonly #promised = new Set<number>()
  #guards: readonly (Guard | undefined)[] | undefined
  #register: number
  #held: LeasedRange[] = []

  constructor(disk: SimulatedDisk, bootId: string, random: Seeded, history: History, tally: DecidingTally) {
    this.disk = disk
    this.#random = random
    this.#history = history
    this.#tally = tally
    const engine = new Engine(simulatedWorld(disk, random.chance(0.5)), {
      ...{ bootId, segmentBytes, ringBytes: 1 << 18 },
    })
    this.#engine = engine
    const { state, mailboxes, cells, recovered, openedGroups, groups } = engine
    this.#register = Math.max(0, ...history.entries.map(({ register = 0 }) => register))
    this.#topics = new TopicDirectory(recovered.topics, cells)
    for (const name of names) this.#topics.intern(this.#topics.handle(name))
    const directory = engine.world.directory
    this.#commits = new GroupCommits({
      ...{ state, mailboxes, directory, durability: 'disk', readOnly: false },
      watch: { register() {}, begin() {} },
    })
    this.#registry = new GroupRegistry({
      ...{ commits: this.#commits, mailboxes, topics: this.#topics, state, groups: openedGroups, directory },
      ...{ readOnly: false, isFollower: false, keepAlive: new KeepAlive() },
      control: {
        async takeGroup(topic, name, committed, journals) {
          const id = await groups.create(topic, name, committed, journals)
          return { id, state: { committed, ranges: [] } }
        },
        removeGroup: (id) => groups.remove(id),
      },
    })
    this.#journals = new JournalKeeper({
      ...{ registry: this.#registry, commits: this.#commits },
      trim: async (topic, before) => engine.writer.trim(topic, before),
    })
    this.#desk = new GroupDesk({
      ...{ registry: this.#registry, commits: this.#commits, topic: this.#topics.handle(asked), name: 'g' },
      first: () => 0,
      next: () => cells.next(names.indexOf(asked)).load(),
      whenNext: () => () => {},
      checkOpen() {},
      onSkipped() {},
    })
    this.#transactions = new GroupTransactions({
      write: async (parts, _, outcome) => {
        try {
          return outcome.written(this.#write(parts))
        } catch (error) {
          outcome.refused()
          throw error
        }
      },
      published: () => state.published.load(),
      onWritten() {},
    })
    engine.reaper.index(found, { keys: true, headers: ['type'] })
  }

  /** @param isNew the topics are declared, and the group is made, for good */
  async begin(isNew: boolean): Promise<void> {
    const engine = this.#engine
    if (isNew) engine.offer(names.map((declare, topic) => ({ declare, topic })))
    for (const name of names) this.#topics.handle(name).isDeclared = true
    await this.#desk.open('first')
    await engine.flush()
    this.disk.settle()
    this.disk.holdSyncs()
  }

  async live(): Promise<Moment[]> {
    const moments = [this.#moment()]
    const random = this.#random
    for (let step = 0; step < steps; step++) {
      const choice = random.unit()
      if (choice < 0.4) this.#ask()
      else if (choice < 0.7) await this.#decide()
      else if (choice < 0.8) this.#acknowledge()
      else if (choice < 0.85) this.#giveBack()
      else if (choice < 0.92) this.#engine.requestFlush()
      else void this.#journals.tend().catch(() => {})
      moments.push(this.#moment())
      for (let turn = random.below(4); turn > 0; turn--) {
        await this.#turn()
        moments.push(this.#moment())
      }
    }
    // The disk takes everything: nobody is to be refused.
    if (this.#refused !== undefined) throw new Error('an acknowledgement was refused', { cause: this.#refused })
    return moments
  }

  /** Each thread does what it can, or what is due; what is flushed is there at some time. */
  async #turn(): Promise<void> {
    const random = this.#random
    if (random.chance(0.7)) this.#commits.settle()
    if (random.chance(0.8)) this.#engine.writer.doWork()
    if (random.chance(0.5)) this.#engine.letTimePass()
    if (random.chance(0.7)) this.#engine.reaper.tend()
    if (random.chance(0.6)) this.disk.finishSyncs()
    await new Promise(setImmediate)
  }

  #moment(): Moment {
    const durable = this.#engine.state.durable.load()
    const { entries } = this.#history
    let count = entries.length
    while (count > 0 && entries[count - 1].position > durable) count -= 1
    return { event: this.disk.events.length, durable: count, promised: new Set(this.#promised) }
  }

  /** A message for the group, perhaps under a condition; it is written if and only if that holds. */
  #ask(): void {
    const random = this.#random
    const next = this.#engine.cells.next(names.indexOf(asked)).load()
    const kind = random.below(4)
    const id = kind === 1 ? `id ${random.below(30)}` : undefined
    const key = encoder.encode(random.pick(keys))
    const expectedOffset = kind === 2 ? next + random.pick([0, 0, 1]) : undefined
    const guard: Guard = {
      ...(id === undefined ? {} : { id: { text: id, windowMs: 1e9, max: 1e6 } }),
      ...(expectedOffset === undefined ? {} : { expectedOffset }),
      ...(kind === 3 ? { unchanged: { tag: tagOf(key), asOf: next } } : {}),
    }
    const headers = encoder.encode(JSON.stringify(id === undefined ? { n: '1' } : { [idHeader]: id }))
    const value = new Uint8Array(4 + random.below(random.chance(0.2) ? 6_000 : 300))
    const isKnown = id !== undefined && this.#history.entries.some(({ ids }) => ids.includes(id))
    const holds = !isKnown && (expectedOffset ?? next) === next
    this.#guards = [guard]
    try {
      this.#write({
        messages: [{ topic: asked, value, extras: { key, headers }, condition: undefined }],
        registers: [],
      })
    } catch (error) {
      if (!isConflict(error)) throw error
      this.#tally.conflicts += 1
      if (holds) throw new Error(`a message is refused whose condition holds: ${JSON.stringify(guard)}`)
      return
    }
    if (!holds) throw new Error(`a message is written whose condition does not hold: ${JSON.stringify(guard)}`)
    this.#note({ ids: [id], outcomes: [], acked: undefined, register: undefined })
  }

  /** What the group holds leads to something, in one transaction with its acknowledgement. */
  async #decide(): Promise<void> {
    const random = this.#random
    const lease = this.#held.shift() ?? this.#desk.take(1 + random.below(3))
    if (lease === undefined) return
    const outcomes: Outcome[] = []
    let room = mostBytes
    for (let of = lease.first; of < lease.end; of++)
      for (let count = random.below(4); count > 0; count--) {
        const bytes = Math.min(room, random.below(random.chance(0.3) ? 40_000 : 3_000))
        room -= bytes
        outcomes.push({ key: random.pick(keys), type: random.pick(types), of, bytes })
      }
    const register = this.#register + 1
    const messages = outcomes.map(({ key, type, of, bytes }) => {
      const value = new Uint8Array(4 + bytes).fill(of)
      new DataView(value.buffer).setUint32(0, of)
      const extras = { key: encoder.encode(key), headers: encoder.encode(JSON.stringify({ type })) }
      return { topic: found, value, extras, condition: undefined }
    })
    const { first, end, generation } = lease
    const share = { desk: this.#desk, generation, ranges: [{ first, end }] }
    const set = { kind: 'r', name: 'n', value: register, below: register } as const
    await this.#transactions.transact({ messages, registers: [set] }, [share], [], 'process')
    this.#register = register
    this.#tally.transacted += 1
    this.#note({ ids: [], outcomes, acked: lease, register })
  }

  #acknowledge(): void {
    const lease = this.#held.shift() ?? this.#desk.take(1)
    if (lease === undefined) return
    const { first, end } = lease
    for (let offset = first; offset < end; offset++) this.#history.plain.add(offset)
    const done = () => {
      for (let offset = first; offset < end; offset++) this.#promised.add(offset)
      this.#tally.committed += 1
    }
    this.#desk.acknowledge(lease, first, end).then(done, (error) => {
      this.#refused ??= error
    })
  }

  /** Kept for later, so that others are done before. */
  #giveBack(): void {
    const lease = this.#held.length < 5 ? this.#desk.take(1 + this.#random.below(2)) : undefined
    if (lease !== undefined) this.#held.push(lease)
  }

  /** One atomic group, handed over and written. @throws `BOOKEND_CONFLICT` */
  #write(parts: Pick<TransactionParts, 'messages' | 'registers'>): number[] {
    const { producer, state, lane, writer, reaper } = this.#engine
    const { words, bytes } = producer.memory
    const memory = { words, bytes, text: Buffer.from(bytes.buffer) }
    const group = transactionFrames(parts, this.#topics, this.#guards)
    this.#guards = undefined
    const needed = group.features & ~state.featuresStated.load()
    const ahead = needed === 0 ? 0 : needBytes
    const start = producer.place(ahead + group.guardBytes + group.bytes)
    assert(start >= 0, 'the ring of the test has room')
    if (ahead > 0) writeNeedFrame(words, start, needed, frameFlag.awaited)
    const at = start + ahead
    const guards = framePlaces(words, at, group.writeGuards(memory, at, frameFlag.awaited))
    producer.advance(group.writeFrames(memory, at + group.guardBytes, frameFlag.awaited) - start)
    this.#engine.publish()
    for (let turn = 0; lane.ringHead.load() < lane.ringTail.load(); turn++) {
      writer.doWork()
      reaper.tend()
      this.disk.finishSyncs()
      assert(turn < 1_000, 'what is handed over is answered')
    }
    if (guards.some((guard) => this.#engine.kindAt(guard) !== frameKind.guard))
      throw new BookendError('BOOKEND_CONFLICT', 'a condition does not hold')
    const offsets = framePlaces(words, at + group.guardBytes, group.records).map((frame) =>
      this.#engine.offsetAt(frame),
    )
    return group.places?.map((place) => offsets[place]) ?? offsets
  }

  #note(entry: Omit<Entry, 'position'>): void {
    this.#tally.entries += 1
    this.#history.entries.push({ ...entry, position: this.#engine.state.published.load() })
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof BookendError && error.code === 'BOOKEND_CONFLICT'
}

// Nothing of a log that is only looked at is kept in them.
const words = sharedWords()
const mailboxes = new GroupMailboxes(GroupMailboxes.allocate())
const slots = new SlotTable(SlotTable.allocate())

/** What the next owner finds. @returns how many entries there are */
async function check(
  disk: SimulatedDisk,
  { durable, promised }: Moment,
  history: History,
  random: Seeded,
  tally: DecidingTally,
): Promise<number> {
  const world = simulatedWorld(disk, false)
  const { directory, plainMemory } = world
  const now = () => 1
  const { files, recovered } = openLog({ disk, directory, segmentBytes, readOnly: true, memory: plainMemory, now })
  assert.deepEqual(recovered.damages, [], 'damage was reported where there is none')
  const { published, indexed, trim } = recovered
  const bounds = { published: () => published, indexed: () => indexed, trim: () => trim }
  const readWindows = new SegmentWindows(plainMemory, plainMemory, files, slots, 'read', 4)
  const handed = new HandedFooters(recovered.footers, segmentBytes)
  const catalog = new Catalog(disk, files, readWindows, bounds, handed)
  const reader = new TopicReader(files, readWindows, catalog, bounds)
  const [outcomesNext, inputsNext, acksNext] = names.map(
    (name) => recovered.topics.find((topic) => topic.name === name)?.next ?? 0,
  )
  const count = entriesOf(history, outcomesNext + inputsNext + acksNext)
  assert.deepEqual([outcomesNext, inputsNext, acksNext], history.counts(count), 'a moment is there in part')
  if (count < durable) throw new Error(`${count} moments are left of ${durable} that were on the device`)
  const entries = history.entries.slice(0, count)

  const register = recovered.topics.find(({ name }) => name === names[3])?.first ?? 0
  const set = Math.max(0, ...entries.map(({ register = 0 }) => register))
  assert.equal(registerValue(register) ?? 0, set, 'the register is that of the last transaction')

  const keeper = new GroupKeeper({
    ...{ state: words.state, application: words.lane.bell, mailboxes, disk, directory, logId: files.id },
    ...{ owner: soleOwner, flushIntervalMs: 1, nowMs: now, onFailure() {} },
  })
  const readAcks = (journal: { id: number; next: number }, from: number) =>
    journaledAcks(reader, journal.id, from, journal.next)
  const group = keeper.open(recovered.topics, true, readAcks).groups.find(({ name }) => name === 'g')
  checkDone(group?.state, entries, history.plain, promised, inputsNext)

  const outcomes = entries.flatMap((entry) => entry.outcomes)
  const records = outcomes.length === 0 ? [] : readAll(reader, 0, 0, outcomesNext, 'dense')
  for (const [offset, { of, bytes }] of outcomes.entries()) {
    const { value } = records[offset]
    const said = new DataView(value.buffer, value.byteOffset, value.length).getUint32(0)
    assert.deepEqual([value.length, said], [4 + bytes, of], `message ${offset}`)
  }
  const lookup = new RecordLookup(files, readWindows, catalog, bounds)
  const log = { files, readWindows, catalog, lookup, published, indexed, trim }
  await checkFinding(readingOf({ world, log }), outcomes, random)
  const sealed = files.segmentOf(indexed)
  for (let segment = 0; segment < sealed; segment++) {
    if (disk.has(files.sidePath(segment))) tally.indexed += 1
    else tally.unindexed += 1
  }
  return count
}

/** How many entries come to so many messages. */
function entriesOf({ entries }: History, messages: number): number {
  let sum = 0
  let count = 0
  for (; sum < messages && count < entries.length; count++) {
    const { ids, outcomes, acked } = entries[count]
    sum += ids.length + outcomes.length + (acked === undefined ? 0 : 1)
  }
  return count
}

/** What a transaction acknowledges is done if and only if the transaction is there. */
function checkDone(
  state: GroupState | undefined,
  entries: readonly Entry[],
  plain: ReadonlySet<number>,
  promised: ReadonlySet<number>,
  inputs: number,
): void {
  assert(state !== undefined, 'the group is there')
  const done = new Set(Array.from({ length: state.committed }, (_, offset) => offset))
  for (const { first, end } of state.ranges) for (let offset = first; offset < end; offset++) done.add(offset)
  const acked = new Set<number>()
  for (const entry of entries)
    for (let offset = entry.acked?.first ?? 0; offset < (entry.acked?.end ?? 0); offset++) acked.add(offset)
  for (const offset of acked)
    if (!done.has(offset)) throw new Error(`${offset} comes again, and the transaction that acknowledges it is there`)
  for (const offset of promised)
    if (offset < inputs && !done.has(offset)) throw new Error(`${offset} comes again, and was acknowledged for good`)
  for (const offset of done)
    if (!acked.has(offset) && !plain.has(offset))
      throw new Error(`${offset} is done, and the transaction that acknowledges it is gone`)
}

async function checkFinding(
  { withKey, matching }: ReturnType<typeof readingOf>,
  outcomes: readonly Outcome[],
  random: Seeded,
): Promise<void> {
  const end = outcomes.length
  if (end === 0) return
  const from = random.chance(0.5) ? 0 : random.below(end)
  const to = from + 1 + random.below(end - from)
  const offsetsOf = (isWanted: (outcome: Outcome) => boolean) =>
    outcomes.flatMap((outcome, offset) => (offset >= from && offset < to && isWanted(outcome) ? [offset] : []))
  const key = random.pick([...keys, 'nobody'])
  const isReverse = random.chance(0.5)
  const max = random.pick([1, 1_000])
  const keyed = offsetsOf((outcome) => outcome.key === key)
  const expected = (isReverse ? keyed.reverse() : keyed).slice(0, max)
  assert.deepEqual(
    await withKey(key, from, to, max, isReverse),
    expected,
    `messages with key ${key} in ${from} to ${to}`,
  )
  const type = random.pick([...types, 'none'])
  const filter: Filter = [{ name: 'type', values: [type] }]
  const wanted = offsetsOf((outcome) => outcome.type === type)
  assert.deepEqual(await matching(filter, from, to), wanted, `messages of type ${type} in ${from} to ${to}`)
}
