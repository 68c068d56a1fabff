import { type Log, type Message, open } from 'bookend'
import type { ByteCount } from '../handlers/scan-count-bytes.js'
import { type ReadCount, type Store, type StoreOptions, valueAt } from './contender.js'

/** The topic every benchmark writes to and reads from. */
export const benchTopic = 'bench'
const scanModule = new URL('../handlers/scan-count-bytes.js', import.meta.url)

export interface BenchLogOptions extends Omit<StoreOptions, 'packageDirectory'> {
  readonly mapTtlMs?: number
}

export function openBenchLog(options: BenchLogOptions): Promise<Log> {
  return open(options.directory, {
    durability: options.level,
    ...(options.segmentBytes === undefined ? {} : { segmentBytes: options.segmentBytes }),
    ...(options.readers === undefined ? {} : { readers: options.readers }),
    ...(options.mapTtlMs === undefined ? {} : { mapTtlMs: options.mapTtlMs }),
  })
}

/** The product, through its public face only. */
export async function openBookend(options: StoreOptions): Promise<Store> {
  const log = await openBenchLog(options)
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

    async appendBatches(messages, values, batch) {
      for (let from = 0; from < messages; from += batch) {
        const length = Math.min(batch, messages - from)
        await topic.appendMany(Array.from({ length }, (_, index) => valueAt(values, from + index)))
      }
    },

    async appendTopics(messages, values, topics) {
      const handles = Array.from({ length: topics }, (_, index) => log.topic(`${benchTopic}-${index}`))
      for (let index = 0; index < messages; index++) {
        const handle = handles[index % topics]!
        while (!handle.offer(valueAt(values, index))) await handle.ready()
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

    scan: (from, to) => topic.scan<ByteCount>(scanModule, { from, to }),
    get: async (offset) => (await topic.get(offset))?.value,
    getMany: async (offsets) => (await topic.getMany(offsets)).map((message) => message?.value),
    count: async () => (await topic.bounds()).next,
    close: () => log.close(),
  }
}

/** Messages are decoded lazily: a read that never looks at the value would measure nothing. */
function touch(message: Message): number {
  return message.value.length
}
