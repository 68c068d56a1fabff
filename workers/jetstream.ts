/** Entry of a thread of a log on JetStream: a piscina worker that runs modules of the application. */
import { parentPort } from 'node:worker_threads'
import { workerData } from 'piscina'
import { type StreamTask, StreamThread } from '../src/jetstream/threads/stream-thread.js'
import type { StreamThreadData } from '../src/jetstream/threads/thread-data.js'
import type { HandlerMeans, HandlerSetting } from '../src/threads/reader/handler.js'

const data = workerData as StreamThreadData
const thread = new StreamThread(data, Date.now, data.handler && (await meansOfHandlers(data.handler)))

/** What pool.cts looks for. */
export async function run(task: StreamTask | { op: 'none' }): Promise<unknown> {
  return task.op === 'none' ? { value: undefined } : thread.run(task)
}

async function meansOfHandlers(handler: HandlerSetting): Promise<HandlerMeans> {
  const { AppendPassing } = await import('../src/jetstream/threads/passed-appends.js')
  const { meansOf } = await import('../src/log/handler-appends.js')
  return meansOf(handler, new AppendPassing((passed, moved) => parentPort?.postMessage(passed, moved)))
}
