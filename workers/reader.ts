/** Entry of a reader thread: a piscina worker that answers read tasks. */
import { type MessagePort, parentPort } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina'
import { loadMemory } from '../src/memory/load.js'
import { shrinkHeap } from '../src/memory/shrink-heap.js'
import { loadSystemCalls } from '../src/memory/system-calls.js'
import { LaneTable, ownerLane } from '../src/ring/lane-table.js'
import { LoadingWords } from '../src/ring/loading-words.js'
import { openSharedState } from '../src/ring/shared-state.js'
import { enterRemains } from '../src/threads/own-remains.js'
import type { HandlerMeans, HandlerSetting, LineWish } from '../src/threads/reader/handler.js'
import type { ReadTask } from '../src/threads/reader/reader.js'
import { watchRetirements } from '../src/threads/reader/reader-loop.js'
import { Reading } from '../src/threads/reader/reading.js'
import type { ReaderData } from '../src/threads/shared-memory.js'

const data = workerData as ReaderData
const state = openSharedState(data.shared.state, 'reader')
const application = new LaneTable(data.shared.lanes).open(ownerLane).bell
// Not mmap-io: a module of the application may end this thread at any time, and mmap-io's finalizers would then unmap addresses
// that the reaper still counts as ours. A koffi mapping stays until the reaper has taken it over.
const calls = new LoadingWords(data.shared.loading).during(loadSystemCalls)
const memory = loadMemory(data.io === 'file' ? 'file' : 'koffi', calls)
enterRemains(data.shared.remains)
const offerLine = (port: MessagePort) => parentPort?.postMessage({ lineFor: port } satisfies LineWish, [port])
// Now, so that it is not the first call that waits for it; and only where handlers run.
const handlers = data.handler && (await meansOfHandlers(data.handler))
const reading = new Reading(data, state, memory, handlers)

void watchRetirements({ state, application, reading, shrinkHeap, isFollower: data.shared.isFollower })

/** What pool.cts looks for. */
export async function run(task: ReadTask | { op: 'none' }): Promise<unknown> {
  if (task.op === 'none') return { value: undefined }
  const { answer, buffers } = await reading.run(task)
  return move({ [transferableSymbol]: buffers, [valueSymbol]: answer })
}

async function meansOfHandlers(handler: HandlerSetting): Promise<HandlerMeans> {
  const { HandlerLine } = await import('../src/local/attached/handler-line.js')
  const { meansOf } = await import('../src/log/handler-appends.js')
  return meansOf(handler, new HandlerLine(offerLine))
}
