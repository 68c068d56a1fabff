/**
 * Reading a topic in every way there is, in this thread: the classes that the library has for it, on the storage code of a test; only
 * threads and the ring are missing.
 */
import { GroupDesk } from '../../src/dispatcher/groups/group-desk.js'
import { type FeedSource, GroupFeed } from '../../src/dispatcher/groups/group-feed.js'
import { DeskSubscription } from '../../src/dispatcher/groups/subscription.js'
import { GroupProcessor, type ProcessorHost } from '../../src/dispatcher/processing/processor.js'
import { ChunkReader, type ChunkSource } from '../../src/dispatcher/reads/chunk-reader.js'
import type { EngineTopic } from '../../src/engine/engine.js'
import type { EngineGroup, HandlerViews } from '../../src/engine/group-seat.js'
import { BookendError } from '../../src/errors.js'
import { GroupConsumer } from '../../src/log/group-consumer.js'
import { ChunkedStream } from '../../src/log/message-stream.js'
import { RangeClaims } from '../../src/ring/range-claims.js'
import { TopicCells } from '../../src/ring/topic-cells.js'
import type { HotReader } from '../../src/storage/hot/hot-reader.js'
import { type ChunkAnswer, Reader, type RecordsAnswer } from '../../src/threads/reader/reader.js'
import type { ScanPart, ScanRange } from '../../src/threads/reader/scan-task.js'
import { fixtureUrl } from './fixtures.js'
import { valueAt } from './hot.js'
import { recordsOf } from './model.js'
import { appendsNothing, handlerModule, setHandler } from './processing.js'
import type { StorageLog } from './storage-log.js'
import { storedGroup } from './stored-groups.js'

/** What a way of reading has made of a topic: values by offset, and the ranges that it has reported. */
export interface Outcome {
  way: string
  delivered: Map<number, Uint8Array>
  /** Offsets that were delivered more than once. */
  repeated: number[]
  reported: { first: number; end: number }[]
}

export type Order = 'topic' | 'key' | 'none'

const scanModule = fixtureUrl('scan-offsets.mjs')
const never = () => () => {}

export class EveryWay {
  readonly first: number
  readonly next: number
  readonly #topic: { id: number; name: string }
  readonly #reader: Reader
  readonly #source: ChunkSource & FeedSource
  readonly #hot: HotReader

  constructor(log: StorageLog, topic: { id: number; name: string; first: number; next: number }) {
    const { id, name, first, next } = topic
    this.#topic = { id, name }
    this.first = first
    this.next = next
    const cells = new TopicCells(TopicCells.allocate())
    cells.first(id).store(first)
    cells.next(id).store(next)
    const trim = () => log.trim
    const handlers = { data: undefined, beginAppends: () => appendsNothing }
    this.#reader = new Reader(log.reader, log.lookup, log.catalog, cells, trim, undefined, handlers)
    const { hot } = log
    if (hot === undefined) throw new Error('the world does not say what is in memory')
    this.#hot = hot
    this.#source = {
      handle: this.#topic,
      checkOpen() {},
      first: () => first,
      next: () => next,
      whenNext: never,
      paced: async (chunk) => chunk,
      chunksInTurn: () => {
        const memory = hot.target()
        return (offset, to, resume, isBorrowed) =>
          hot.chunkBehind(resume, id, offset, to, isBorrowed ? memory : undefined)
      },
      chunk: async (offset, to, resume, count) =>
        (resume === undefined ? hot.chunk(id, offset, to) : undefined) ??
        ((await this.#reader.run({ op: 'chunk', topic: this.#topic, offset, to, resume, count })) as ChunkAnswer),
      record: async (offset) => {
        const bytes = await this.#record(offset)
        return { bytes, length: bytes.length }
      },
    }
  }

  #engineTopic(): EngineTopic {
    const { first, next } = this
    const topic: Partial<EngineTopic> = {
      name: this.#topic.name,
      bounds: async () => ({ first, next }),
      read: (range) => new ChunkReader(this.#source, range),
    }
    return topic as EngineTopic
  }

  /** The judge of all others: each message by itself. */
  async get(): Promise<Outcome> {
    const outcome = this.#outcome('get')
    for (let offset = this.first; offset < this.next; offset++) {
      try {
        note(outcome, offset, valueIn(await this.#record(offset), this.#topic.id, offset))
      } catch (error) {
        outcome.reported.push({ first: corrupt(error, offset).offset, end: offset + 1 })
      }
    }
    return outcome
  }

  /** Those that `get` delivers, in one call. */
  async getMany(offsets: readonly number[]): Promise<Outcome> {
    const outcome = this.#outcome('getMany')
    const task = { topic: this.#topic, offsets: Float64Array.from(offsets) }
    const { bytes, starts } = (await this.#reader.run({ op: 'records', ...task })) as RecordsAnswer
    offsets.forEach((offset, index) => {
      if (starts[index] >= 0) note(outcome, offset, valueIn(bytes.subarray(starts[index]), this.#topic.id, offset))
    })
    return outcome
  }

  /** As the application's thread does it: what is in memory, it reads itself; `found` counts that. */
  async hot(found: (count: number) => void): Promise<Outcome> {
    const outcome = this.#outcome('get from memory')
    const hot = this.#hot
    const offsets = Array.from({ length: this.next - this.first }, (_, index) => this.first + index)
    for (let round = 0; round < 4; round++) {
      for (const offset of offsets) hot.find(this.#topic.id, offset)
      await hot.settled()
    }
    const records = hot.findMany(this.#topic.id, offsets)
    for (const offset of offsets) {
      const record = hot.find(this.#topic.id, offset)
      if ((record === undefined) !== (records[offset - this.first] === undefined))
        throw new Error(`${offset} is found alone, or among others, but not both`)
      if (record !== undefined) found(1)
      try {
        note(outcome, offset, record ? valueAt(record) : valueIn(await this.#record(offset), this.#topic.id, offset))
      } catch (error) {
        outcome.reported.push({ first: corrupt(error, offset).offset, end: offset + 1 })
      }
    }
    return outcome
  }

  async stream(parts: 'messages' | 'batches' | 'borrowed chunks'): Promise<Outcome> {
    const outcome = this.#outcome(`stream of ${parts}`)
    for (let at = this.first; at < this.next; ) {
      const from = at
      const range = { start: async () => from, to: undefined, follow: false, signal: undefined }
      const stream = new ChunkedStream<Uint8Array>(this.#engineTopic(), undefined, range)
      const take = ({ offset, value }: { offset: number; value: Uint8Array }) => {
        note(outcome, offset, value)
        at = offset + 1
      }
      try {
        if (parts === 'batches') for await (const batch of stream.batches()) batch.forEach(take)
        else if (parts === 'borrowed chunks')
          for await (const chunk of stream.chunks({ borrowed: true }))
            chunk.forEach((bytes, start, end, offset) => {
              take({ offset, value: bytes.slice(start, end) })
            })
        else for await (const message of stream) take(message)
        if (at !== this.next) throw new Error(`the ${outcome.way} ended at ${at} of ${this.next}`)
      } catch (error) {
        at = this.#report(outcome, error, at)
      }
    }
    return outcome
  }

  /** A range in parts, as the reader threads share it out. @throws what the scan fails with */
  async scan(from: number, to: number, parts: number): Promise<Outcome> {
    const outcome = this.#outcome('scan')
    const topic = this.#topic
    const ranges = (await this.#reader.run({ op: 'ranges', topic, from, to, parts })) as ScanRange[]
    const claims = RangeClaims.allocate(ranges.length)
    const abort = new SharedArrayBuffer(4)
    const task = { op: 'scan', topic, ranges, claims, shares: 1, module: scanModule, codec: undefined, abort } as const
    for (const { value } of (await this.#reader.run(task)) as ScanPart[])
      for (const { offset, value: bytes } of value as { offset: number; value: Uint8Array }[])
        note(outcome, offset, bytes)
    return outcome
  }

  /** A consumer that acknowledges what it gets, and goes on behind what it hears of. */
  async consume(): Promise<Outcome> {
    const outcome = this.#outcome('consumer')
    const desk = this.#desk()
    await desk.open('first')
    const source = { topic: this.#topic.name, decode: undefined }
    const options = { from: 'first', prefetch: 1_000, ackTimeoutMs: 1e9, signal: undefined } as const
    const feed = new GroupFeed(this.#source)
    const host = { isOpen: true, onClose: new Set<() => void>(), checkOpen() {} }
    const group: Partial<EngineGroup> = {
      subscribe: (make, seat) => new DeskSubscription(host, desk, feed, make, seat),
    }
    while (desk.ledger.committed < this.next) {
      const consumer = new GroupConsumer<Uint8Array>(group as EngineGroup, source, options, 'log')
      try {
        while (desk.ledger.committed < this.next) {
          const { value: delivery } = await consumer.next()
          if (delivery === undefined) throw new Error('the consumer ended')
          note(outcome, delivery.offset, delivery.value)
          await delivery.ack()
        }
      } catch (error) {
        await desk.seek(this.#report(outcome, error, desk.ledger.committed))
      } finally {
        await consumer.return()
      }
    }
    desk.reject(new Error('the test is over'))
    return outcome
  }

  /** A processor with a dead-letter topic: what it hands over, and the ranges of its dead letters. */
  async process(order: Order, views: HandlerViews, batchSize: number): Promise<Outcome> {
    const outcome = this.#outcome(`processor (order ${order}, views ${views})`)
    setHandler((messages) => {
      for (const { offset, value } of messages) note(outcome, offset, value.slice())
    })
    const desk = this.#desk()
    const processor = new GroupProcessor(desk, this.#host(outcome), handlerModule, {
      ...{ concurrency: 2, batchSize, order, views, codec: undefined, timeoutMs: 60_000 },
      ...{ from: 'first' as const, signal: undefined, retries: 0, backoffMs: 1 },
    })
    await Promise.race([processor.idle(), processor.finished])
    const { committed } = desk.ledger
    await processor.stop()
    if (committed !== this.next) throw new Error(`the ${outcome.way} committed ${committed} of ${this.next}`)
    desk.reject(new Error('the test is over'))
    return outcome
  }

  #host(outcome: Outcome): ProcessorHost {
    return {
      maxMessageBytes: 1 << 20,
      next: () => this.next,
      record: async () => {
        throw new Error('no handler fails')
      },
      store: async (_, { extras }) => {
        const headers = JSON.parse(Buffer.from(extras.headers ?? []).toString()) as Record<string, string>
        const end = Math.min(Number(headers['bookend-next']), this.next)
        outcome.reported.push({ first: Number(headers['bookend-offset']), end })
        return true
      },
      threads: {
        // Whoever waits for the end of a range that grows has no other thread to be woken by.
        run: (task) =>
          new Promise((resolve, reject) => setImmediate(() => this.#reader.run(task).then(resolve, reject))),
        ended: () => Promise.resolve(),
        close: () => Promise.resolve(),
      },
      deadLetter: { id: this.#topic.id + 1, name: 'dead' },
      onFailure() {},
    }
  }

  #desk(): GroupDesk {
    return new GroupDesk({
      ...storedGroup({ topic: this.#topic, committed: this.first }),
      first: () => this.first,
      next: () => this.next,
      whenNext: never,
      checkOpen() {},
      onSkipped() {},
    })
  }

  /** One record as a chunk of its own. */
  async #record(offset: number): Promise<Uint8Array<ArrayBuffer>> {
    const task = { topic: this.#topic, offsets: Float64Array.of(offset) }
    const { bytes, starts } = (await this.#reader.run({ op: 'records', ...task })) as RecordsAnswer
    return starts[0] < 0 ? new Uint8Array(0) : bytes.slice(starts[0])
  }

  #outcome(way: string): Outcome {
    return { way, delivered: new Map(), repeated: [], reported: [] }
  }

  /** Notes what an error reports, and says where an application goes on. */
  #report(outcome: Outcome, error: unknown, expected: number): number {
    const { offset, next } = corrupt(error, expected)
    const end = Math.min(next ?? this.next, this.next)
    outcome.reported.push({ first: offset, end })
    return end
  }
}

function note({ delivered, repeated }: Outcome, offset: number, value: Uint8Array): void {
  if (delivered.has(offset)) repeated.push(offset)
  delivered.set(offset, value)
}

function valueIn(record: Uint8Array, topic: number, offset: number): Uint8Array {
  const found = recordsOf(record, topic, offset, offset + 1)
  if (found.length !== 1) throw new Error(`no message ${offset} in its record`)
  return found[0].value
}

/** The error has to be about the message that comes next, and to lead on. */
export function corrupt(error: unknown, expected: number): { offset: number; next: number | undefined } {
  if (!(error instanceof BookendError) || error.code !== 'BOOKEND_CORRUPT') throw error
  const { offset, next } = error
  if (offset !== expected) throw new Error(`an error about ${offset} in the place of ${expected}: ${error.message}`)
  if (next !== undefined && next <= offset) throw new Error(`an error at ${offset} that leads on to ${next}`)
  return { offset, next }
}
