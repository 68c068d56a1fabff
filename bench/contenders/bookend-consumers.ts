/**
 * Groups and queues of the product, as far as the benchmark uses them. A build that does not have them yet takes no part in
 * their cases, and says so.
 */
import type { Log, Message, Topic } from 'bookend'
import { benchTopic, openBenchLog } from './bookend.js'
import { type QueueStore, type StoreOptions, Unavailable } from './contender.js'

export interface Delivery extends Message {
  ack(): Promise<void>
}

export interface Processor {
  readonly stats: { readonly processed: number; readonly failed: number }
  idle(): Promise<void>
  stop(): Promise<void>
}

export interface Group {
  consume(options: { from: 'first' | 'next'; prefetch?: number }): AsyncIterableIterator<Delivery>
  process(
    module: URL,
    options: { from: 'first' | 'next'; concurrency?: number; order?: 'topic' | 'key' | 'none' },
  ): Processor
}

interface Queue {
  push(value: Uint8Array): Promise<number>
  pop(): Promise<Uint8Array | undefined>
  size(): Promise<number>
}

/** A log with groups and queues. */
export interface Consumers {
  readonly log: Log
  readonly topic: Topic<Uint8Array>
  group(name: string): Group
  queue(name: string): Queue
}

export async function openConsumers(options: Omit<StoreOptions, 'packageDirectory'>): Promise<Consumers> {
  const log = await openBenchLog(options)
  const withQueue = log as Log & { queue?(name: string): Queue }
  if (typeof withQueue.queue !== 'function') {
    await log.close()
    throw new Unavailable('this build of Bookend has no groups and queues')
  }
  const topic = log.topic(benchTopic)
  return {
    log,
    topic,
    group: (name) => (topic as Topic<Uint8Array> & { group(name: string): Group }).group(name),
    queue: (name) => withQueue.queue!(name),
  }
}

export async function openBookendQueue(options: StoreOptions): Promise<QueueStore> {
  const { log, queue: open } = await openConsumers(options)
  const queue = open('bench-queue')
  return {
    push: (value) => queue.push(value),
    pop: () => queue.pop(),
    size: () => queue.size(),
    close: () => log.close(),
  }
}
