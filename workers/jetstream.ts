/** Entry of a thread of a log on JetStream: a piscina worker that runs modules of the application. */
import { workerData } from 'piscina'
import { type StreamTask, StreamThread } from '../src/jetstream/threads/stream-thread.js'
import type { StreamThreadData } from '../src/jetstream/threads/thread-data.js'

const thread = new StreamThread(workerData as StreamThreadData, Date.now)

// Not a default export: for one of those Node builds a module facade, and ending a thread in the middle of that aborts the process.
export async function run(task: StreamTask | { op: 'none' }): Promise<unknown> {
  return task.op === 'none' ? { value: undefined } : thread.run(task)
}
