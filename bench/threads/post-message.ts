/**
 * What is done without ports: each message is posted to the thread that opened the log, which appends it. Nobody may post without an end, so
 * as many are under way as a good application would let.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { benchTopic, openBenchLog } from '../contenders/bookend.js'
import { type StoreOptions, valueAt } from '../contenders/contender.js'
import type { EnteredStore, SharedStore } from './shared-store.js'

const mostUnderWay = 10_000
/** Told to a thread that waits for room; more often would only wake it more often. */
const toldEvery = 1_000

interface Pass {
  readonly port: MessagePort
  /** Messages of this thread that were taken. */
  readonly taken: Int32Array
}

export async function sharePostMessage(options: StoreOptions): Promise<SharedStore> {
  const log = await openBenchLog(options)
  const topic = log.topic(benchTopic)
  const ports: MessagePort[] = []
  /** Posted and not taken by the ring yet, with the word of the thread that posted it. */
  const waiting: { value: Uint8Array; taken: Int32Array }[] = []
  let draining: Promise<void> | undefined

  const drain = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      while (!topic.offer(next.value)) await topic.ready()
      note(next.taken)
    }
    draining = undefined
  }

  return {
    async entry() {
      const { port1, port2 } = new MessageChannel()
      const taken = new Int32Array(new SharedArrayBuffer(4))
      ports.push(port1)
      port1.on('message', async (value: Uint8Array | 'flush') => {
        if (value === 'flush') {
          await draining
          await log.flush('process')
          port1.postMessage('flushed')
        } else if (draining === undefined && topic.offer(value)) note(taken)
        else {
          waiting.push({ value, taken })
          draining ??= drain()
        }
      })
      return { pass: { port: port2, taken } satisfies Pass, transferList: [port2] }
    },
    async close() {
      for (const port of ports) port.close()
      await log.close()
    },
  }
}

function note(taken: Int32Array): void {
  const count = Atomics.add(taken, 0, 1) + 1
  if (count % toldEvery === 0) Atomics.notify(taken, 0)
}

export async function enterPostMessage(pass: unknown): Promise<EnteredStore> {
  const { port, taken } = pass as Pass
  let posted = 0
  return {
    async append(messages, values) {
      for (let index = 0; index < messages; index++) {
        for (let seen = Atomics.load(taken, 0); posted - seen >= mostUnderWay; seen = Atomics.load(taken, 0))
          Atomics.wait(taken, 0, seen)
        port.postMessage(valueAt(values, index))
        posted += 1
      }
      port.postMessage('flush')
      await new Promise((resolve) => port.once('message', resolve))
    },
    close: async () => port.close(),
  }
}
