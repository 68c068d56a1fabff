import { connect, type LogPort } from 'bookend'
import { benchTopic, openBenchLog } from '../contenders/bookend.js'
import { type StoreOptions, valueAt } from '../contenders/contender.js'
import type { EnteredStore, SharedStore } from './shared-store.js'

/** The product: a port for each thread. */
export async function shareBookend(options: StoreOptions): Promise<SharedStore> {
  const log = await openBenchLog(options)
  return {
    async entry() {
      const port = await log.port()
      return { pass: port, transferList: port.ports }
    },
    close: () => log.close(),
  }
}

export async function enterBookend(pass: unknown): Promise<EnteredStore> {
  const log = await connect(pass as LogPort)
  const topic = log.topic(benchTopic)
  return {
    log,
    async append(messages, values) {
      for (let index = 0; index < messages; index++) {
        const value = valueAt(values, index)
        while (!topic.offer(value)) await topic.ready()
      }
      await log.flush('process')
    },
    close: () => log.close(),
  }
}
