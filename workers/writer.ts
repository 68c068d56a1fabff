/** Entry of the writer thread. */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { assert } from '../src/errors.js'
import { unknownLogId } from '../src/format/log-id.js'
import { maxSlots } from '../src/limits.js'
import { FileMemory } from '../src/memory/file-window.js'
import { loadMemory } from '../src/memory/load.js'
import { loadMmapIo } from '../src/memory/mmap-io-package.js'
import { shrinkHeap } from '../src/memory/shrink-heap.js'
import { loadSystemCalls } from '../src/memory/system-calls.js'
import { ownTask } from '../src/memory/thread-task.js'
import { RingConsumer, RingMemory } from '../src/ring/append-ring.js'
import { BatchTimes } from '../src/ring/batch-times.js'
import { GroupMailboxes } from '../src/ring/group-mailboxes.js'
import { LaneTable, ownerLane } from '../src/ring/lane-table.js'
import type { LaneWords } from '../src/ring/lane-words.js'
import { LoadingWords } from '../src/ring/loading-words.js'
import { openSharedState } from '../src/ring/shared-state.js'
import { SlotTable } from '../src/ring/slot-table.js'
import { Spin } from '../src/ring/spin.js'
import { TopicCells } from '../src/ring/topic-cells.js'
import { LogTail } from '../src/storage/append/log-tail.js'
import { BellFile } from '../src/storage/files/bell-file.js'
import { nodeDisk } from '../src/storage/files/disk.js'
import { Flusher } from '../src/storage/files/flusher.js'
import { GroupFile } from '../src/storage/files/group-file.js'
import { Ownership } from '../src/storage/files/ownership.js'
import { SegmentFiles } from '../src/storage/files/segment-files.js'
import { SegmentWindows } from '../src/storage/files/segment-windows.js'
import { unpackIds } from '../src/storage/read/packed-ids.js'
import { withPlainReader } from '../src/storage/read/plain-reader.js'
import { recallIds as recallIdsOf } from '../src/storage/read/recalled-ids.js'
import { RowWriter } from '../src/storage/rows/rows.js'
import { serve } from '../src/threads/control-plane.js'
import { enterRemains } from '../src/threads/own-remains.js'
import { endOnRejection } from '../src/threads/own-threads.js'
import type { OpenedLog, Order, WriterControl, WriterData } from '../src/threads/protocol.js'
import { BellRinger } from '../src/threads/writer/bell-ringer.js'
import { BulkPort } from '../src/threads/writer/bulk-port.js'
import { CommitWriter } from '../src/threads/writer/commit-writer.js'
import { LaneIntake } from '../src/threads/writer/lane-intake.js'
import { LaneTurns } from '../src/threads/writer/lane-turns.js'
import { LoneFlush } from '../src/threads/writer/lone-flush.js'
import { Writer } from '../src/threads/writer/writer.js'
import { runWriter } from '../src/threads/writer/writer-loop.js'

endOnRejection()
const { shared, bulk, orders: firstOrders } = workerData as WriterData
/** From the reaper of the moment. */
let orders = firstOrders
const state = openSharedState(shared.state, 'writer', 'flusher')
const lanes = new LaneTable(shared.lanes)
const ownerWords = lanes.open(ownerLane, 'writer')
state.writerTask.store(ownTask())
const commits = new CommitWriter({
  state,
  application: ownerWords.bell,
  mailboxes: new GroupMailboxes(shared.groups),
  openFile: () => GroupFile.open(nodeDisk, shared.directory, logId, 'write'),
})
const loading = new LoadingWords(shared.loading)
const calls = loading.during(loadSystemCalls)
enterRemains(shared.remains)
const turns = new LaneTurns(lanes, intakeOf(ownerWords, shared.ring, bulk, new BatchTimes(shared.times)))
let isClosing = false
/** Known when the log is open, and so before anything commits. */
let logId = unknownLogId
let writer: Writer | undefined
let loneFlush: LoneFlush | undefined

const control: WriterControl = {
  start(opened: OpenedLog) {
    logId = opened.id
    const files = new SegmentFiles(nodeDisk, shared.directory, opened.segmentBytes, logId)
    const slots = new SlotTable(shared.slots)
    const memory = loadMemory(opened.io, calls)
    const windows = new SegmentWindows(memory, new FileMemory(), files, slots, 'write', maxSlots / 4)
    const { tail: from, topics: known, epoch, lockActive } = opened
    const allocatedTo = () => state.allocated.load()
    const rows = new RowWriter(shared.rows)
    const tail = new LogTail({
      files,
      windows,
      tail: from,
      topics: known,
      rows,
      epoch,
      now: Date.now,
      mapsAlways: lockActive,
      allocatedTo,
    })
    const topics = new TopicCells(shared.topics)
    const owner = new Ownership(opened.locks)
    const openBell = () => BellFile.forRinging(nodeDisk, shared.directory, logId)
    const bell = new BellRinger({ state, epoch, openBell })
    const bounds = {
      published: () => state.published.load(),
      indexed: () => state.indexed.load(),
      trim: () => state.trim.load(),
    }
    const recallIds = (topic: number, since: number) =>
      withPlainReader({ disk: nodeDisk, files, slots, bounds }, (reader) =>
        recallIdsOf(reader, topic, tail.first(topic), tail.next(topic), since),
      )
    const flusher = new Flusher(nodeDisk, files, slots, calls)
    loneFlush = new LoneFlush({ state, lanes, files, flusher, owner, nowMs: () => performance.now() })
    const common = { state, lanes, turns, topics, tail, rows, files, commits, owner, bell, loneFlush, takeOrder }
    writer = new Writer({ ...common, recallIds, now: Date.now })
    // Should the thread end early, mmap-io's finalizers unmap its ranges: the reaper must not touch them any more.
    process.once('exit', () => windows.forgetAll())
    void run(writer, windows)
  },
  trim(topic: number, before: number) {
    assert(writer !== undefined, 'the writer has been started')
    writer.trim(topic, before)
  },
  learnIds(topic, span, part, packed) {
    assert(writer !== undefined, 'the writer has been started')
    writer.learnIds(topic, span, part, unpackIds(packed))
  },
  meetReaper(nextOrders: MessagePort) {
    assert(writer !== undefined, 'the writer has been started')
    writer.meetReaper()
    orders.close()
    orders = nextOrders
  },
  attach(lane: number, memory: SharedArrayBuffer, port: MessagePort) {
    turns.attach(intakeOf(lanes.open(lane, 'writer'), memory, port))
  },
  close() {
    isClosing = true
  },
}
if (parentPort === null) throw new Error('the writer runs in a worker thread')
serve(control, parentPort)
// Takes longer than all the rest, and it is the time now in which the reaper opens the log.
if (shared.io !== 'file') loading.during(loadMmapIo)

async function run(writer: Writer, windows: SegmentWindows): Promise<void> {
  const spin = new Spin(
    state.writer,
    () => writer.hasWork,
    () => calls.yieldProcessor(),
  )
  const turn = () => new Promise(setImmediate)
  await runWriter({ state, writer, windows, spin, shrinkHeap, turn, isClosing: () => isClosing })
  windows.closeAll()
  commits.close()
  loneFlush?.close()
  for (const lane of turns) lane.close()
  orders.close()
  parentPort?.close()
}

/** @param times where somebody looks for the newest messages in the ring */
function intakeOf(
  words: LaneWords<'writer'>,
  memory: SharedArrayBuffer,
  port: MessagePort,
  times?: BatchTimes,
): LaneIntake {
  const ring = new RingConsumer(new RingMemory(memory), words.ringTail, words.ringHead)
  return new LaneIntake({ words, ring, times, bulk: new BulkPort(port) })
}

function takeOrder(): Order {
  const received = receiveMessageOnPort(orders) as { message: Order } | undefined
  assert(received !== undefined, 'an order is sent before it is announced')
  return received.message
}
