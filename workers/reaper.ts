/** Entry of the reaper thread: opens the log, then looks after its segments. */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../src/errors.js'
import { maxSleepMs } from '../src/limits.js'
import { copyRange } from '../src/memory/copy-range.js'
import { fileSystemUse } from '../src/memory/file-system.js'
import { FileMemory } from '../src/memory/file-window.js'
import { chooseMemory } from '../src/memory/load.js'
import { loadSystemCalls } from '../src/memory/system-calls.js'
import { AbortWord } from '../src/ring/abort-word.js'
import { GroupMailboxes } from '../src/ring/group-mailboxes.js'
import { openSharedState } from '../src/ring/shared-state.js'
import { SlotTable } from '../src/ring/slot-table.js'
import { TopicCells } from '../src/ring/topic-cells.js'
import { nodeDisk } from '../src/storage/disk.js'
import { Flusher } from '../src/storage/flusher.js'
import { openLog } from '../src/storage/open-log.js'
import { serve } from '../src/threads/control-plane.js'
import { GroupKeeper } from '../src/threads/group-keeper.js'
import type { OpenedLog, OpenRequest, ReaperControl, ReaperData, SegmentPages } from '../src/threads/protocol.js'
import { Reaper } from '../src/threads/reaper.js'

const { shared, events, orders } = workerData as ReaperData
const state = openSharedState(shared.state)
const topics = new TopicCells(shared.topics)
const slots = new SlotTable(shared.slots)
const calls = loadSystemCalls()
let reaper: Reaper | undefined
let groups: GroupKeeper | undefined
let isClosing = false

const control: ReaperControl = {
  async open(request: OpenRequest): Promise<OpenedLog | false> {
    const { lockDescriptor, readOnly } = request
    if (lockDescriptor >= 0 && !calls.lock(lockDescriptor)) return false
    const plainMemory = new FileMemory()
    const log = openLog({ ...request, disk: nodeDisk, directory: shared.directory, now: Date.now, memory: plainMemory })
    const { recovered, files, epoch, bootId } = log
    for (const topic of recovered.topics) {
      topics.next(topic.id).store(topic.next)
      topics.first(topic.id).store(topic.first)
    }
    state.published.store(recovered.published)
    state.publishedTime.store(recovered.tail.time)
    state.durable.store(recovered.durable)
    state.indexed.store(recovered.indexed)
    state.trim.store(recovered.trim)
    state.prepared.store(recovered.prepared)
    state.activeSegment.store(recovered.tail.segment)
    // The one thing an empty log must have before the first append; on a full disk this is where opening fails.
    if (!readOnly && recovered.prepared < recovered.tail.segment) {
      files.create(recovered.tail.segment, epoch, Date.now(), calls)
      state.prepared.store(recovered.tail.segment)
    }
    const nowMs = () => performance.now()
    const { flushIntervalMs } = request
    const keeper = new GroupKeeper({
      state,
      mailboxes: new GroupMailboxes(shared.groups),
      disk: nodeDisk,
      directory: shared.directory,
      flushIntervalMs,
      nowMs,
    })
    groups = keeper
    const { groups: openedGroups, damages: groupDamages } = keeper.open(recovered.topics, readOnly)
    reaper = new Reaper({
      directory: shared.directory,
      state,
      slots,
      disk: nodeDisk,
      files,
      plainMemory,
      calls,
      copy: (from, to, at, length) => copyRange(from.descriptor, to.descriptor, at, length),
      flusher: new Flusher(nodeDisk, files, slots, calls),
      control: log.control,
      groups: keeper,
      epoch,
      bootId,
      readOnly,
      mapTtlMs: request.mapTtlMs,
      flushIntervalMs,
      nowMs,
      firstReadable: (topic) => topics.first(topic).load(),
      nextOffset: (topic) => topics.next(topic).load(),
      retention: request.retention,
      diskWatermarks: request.diskWatermarks,
      lockActive: request.lockActive,
      consumedTo: (topic) => keeper.consumedTo(topic),
      beforeConsumedTrim: () => keeper.beforeConsumedTrim(),
      diskUse: () => fileSystemUse(shared.directory),
      now: Date.now,
      send: (order) => orders?.postMessage(order),
      emit: (event) => events.postMessage(event),
    })
    void run(reaper)
    const { tail, tornBytes, damages } = recovered
    const io = chooseMemory(shared.io, shared.directory, calls)
    return {
      segmentBytes: files.segmentBytes,
      epoch,
      io,
      topics: recovered.topics,
      tail,
      tornBytes,
      damages,
      groups: openedGroups,
      groupDamages,
    }
  },
  trimmed() {
    state.reaper.ring()
  },
  retain(topic, retention, isAddition) {
    reaper?.retain(topic, retention, isAddition)
    state.reaper.ring()
  },
  segments(limit) {
    return reaper?.segments(limit) ?? Promise.resolve([])
  },
  ownerDied(threadId: number) {
    reaper?.ownerDied(threadId)
  },
  residency(): SegmentPages[] {
    const bySegment = new Map<number, SegmentPages>()
    for (const row of slots.rows()) {
      if (row.state !== 'idle' || !slots.pin(row.slot)) continue
      const residentPages = calls.residentPages(row.address, row.byteLength)
      slots.unpinQuietly(row.slot)
      const entry = bySegment.get(row.segment) ?? { segment: row.segment, mappings: [] }
      entry.mappings.push({ threadId: row.owner, access: row.access, residentPages })
      bySegment.set(row.segment, entry)
    }
    return [...bySegment.values()].sort((a, b) => a.segment - b.segment)
  },
  createGroup(topic: string, name: string, committed: number): Promise<number> {
    assert(groups !== undefined, 'the log has been opened')
    return groups.create(topic, name, committed)
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
    state.reaper.ring()
    events.close()
    orders?.close()
    // The answer has to leave first.
    setImmediate(() => parentPort?.close())
  },
}
if (parentPort === null) throw new Error('the reaper runs in a worker thread')
serve(control, parentPort)

/** Tends the log on every bell and when its own clock says so. */
async function run(clockwork: Reaper): Promise<void> {
  while (!isClosing) {
    // Announce sleep before looking: work that comes while tending rings the bell that is waited on below.
    const token = state.reaper.arm()
    const pauseMs = Math.min(clockwork.tend(), maxSleepMs)
    if (pauseMs === 0) await new Promise(setImmediate)
    else await state.reaper.waitAsync(token, pauseMs)
  }
}
