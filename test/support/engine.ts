/** Writer and reaper in one thread, driven by hand: what the dispatcher and the two workers do, without their loops. */
import { threadId } from 'node:worker_threads'
import { writePaddingFrame } from '../../src/format/frame-encoder.js'
import { frameBytes, frameFlag, frameWord, kindOf, offsetOf } from '../../src/format/frame-layout.js'
import { indexQuietMs } from '../../src/limits.js'
import { RingConsumer, RingMemory, RingProducer } from '../../src/ring/append-ring.js'
import { BatchTimes } from '../../src/ring/batch-times.js'
import type { GroupMailboxes } from '../../src/ring/group-mailboxes.js'
import { SlotTable } from '../../src/ring/slot-table.js'
import { TopicCells } from '../../src/ring/topic-cells.js'
import { LogTail } from '../../src/storage/append/log-tail.js'
import { BellFile } from '../../src/storage/files/bell-file.js'
import type { ControlFile } from '../../src/storage/files/control-file.js'
import { Flusher } from '../../src/storage/files/flusher.js'
import type { Owner } from '../../src/storage/files/ownership.js'
import type { SegmentFiles } from '../../src/storage/files/segment-files.js'
import { SegmentWindows } from '../../src/storage/files/segment-windows.js'
import { Catalog } from '../../src/storage/index/catalog.js'
import { HandedFooters } from '../../src/storage/index/handed-footers.js'
import { openLog } from '../../src/storage/life/open-log.js'
import type { Recovered } from '../../src/storage/life/recovery.js'
import { journaledAcks } from '../../src/storage/read/journaled-acks.js'
import { recallIds } from '../../src/storage/read/recalled-ids.js'
import { TopicReader } from '../../src/storage/read/topic-reader.js'
import { allocateRows, RowReader, RowWriter } from '../../src/storage/rows/rows.js'
import type { OpenedGroup, Order } from '../../src/threads/protocol.js'
import type { GroupKeeper } from '../../src/threads/reaper/group-keeper.js'
import { Reaper, type ReaperParts } from '../../src/threads/reaper/reaper.js'
import type { ReaperEvent } from '../../src/threads/reaper/reaper-event.js'
import { prepareTail } from '../../src/threads/reaper/segment-maker.js'
import { BellRinger } from '../../src/threads/writer/bell-ringer.js'
import { LaneIntake } from '../../src/threads/writer/lane-intake.js'
import { LaneTurns } from '../../src/threads/writer/lane-turns.js'
import { LoneFlush } from '../../src/threads/writer/lone-flush.js'
import { Writer } from '../../src/threads/writer/writer.js'
import { groupOf, putFrame, runOf, sizeOf, type TestFrame } from './frames.js'
import { groupKeeping } from './group-keeping.js'
import { type SharedWords, sharedWords } from './shared-words.js'
import { bootA, testSegmentBytes } from './storage-log.js'
import { soleOwner, type World } from './worlds.js'

export interface EngineOptions {
  bootId?: string
  segmentBytes?: number
  ringBytes?: number
  /** A power of two. */
  rowBytes?: number
  mapTtlMs?: number
  flushIntervalMs?: number
  /** Overrides parts of the reaper: clocks, policies, groups. */
  reaper?: Partial<ReaperParts>
  /** The mutant: `durable` says what is published, flushed or not. */
  acknowledgesEarly?: boolean
  owner?: Owner
  /** The writer flushes lone messages itself; else each flush is the reaper's, and comes when that tends. */
  flushesLone?: boolean
  /** The writer's wall clock. */
  writerNow?: () => number
  /** Called before every step of a backup. */
  beforeCopy?: () => Promise<void>
}

export class Engine {
  readonly world: World
  readonly files: SegmentFiles
  readonly recovered: Recovered
  readonly state: SharedWords['state']
  readonly lanes: SharedWords['lanes']
  readonly lane: SharedWords['lane']
  readonly slots: SlotTable
  /** For threads of a test's own. */
  readonly slotsMemory: SharedArrayBuffer
  readonly cellMemory = TopicCells.allocate()
  readonly cells: TopicCells
  /** Another lane is attached here. */
  readonly turns: LaneTurns
  readonly producer: RingProducer
  readonly consumer: RingConsumer
  readonly tail: LogTail
  /** As the reaper has them. */
  readonly rows: RowReader
  readonly writer: Writer
  readonly reaper: Reaper
  readonly reader: TopicReader
  readonly catalog: Catalog
  readonly tailWindows: SegmentWindows
  readonly readWindows: SegmentWindows
  readonly control: ControlFile
  readonly mailboxes: GroupMailboxes
  readonly groups: GroupKeeper
  readonly openedGroups: OpenedGroup[]
  readonly groupDamages: string[]
  readonly events: ReaperEvent[] = []
  readonly #reaperParts: ReaperParts
  readonly #bulks = new Map<number, Uint8Array>()
  readonly times = new BatchTimes(BatchTimes.allocate())
  readonly orders: Order[] = []
  #bulkId = 0
  #elapsedMs = 0

  constructor(world: World, options: EngineOptions = {}) {
    const { bootId = bootA, segmentBytes = testSegmentBytes, ringBytes = 1 << 18 } = options
    const { disk, directory, calls, plainMemory } = world
    const { now = Date.now } = options.reaper ?? {}
    this.world = world
    // As an owner does: what it refuses to open is not opened here, and not made anew.
    const common = { disk, directory, segmentBytes, readOnly: false, memory: plainMemory, bootId }
    const { control, files, recovered, epoch } = openLog({ ...common, now: () => 1 })
    this.control = control
    this.files = files
    this.recovered = recovered
    const logId = control.identity.id
    const { published, durable, trim, tail, topics } = recovered

    const words = sharedWords()
    this.state = words.state
    this.lane = words.lane
    const { state, lanes, lane } = words
    this.lanes = lanes
    this.cells = new TopicCells(this.cellMemory)
    for (const topic of topics) {
      this.cells.next(topic.id).store(topic.next)
      this.cells.first(topic.id).store(topic.first)
    }
    state.published.store(published)
    state.publishedTime.store(tail.time)
    state.durable.store(durable)
    state.indexed.store(recovered.indexed)
    state.trim.store(trim)
    state.prepared.store(recovered.prepared)
    state.activeSegment.store(tail.segment)
    prepareTail({ state, files, calls, epoch, now }, tail)

    const ring = RingMemory.allocate(ringBytes)
    this.producer = new RingProducer(new RingMemory(ring), lane.ringTail, lane.ringHead)
    this.consumer = new RingConsumer(new RingMemory(ring), lane.ringTail, lane.ringHead)
    this.slotsMemory = SlotTable.allocate()
    this.slots = new SlotTable(this.slotsMemory)
    this.tailWindows = new SegmentWindows(world.memory, plainMemory, files, this.slots, 'write', 256)
    this.readWindows = new SegmentWindows(world.memory, plainMemory, files, this.slots, 'read', 4)
    const allocatedTo = () => state.allocated.load()
    const rows = allocateRows(options.rowBytes ?? 1 << 16)
    const rowWriter = new RowWriter(rows)
    this.rows = new RowReader(rows)
    this.tail = new LogTail({
      files,
      windows: this.tailWindows,
      tail,
      topics,
      rows: rowWriter,
      epoch,
      now,
      allocatedTo,
    })
    const flushIntervalMs = options.flushIntervalMs ?? 3_600_000
    // Its own: how quick the machine is decides nothing.
    const nowMs = () => this.#elapsedMs
    const { owner = soleOwner } = options
    const onFailure = (error: unknown) => this.reaper.groupsFailed(error)
    const keeping = groupKeeping({ words, disk, directory, logId, owner, flushIntervalMs, nowMs, onFailure })
    this.mailboxes = keeping.mailboxes
    this.groups = keeping.keeper
    const bounds = {
      published: () => state.published.load(),
      indexed: () => state.indexed.load(),
      trim: () => state.trim.load(),
    }
    const handed = new HandedFooters(recovered.footers, files.segmentBytes)
    this.catalog = new Catalog(disk, files, this.readWindows, bounds, handed)
    this.reader = new TopicReader(files, this.readWindows, this.catalog, bounds)
    const opened = this.groups.open(topics, false, ({ id, next }, from) => journaledAcks(this.reader, id, from, next))
    this.openedGroups = opened.groups
    this.groupDamages = opened.damages
    const takeBulk = (id: number) => {
      const frames = this.#bulks.get(id)
      if (frames === undefined) throw new Error(`bulk ${id} was taken before or never sent`)
      this.#bulks.delete(id)
      return frames
    }
    const bulk = { take: takeBulk, close: () => {} }
    const intake = new LaneIntake({ words: lane, ring: this.consumer, times: this.times, bulk })
    this.turns = new LaneTurns(lanes, intake)
    this.writer = new Writer({
      state,
      lanes,
      turns: this.turns,
      topics: this.cells,
      tail: this.tail,
      rows: rowWriter,
      files,
      commits: keeping.writer,
      owner,
      loneFlush: options.flushesLone === true ? this.#loneFlush(owner, nowMs) : { flush: () => false, close: () => {} },
      bell: new BellRinger({ state, epoch, openBell: () => BellFile.forRinging(disk, directory, logId) }),
      recallIds: (topic, since) => recallIds(this.reader, topic, this.tail.first(topic), this.tail.next(topic), since),
      now: options.writerNow ?? Date.now,
      takeOrder: () => {
        const order = this.orders.shift()
        if (order === undefined) throw new Error('an order is sent before it is announced')
        return order
      },
    })
    if (options.acknowledgesEarly === true) Object.assign(state, { durable: lyingCell(state) })
    this.#reaperParts = {
      directory,
      copy: async (from, to, at, length) => {
        await options.beforeCopy?.()
        to.write(at, from.read(at, length))
      },
      state,
      lanes,
      slots: this.slots,
      disk,
      files,
      plainMemory,
      rows: this.rows,
      calls,
      flusher: new Flusher(disk, files, this.slots, calls),
      control: this.control,
      groups: this.groups,
      owner,
      epoch,
      bootId,
      readOnly: false,
      mayRetireTail: true,
      mapTtlMs: options.mapTtlMs ?? 3_600_000,
      flushIntervalMs,
      nowMs,
      rest: () => new Promise(setImmediate),
      firstReadable: (topic) => this.cells.first(topic).load(),
      nextOffset: (topic) => this.cells.next(topic).load(),
      retention: {},
      diskWatermarks: {},
      lockActive: false,
      compress: undefined,
      consumedTo: (topic) => this.groups.consumedTo(topic),
      beforeConsumedTrim: () => this.groups.beforeConsumedTrim(),
      diskUse: () => 0,
      now: Date.now,
      send: (order) => this.orders.push(order),
      shrinkHeap: () => {},
      ...options.reaper,
      emit: (event) => this.events.push(event),
    }
    this.reaper = new Reaper(this.#reaperParts)
  }

  #loneFlush(owner: Owner, nowMs: () => number): LoneFlush {
    const { state, lanes, files, world } = this
    const flusher = new Flusher(world.disk, files, this.slots, world.calls)
    return new LoneFlush({ state, lanes, files, flusher, owner, nowMs })
  }

  /** One that knows nothing of what the other had in mind. */
  nextReaper(parts: Partial<ReaperParts> = {}): Reaper {
    const { disk, calls } = this.world
    const flusher = new Flusher(disk, this.files, this.slots, calls)
    return new Reaper({ ...this.#reaperParts, flusher, ...parts })
  }

  /** As the dispatcher does: a run of frames without a gap, handed over. Returns its place in the ring; -1: no room. */
  offer(frames: readonly TestFrame[]): number {
    const { producer } = this
    const at = producer.place(frames.reduce((sum, frame) => sum + sizeOf(frame), 0))
    if (at < 0) return -1
    let next = at
    for (const frame of frames) next = putFrame(producer.memory.bytes, producer.memory.words, next, frame)
    producer.advance(next - at)
    this.publish()
    return at
  }

  /** Hands over what the ring holds. */
  publish(): void {
    this.producer.publish()
    this.lanes.dirty.add(this.lane.number)
  }

  /** A single frame that somebody waits for. */
  append(topic: number, value: Uint8Array): number {
    return this.offer([{ topic, value, flags: frameFlag.awaited }])
  }

  appendGroup(topic: number, values: readonly Uint8Array[]): number {
    return this.offer(groupOf(topic, values, frameFlag.awaited))
  }

  /** Frames that go past the ring, with a placeholder in it. */
  appendBulk(topic: number, values: readonly Uint8Array[]): number {
    const { bytes } = runOf(groupOf(topic, values))
    this.#bulkId += 1
    this.#bulks.set(this.#bulkId, bytes)
    const at = this.producer.place(frameBytes(8))
    const { words } = this.producer.memory
    words[at >>> 2] = 8
    words[(at >>> 2) + 1] = 0
    words[(at >>> 2) + 3] = (4 << 16) | (frameFlag.awaited << 24)
    words[(at >>> 2) + 4] = this.#bulkId
    words[(at >>> 2) + 5] = bytes.length
    this.producer.advance(frameBytes(8))
    this.publish()
    return at
  }

  get bulksUntaken(): number {
    return this.#bulks.size
  }

  kindAt(at: number): number {
    return kindOf(this.producer.memory.words[(at >>> 2) + frameWord.tail])
  }

  /** The offset that the writer has stamped into the frame. */
  offsetAt(at: number): number {
    const { words } = this.producer.memory
    return offsetOf(words[(at >>> 2) + frameWord.offsetLow], words[(at >>> 2) + frameWord.tail])
  }

  /** For the reaper and the groups: by default long enough for what waits for a pause. */
  letTimePass(ms = indexQuietMs): void {
    this.#elapsedMs += ms
  }

  /** Lets writer and reaper do everything they can; for the reaper, time passes. */
  async settle(rounds = 12): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      this.letTimePass()
      this.writer.doWork()
      this.reaper.tend()
      await new Promise(setImmediate)
    }
  }

  /** As a flush at level disk does: an empty frame, which the writer takes, and the wish for what is before it. */
  requestFlush(): void {
    const { producer, lane } = this
    const at = producer.place(frameBytes(0))
    if (at < 0) return
    writePaddingFrame(producer.memory.words, at, 0)
    producer.advance(frameBytes(0))
    lane.flushWished.store(producer.tail)
    this.publish()
    this.writer.doWork()
  }

  async flush(): Promise<void> {
    this.writer.doWork()
    this.requestFlush()
    await this.settle()
  }

  /**
   * Behind the last of what the reaper has under way: a flush holds its window until the device has answered, and whoever closes that
   * window waits without giving the thread away, which is the reaper's as well here.
   */
  async closeWindows(): Promise<void> {
    const isHeld = () => [...this.slots.rows()].some(({ owner, pins }) => owner === threadId && pins > 0)
    while (isHeld()) await new Promise((resolve) => setTimeout(resolve, 1))
    this.tailWindows.closeAll()
    this.readWindows.closeAll()
  }
}

function lyingCell(state: SharedWords['state']): SharedWords['state']['durable'] {
  return { load: () => state.published.load(), store() {} } as unknown as SharedWords['state']['durable']
}
