import { type Message, open } from 'bookend'
import type { ByteCount } from '../scan-count-bytes.js'
import { type ReadCount, type Store, type StoreOptions, valueAt } from './contender.js'

/** The topic every benchmark writes to and reads from. */
export const benchTopic = 'bench'
const scanModule = new URL('../scan-count-bytes.js', import.meta.url)

/** The product, through its public face only. */
export async function openBookend(options: StoreOptions): Promise<Store> {
  const log = await open(options.directory, {
    ...(options.segmentBytes === undefined ? {} : { segmentBytes: options.segmentBytes }),
    ...(options.readers === undefined ? {} : { readers: options.readers }),
  })
  const topic = log.topic(benchTopic)

  const range = async (limit?: number) => ({ to: limit ?? (await topic.bounds()).next })

  return {
    async append(messages, values) {
      for (let index = 0; index < messages; index++) {
        const value = valueAt(values, index)
        while (!topic.offer(value)) await topic.ready()
      }
      await log.flush('process')
    },

    appendOne: (value) => topic.append(value),

    async read(limit): Promise<ReadCount> {
      let messages = 0
      let bytes = 0
      for await (const message of topic.read(await range(limit))) {
        messages++
        bytes += touch(message)
      }
      return { messages, bytes }
    },

    async readBatches(limit): Promise<ReadCount> {
      let messages = 0
      let bytes = 0
      for await (const batch of topic.read(await range(limit)).batches()) {
        messages += batch.length
        for (const message of batch) bytes += touch(message)
      }
      return { messages, bytes }
    },

    scan: () => topic.scan<ByteCount>(scanModule),

    close: () => log.close(),
  }
}

/** Messages are decoded lazily: a read that never looks at the value would measure nothing. */
function touch(message: Message): number {
  return message.value.length
}
