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
import { openLane, ownerLane } from '../src/ring/lane-words.js'
import { openSharedState } from '../src/ring/shared-state.js'
import { SlotTable } from '../src/ring/slot-table.js'
import { Spin } from '../src/ring/spin.js'
import { TopicCells } from '../src/ring/topic-cells.js'
import { LogTail } from '../src/storage/append/log-tail.js'
import { BellFile } from '../src/storage/files/bell-file.js'
import { nodeDisk } from '../src/storage/files/disk.js'
import { GroupFile } from '../src/storage/files/group-file.js'
import { Ownership } from '../src/storage/files/ownership.js'
import { SegmentFiles } from '../src/storage/files/segment-files.js'
import { SegmentWindows } from '../src/storage/files/segment-windows.js'
import { serve } from '../src/threads/control-plane.js'
import { enterRemains } from '../src/threads/own-remains.js'
import { endOnRejection } from '../src/threads/own-threads.js'
import type { OpenedLog, Order, WriterControl, WriterData } from '../src/threads/protocol.js'
import { BellRinger } from '../src/threads/writer/bell-ringer.js'
import { CommitWriter } from '../src/threads/writer/commit-writer.js'
import { Writer } from '../src/threads/writer/writer.js'
import { runWriter } from '../src/threads/writer/writer-loop.js'

endOnRejection()
const { shared, bulk, orders: firstOrders } = workerData as WriterData
/** From the reaper of the moment. */
let orders = firstOrders
const state = openSharedState(shared.state, 'writer')
const lane = openLane(shared.lanes, ownerLane, 'writer')
state.writerTask.store(ownTask())
const commits = new CommitWriter({
  state,
  application: lane.bell,
  mailboxes: new GroupMailboxes(shared.groups),
  openFile: () => GroupFile.open(nodeDisk, shared.directory, logId, 'write'),
})
const calls = loadSystemCalls()
enterRemains(shared.remains)
const ring = new RingConsumer(new RingMemory(shared.ring), lane.ringTail, lane.ringHead)
let isClosing = false
/** Known when the log is open, and so before anything commits. */
let logId = unknownLogId
let writer: Writer | undefined

const control: WriterControl = {
  start(opened: OpenedLog) {
    logId = opened.id
    const files = new SegmentFiles(nodeDisk, shared.directory, opened.segmentBytes, logId)
    const slots = new SlotTable(shared.slots)
    const memory = loadMemory(opened.io, calls)
    const windows = new SegmentWindows(memory, new FileMemory(), files, slots, 'write', maxSlots / 4)
    const { tail: from, topics: known, epoch, lockActive } = opened
    const allocatedTo = () => state.allocated.load()
    const tail = new LogTail(files, windows, from, known, epoch, Date.now, lockActive, allocatedTo)
    const topics = new TopicCells(shared.topics)
    const times = new BatchTimes(shared.times)
    const owner = new Ownership(opened.locks)
    const takeBulk = bulkTaker()
    const openBell = () => BellFile.forRinging(nodeDisk, shared.directory, logId)
    const bell = new BellRinger({ state, epoch, openBell })
    writer = new Writer({ state, lane, ring, topics, times, tail, files, commits, owner, bell, takeBulk, takeOrder })
    // Should the thread end early, mmap-io's finalizers unmap its ranges: the reaper must not touch them any more.
    process.once('exit', () => windows.forgetAll())
    void run(writer, windows)
  },
  trim(topic: number, before: number) {
    assert(writer !== undefined, 'the writer has been started')
    writer.trim(topic, before)
  },
  meetReaper(nextOrders: MessagePort) {
    assert(writer !== undefined, 'the writer has been started')
    writer.meetReaper()
    orders.close()
    orders = nextOrders
  },
  close() {
    isClosing = true
  },
}
if (parentPort === null) throw new Error('the writer runs in a worker thread')
serve(control, parentPort)
// Takes longer than all the rest, and it is the time now in which the reaper opens the log.
if (shared.io !== 'file') loadMmapIo()

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
  bulk.close()
  orders.close()
  parentPort?.close()
}

function takeOrder(): Order {
  const received = receiveMessageOnPort(orders) as { message: Order } | undefined
  assert(received !== undefined, 'an order is sent before it is announced')
  return received.message
}

/** Bulk frames by number: an awaited one may be refused while an earlier one still waits for its turn. */
function bulkTaker(): (id: number) => Uint8Array {
  const early = new Map<number, Uint8Array>()
  return (id) => {
    let frames = early.get(id)
    while (frames === undefined) {
      const received = receiveMessageOnPort(bulk) as { message: { id: number; frames: Uint8Array } } | undefined
      assert(received !== undefined, 'bulk frames are sent before the ring announces them')
      if (received.message.id === id) frames = received.message.frames
      else early.set(received.message.id, received.message.frames)
    }
    early.delete(id)
    return frames
  }
}
