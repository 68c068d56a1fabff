/** The processors of a log on JetStream: each has handler threads of its own, and all end before the log does. */
import { KeepAlive } from '../../dispatcher/keep-alive.js'
import { GroupProcessor, type ProcessorHost } from '../../dispatcher/processing/processor.js'
import { ReaderPool } from '../../dispatcher/reads/reader-pool.js'
import type { EngineFacts, EngineTopic, Supports } from '../../engine/engine.js'
import type { EngineProcessor, ProcessorState, ProcessSettings } from '../../engine/group-seat.js'
import type { GroupInfo } from '../../engine/terms.js'
import { chunkBytesOf, onlyTopic } from '../../messages/chunk-builder.js'
import type { GroupProcessors, ProcessedGroup } from '../groups/jetstream-group.js'
import type { LinkEvents } from '../server/link-events.js'
import type { TopicStream } from '../server/topic-stream.js'
import { writePassed } from '../threads/passed-appends.js'
import { streamThread } from '../threads/scan-pool.js'
import type { StreamThreadData } from '../threads/thread-data.js'
import { storeDeadLetter } from './dead-letter-box.js'
import { ShareDesk } from './share-desk.js'

/** A thread of a processor ends after this long without messages; starting one takes some tens of milliseconds. */
const handlerIdleMs = 10_000

/** What processors need of their log. */
export interface ProcessorsLog {
  readonly facts: EngineFacts
  readonly supports: Supports
  /** False once it closes. */
  readonly isOpen: boolean
  topic(name: string): Pick<EngineTopic, 'append'> & { readonly stream: TopicStream }
}

export interface ProcessorsParts {
  /** How many threads a processor has unless it is told. */
  readonly readers: number
  readonly threadData: StreamThreadData
  readonly events: LinkEvents
}

export class JetStreamProcessors implements GroupProcessors {
  readonly #log: ProcessorsLog
  readonly #parts: ProcessorsParts
  readonly #running = new Map<EngineProcessor, ProcessedGroup>()
  /** For who looks what has become of a group: the last one that has failed. */
  readonly #failed = new Map<ProcessedGroup, EngineProcessor>()

  constructor(log: ProcessorsLog, parts: ProcessorsParts) {
    this.#log = log
    this.#parts = parts
  }

  start(group: ProcessedGroup, module: string, settings: ProcessSettings): EngineProcessor {
    const desk = new ShareDesk(group.share, this.#deskHost(group), settings.order)
    const { concurrency = this.#parts.readers } = settings
    const host = this.#processorHost(group, desk, settings, concurrency)
    const processor = new StreamProcessor(
      new GroupProcessor(desk, host, module, { ...settings, concurrency }),
      desk,
      group,
    )
    this.#running.set(processor, group)
    this.#failed.delete(group)
    void processor.finished
      .catch(() => this.#failed.set(group, processor))
      .finally(() => {
        this.#running.delete(processor)
        desk.close()
      })
    return processor
  }

  of(group: ProcessedGroup): GroupInfo['processors'] {
    const failed = this.#failed.get(group)
    const mine = [...this.#running].filter(([, each]) => each === group).map(([processor]) => processor)
    const all = failed === undefined || this.#running.has(failed) ? mine : [...mine, failed]
    return all.map(({ state, error }) => ({ state, error }))
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((processor) => processor.stop()))
  }

  #deskHost(group: ProcessedGroup) {
    const log = this.#log
    const { events } = this.#parts
    return {
      topic: group.stream.topic,
      group: group.name,
      get isOpen() {
        return log.isOpen
      },
      committed: async () => (await group.position()).committed,
      onError: (what: string, error: unknown) => events.error(what, error),
    }
  }

  #processorHost(
    group: ProcessedGroup,
    desk: ShareDesk,
    settings: ProcessSettings,
    concurrency: number,
  ): ProcessorHost {
    const { facts, supports } = this.#log
    const log = this.#log
    const { threadData, events } = this.#parts
    const { stream: source, name, share } = group
    const { deadLetter, maxHeapMb, order, data } = settings
    const maxThreads = order === 'topic' ? 1 : concurrency
    const sizes = { maxThreads, idleTimeoutMs: handlerIdleMs, maxHeapMb }
    const onMessage = (message: unknown) =>
      void writePassed(message, ({ topic, value, extras, level }) =>
        this.#log.topic(topic).append(value, extras, level),
      )
    const pool = { entry: streamThread, ...sizes, onMessage }
    return {
      maxMessageBytes: facts.maxMessageBytes,
      // Whoever waits until everything is done says what that is; and how much there is no desk here tells.
      next: () => 0,
      // It is here: a node that is asked might not know of it yet, and it would pass for one that was trimmed away.
      record: async (_, offset) => {
        const message = desk.held(offset)
        const bytes = message === undefined ? new Uint8Array(0) : chunkBytesOf([message])
        return { bytes, length: bytes.length }
      },
      // A group that was moved back has its dead letters anew.
      async store(target, letter, _, id, word) {
        await storeDeadLetter(log.topic(target.name).stream, letter, `dead/${id}/${share.books.era}`)
        if (word !== undefined) await log.topic(word.topic).append(word.value, word.extras, facts.durability)
        return true
      },
      deadLetter: deadLetter === undefined ? undefined : { id: onlyTopic, name: deadLetter },
      onFailure: (error) => events.processor(source.topic, name, error),
      threads: new ReaderPool({ ...threadData, handler: { data, facts, supports } }, pool, new KeepAlive(), () => {}),
    }
  }
}

/** A processor, which asks the servers where everything ends, and how far everybody is. */
class StreamProcessor implements EngineProcessor {
  readonly #processor: GroupProcessor
  readonly #desk: ShareDesk
  readonly #group: ProcessedGroup

  constructor(processor: GroupProcessor, desk: ShareDesk, group: ProcessedGroup) {
    this.#processor = processor
    this.#desk = desk
    this.#group = group
  }

  get stats(): EngineProcessor['stats'] {
    return this.#processor.stats
  }

  get finished(): Promise<void> {
    return this.#processor.finished
  }

  get state(): ProcessorState {
    return this.#processor.state
  }

  get error(): Error | undefined {
    return this.#processor.error
  }

  pause(): Promise<void> {
    return this.#processor.pause()
  }

  resume(): void {
    this.#processor.resume()
  }

  async idle(): Promise<void> {
    const { next } = await this.#group.stream.bounds()
    const idle = this.#processor.idle(next)
    void this.#desk.untilCommitted(next)
    return idle
  }

  stop(): Promise<void> {
    return this.#processor.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
