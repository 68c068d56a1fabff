import { Worker } from 'node:worker_threads'
import { type Store, type StoreOptions, valueAt } from '../contender.js'
import { controlBytes, ringBytes, startedWord, stopWord, tailWord, unitBytes } from './layout.js'
import { BareProducer } from './producer.js'
import type { BareWorkerData } from './worker.js'

const startTimeoutMs = 10_000

/** The floor: what the design's append path costs with nothing around it. */
export async function openBareLoop(options: StoreOptions, publishBytes: number): Promise<Store> {
  const control = new SharedArrayBuffer(controlBytes)
  const ring = new SharedArrayBuffer(ringBytes)
  const workerData: BareWorkerData = { directory: options.directory, control, ring }
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData })
  const words = new Int32Array(control)
  const exited = new Promise<void>((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', () => resolve())
  })
  // Not awaited yet: a worker that fails to start must not become an unhandled rejection while we wait for its word.
  exited.catch(() => {})
  const started = Atomics.waitAsync(words, startedWord, 0, startTimeoutMs)
  if (started.async) {
    // waitAsync does not keep the process alive, the worker does.
    const outcome = await Promise.race([started.value, exited.then(() => 'exited' as const)])
    if (outcome !== 'ok') throw new Error(`the bare loop's worker did not start: ${outcome}`)
  }
  const producer = new BareProducer(control, ring, publishBytes / unitBytes)

  return {
    async append(messages, values) {
      for (let index = 0; index < messages; index++) {
        const value = valueAt(values, index)
        while (!producer.offer(value)) producer.waitForSpace()
      }
      producer.flush()
    },

    appendOne(value) {
      while (!producer.offer(value)) producer.waitForSpace()
      producer.flush()
      return undefined
    },

    async close() {
      Atomics.store(words, stopWord, 1)
      Atomics.notify(words, tailWord)
      await exited
    },
  }
}
