/** Entry of the reaper thread: opens the log, then looks after its segments. */
import { parentPort, workerData } from 'node:worker_threads'
import type { OffsetRange } from '../src/collections/offset-ranges.js'
import { assert } from '../src/errors.js'
import { ownerLostErrno } from '../src/failures.js'
import { unknownLogId } from '../src/format/log-id.js'
import { copyRange } from '../src/memory/copy-range.js'
import { fileSystemUse } from '../src/memory/file-system.js'
import { FileMemory } from '../src/memory/file-window.js'
import { chooseMemory, missingNative } from '../src/memory/load.js'
import type { MemoryKind } from '../src/memory/memory.js'
import { shrinkHeap } from '../src/memory/shrink-heap.js'
import { loadSystemCalls } from '../src/memory/system-calls.js'
import { ownTask } from '../src/memory/thread-task.js'
import { AbortWord } from '../src/ring/abort-word.js'
import { GroupMailboxes } from '../src/ring/group-mailboxes.js'
import { LaneTable, ownerLane } from '../src/ring/lane-table.js'
import { LoadingWords } from '../src/ring/loading-words.js'
import { openSharedState } from '../src/ring/shared-state.js'
import { SlotTable } from '../src/ring/slot-table.js'
import { TopicCells } from '../src/ring/topic-cells.js'
import type { TopicState } from '../src/storage/append/topic-state.js'
import { ControlFile, readBootId } from '../src/storage/files/control-file.js'
import { nodeDisk } from '../src/storage/files/disk.js'
import { Flusher } from '../src/storage/files/flusher.js'
import { FollowerFolder } from '../src/storage/files/follower-folder.js'
import { FollowerGroups } from '../src/storage/files/follower-groups.js'
import { type Owner, Ownership, takeLocks } from '../src/storage/files/ownership.js'
import { SegmentFiles } from '../src/storage/files/segment-files.js'
import { HandedFooters } from '../src/storage/index/handed-footers.js'
import { discardNewLog } from '../src/storage/life/discard-log.js'
import { createLog, openLog } from '../src/storage/life/open-log.js'
import { journaledAcks } from '../src/storage/read/journaled-acks.js'
import { withPlainReader } from '../src/storage/read/plain-reader.js'
import { RowReader } from '../src/storage/rows/rows.js'
import { serve, transfer } from '../src/threads/control-plane.js'
import { isPassing } from '../src/threads/device-error.js'
import { clearRemains, enterRemains } from '../src/threads/own-remains.js'
import { endOnRejection } from '../src/threads/own-threads.js'
import type {
  OpenedLog,
  OpenRequest,
  ReaperControl,
  ReaperData,
  SegmentPages,
  TakeOverRequest,
} from '../src/threads/protocol.js'
import type { LogRead, ReadAnswer } from '../src/threads/reader/reader.js'
import { EventPost } from '../src/threads/reaper/event-post.js'
import { FollowerConsumption } from '../src/threads/reaper/follower-consumption.js'
import { FollowerDuty } from '../src/threads/reaper/follower-duty.js'
import { GroupKeeper } from '../src/threads/reaper/group-keeper.js'
import { Reaper, type ReaperParts } from '../src/threads/reaper/reaper.js'
import { runReaper } from '../src/threads/reaper/reaper-loop.js'
import { takeOverFiles, takeOverMappings } from '../src/threads/reaper/reaper-takeover.js'
import { prepareTail } from '../src/threads/reaper/segment-maker.js'
import type { StandIn } from '../src/threads/reaper/stand-in.js'

endOnRejection()
const { shared, events, orders } = workerData as ReaperData
const post = new EventPost(events)
const state = openSharedState(shared.state, 'reaper', 'flusher')
const lanes = new LaneTable(shared.lanes)
const application = lanes.open(ownerLane).bell
state.reaperTask.store(ownTask())
const topics = new TopicCells(shared.topics)
const slots = new SlotTable(shared.slots)
const loading = new LoadingWords(shared.loading)
const calls = loading.during(loadSystemCalls)
enterRemains(shared.remains)
const plainMemory = new FileMemory()
let reaper: Reaper | undefined
let groups: GroupKeeper | undefined
let segmentBytes = 0
let id = unknownLogId
let footers = new SharedArrayBuffer(0)
let standIn: StandIn | undefined
let isClosing = false
/** The log was made by this thread. */
let isNew = false

const control: ReaperControl = {
  create({ segmentBytes, locks }) {
    if (!takeLocks(calls, locks)) return false
    isNew = createLog({ disk: nodeDisk, directory: shared.directory, segmentBytes, now: Date.now })
    return true
  },
  async open(request: OpenRequest): Promise<OpenedLog | false> {
    const { locks, readOnly } = request
    clearRemains(shared.remains, calls)
    if (!takeLocks(calls, locks)) return false
    const { directory } = shared
    const log = openLog({ ...request, isNew, disk: nodeDisk, directory, now: Date.now, memory: plainMemory })
    const { recovered, files, epoch, bootId } = log
    footers = recovered.footers
    for (const topic of recovered.topics) {
      topics.next(topic.id).store(topic.next)
      topics.first(topic.id).store(topic.first)
    }
    // The writer begins when it hears of this.
    const writers = openSharedState(shared.state, 'writer')
    writers.published.store(recovered.published)
    writers.publishedTime.store(recovered.tail.time)
    writers.activeSegment.store(recovered.tail.segment)
    state.durable.store(recovered.durable)
    state.indexed.store(recovered.indexed)
    state.trim.store(recovered.trim)
    state.prepared.store(recovered.prepared)
    const owner = new Ownership(locks)
    const keeper = keeperOf(request, files.id, owner)
    let found: ReturnType<GroupKeeper['open']>
    try {
      if (!readOnly) prepareTail({ state, files, calls, epoch, now: Date.now }, recovered.tail)
      found = keeper.open(recovered.topics, readOnly, (journal, from) => readAcks(files, journal, from))
    } catch (error) {
      log.control.close()
      if (log.isNew) discardNewLog(nodeDisk, shared.directory)
      throw error
    }
    const { groups: openedGroups, damages: groupDamages } = found
    const { tail, tornBytes, damages, setAside } = recovered
    const aside = setAside.map((file) => `${file} did not provably belong to the log, and stood in its way`)
    const io = loading.during(() => chooseMemory(shared.io, shared.directory, calls))
    start(request, { files, control: log.control, groups: keeper, owner, epoch, bootId, io })
    return {
      id: files.id,
      segmentBytes: files.segmentBytes,
      epoch,
      io,
      missingNative: io === 'file' && shared.io === 'auto' ? missingNative() : undefined,
      topics: recovered.topics,
      tail,
      footers,
      tornBytes,
      damages,
      groups: openedGroups,
      otherDamages: [...groupDamages, ...aside],
      lockActive: request.lockActive,
      locks,
    }
  },
  async takeOver({ request, opened, groups: known, ...said }: TakeOverRequest): Promise<void> {
    const { id, segmentBytes, epoch, damages, io } = opened
    footers = opened.footers
    const { readOnly, locks } = request
    const owner = new Ownership(locks)
    // Before the control file under that name is written to: it may be another owner's.
    if (!owner.isKept() && state.reaperErrno.load() === 0) state.reaperErrno.store(ownerLostErrno)
    const files = new SegmentFiles(nodeDisk, shared.directory, segmentBytes, id)
    takeOverMappings({ slots, calls })
    const control = ControlFile.open(nodeDisk, shared.directory, readOnly ? 'read' : 'write')
    assert(control !== undefined, 'an open log has its control file')
    const bootId = readBootId()
    const keeper = keeperOf(request, id, owner)
    // A device that has failed before is not asked again.
    if (!readOnly && state.reaperErrno.load() === 0) {
      try {
        await takeOverFiles({ state, disk: nodeDisk, files, control, epoch, bootId, damages })
        await keeper.takeOver(known)
      } catch (error) {
        if (isPassing(error)) throw error
        const { code = 'EIO', errno = 5 } = error as NodeJS.ErrnoException
        state.reaperErrno.store(Math.abs(errno))
        post.emit({ type: 'error', what: 'taking over from a reaper that died', code, errno })
        lanes.bells.ring()
      }
    }
    start(request, { files, control, groups: keeper, owner, epoch, bootId, io }, said)
    // Whoever found the bell unanswered.
    state.writer.ring()
  },
  async trimmed(isAwaited: boolean) {
    if (isAwaited) await reaper?.flushed()
    state.reaper.ring()
  },
  retain(topic, retention) {
    reaper?.retain(topic, retention)
    state.reaper.ring()
  },
  index(topic, index) {
    reaper?.index(topic, index)
    state.reaper.ring()
  },
  segments(limit) {
    return reaper?.segments(limit) ?? Promise.resolve([])
  },
  ownerDied(threadId: number) {
    reaper?.ownerDied(threadId)
    clearRemains(shared.remains, calls)
  },
  residency(): SegmentPages[] {
    const bySegment = new Map<number, SegmentPages>()
    for (const row of slots.rows()) {
      if (row.state !== 'idle' || !slots.pinRow(row)) continue
      const residentPages = calls.residentPages(row.address, row.byteLength)
      slots.unpinQuietly(row.slot)
      const entry = bySegment.get(row.segment) ?? { segment: row.segment, mappings: [] }
      entry.mappings.push({ threadId: row.owner, access: row.access, residentPages })
      bySegment.set(row.segment, entry)
    }
    return [...bySegment.values()].sort((a, b) => a.segment - b.segment)
  },
  async read(task: LogRead): Promise<ReadAnswer> {
    const { StandIn } = await loadStandIn()
    standIn ??= new StandIn({ shared, id, segmentBytes, footers }, state)
    const { answer, buffers } = await standIn.run(task)
    return transfer(answer, buffers)
  },
  createGroup(topic, name, committed, journals): Promise<number> {
    assert(groups !== undefined, 'the log has been opened')
    return groups.create(topic, name, committed, journals)
  },
  async removeGroup(id: number): Promise<void> {
    await groups?.remove(id)
  },
  backup(target: string, abort: SharedArrayBuffer) {
    if (reaper === undefined) throw new Error('a log is opened before it is backed up')
    return reaper.backUp(target, new AbortWord(abort))
  },
  async close(isClean: boolean) {
    isClosing = true
    await reaper?.stop(isClean)
    // Of readers and writer, which have ended by now. Of this thread, the next log's.
    clearRemains(shared.remains, calls)
    state.reaper.ring()
    post.send()
    events.close()
    orders?.close()
    // The answer has to leave first.
    setImmediate(() => parentPort?.close())
  },
}
if (parentPort === null) throw new Error('the reaper runs in a worker thread')
serve(control, parentPort)

const nowMs = () => performance.now()

/** Behind everything that opening needs. */
const settleAfterMs = 1_000
const loadStandIn = () => import('../src/threads/reaper/stand-in.js')

/** What transactions have acknowledged of a group, out of its journal. */
function readAcks(files: SegmentFiles, { id, next }: TopicState, from: number): OffsetRange[] {
  const bounds = {
    published: () => state.published.load(),
    indexed: () => state.indexed.load(),
    trim: () => state.trim.load(),
  }
  const handed = new HandedFooters(footers, files.segmentBytes)
  return withPlainReader({ disk: nodeDisk, files, slots, bounds, handed }, (reader) =>
    journaledAcks(reader, id, from, next),
  )
}

function keeperOf({ flushIntervalMs }: OpenRequest, logId: string, owner: Owner): GroupKeeper {
  const { directory } = shared
  const mailboxes = new GroupMailboxes(shared.groups)
  return new GroupKeeper({
    state,
    application,
    mailboxes,
    disk: nodeDisk,
    directory,
    logId,
    owner,
    flushIntervalMs,
    nowMs,
    // Before there is a reaper the opening fails with it.
    onFailure: (error) => reaper?.groupsFailed(error),
  })
}

interface Begun extends Pick<ReaperParts, 'files' | 'control' | 'groups' | 'owner' | 'epoch' | 'bootId'> {
  io: MemoryKind
}

/** What was said of topics since the log was opened. */
type Said = Pick<TakeOverRequest, 'retained' | 'indexed'>

function start(request: OpenRequest, { io, ...begun }: Begun, said: Said = { retained: [], indexed: [] }): void {
  const { readOnly, mapTtlMs, flushIntervalMs, retention, diskWatermarks, lockActive, compress } = request
  const keeper = begun.groups
  ;({ id, segmentBytes } = begun.files)
  const folder = new FollowerFolder(nodeDisk, shared.directory, calls)
  const elsewhere = new FollowerConsumption(new FollowerGroups(nodeDisk, shared.directory, id, calls), nowMs)
  const followers = readOnly ? undefined : new FollowerDuty({ state, folder, nowMs })
  // Before anything is appended: who follows already hears of the first publication.
  if (state.reaperErrno.load() === 0) followers?.tend()
  const clockwork = new Reaper({
    ...begun,
    directory: shared.directory,
    followers,
    state,
    lanes,
    slots,
    disk: nodeDisk,
    plainMemory,
    rows: new RowReader(shared.rows),
    calls,
    copy: (from, to, at, length) => copyRange(from.descriptor, to.descriptor, at, length),
    flusher: new Flusher(nodeDisk, begun.files, slots, calls),
    readOnly,
    mayRetireTail: io === 'koffi',
    mapTtlMs,
    flushIntervalMs,
    nowMs,
    rest: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    firstReadable: (topic) => topics.first(topic).load(),
    nextOffset: (topic) => topics.next(topic).load(),
    retention,
    diskWatermarks,
    lockActive,
    compress,
    consumedTo: (topic, name) => elsewhere.consumedTo(name, keeper.consumedTo(topic)),
    beforeConsumedTrim: () => {
      keeper.beforeConsumedTrim()
      elsewhere.beforeConsumedTrim()
    },
    diskUse: () => fileSystemUse(shared.directory),
    now: Date.now,
    send: (order) => orders?.postMessage(order),
    emit: post.emit,
    shrinkHeap,
  })
  for (const [topic, policy] of said.retained) clockwork.retain(topic, policy)
  for (const [topic, index] of said.indexed) clockwork.index(topic, index)
  reaper = clockwork
  groups = keeper
  const turn = () => new Promise(setImmediate)
  void runReaper({ state, reaper: clockwork, turn, isClosing: () => isClosing })
  setTimeout(settle, settleAfterMs).unref()
}

/** Makes ready for a reader's death, when whoever reads would wait for it; and gives back what all that loading has left. */
async function settle(): Promise<void> {
  // Who asks meets the error again.
  await loadStandIn().catch(() => {})
  await shrinkHeap()
  calls.releaseFreeMemory()
}
