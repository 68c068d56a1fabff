/**
 * What streams there are: in memory, as the records of one topic of the log say, which are written in one transaction with the messages that they go with.
 * So after a crash there is a stream with its first messages or none, and a producer's number is known exactly if its message is there.
 *
 * When there are many more records than streams, all of it is written anew, and what was there before is trimmed.
 */
import { BookendError } from '../errors.js'
import type { Log } from '../log/log.js'
import type { Topic } from '../log/topic.js'
import { json } from '../messages/codec.js'
import type { Clocks } from './clocks.js'
import { HttpError } from './exchange.js'
import { Holders } from './holders.js'
import { NamedTurns } from './named-turns.js'
import { loadStreams, noteWritten } from './registry-load.js'
import { registryTopic } from './stream-names.js'
import { type ForkPoint, type StreamChange, type StreamConfig, type StreamRecord, StreamState } from './stream-state.js'
import { StreamTopics } from './stream-topics.js'
import { goneMeanwhile, type Streams } from './streams.js'
import { UseTimes } from './use-times.js'

/** Records beyond those of the streams themselves, at which it is worth while to write all anew. */
const spareRecords = 10_000

/** Told of streams that come and go, when the log says so. */
export interface RegistryObserver {
  made(topic: string): void
  gone(topic: string): void
}

export class StreamRegistry implements Streams {
  readonly topics: StreamTopics
  /** Other threads that know of streams what is known here. */
  readonly holders = new Holders()
  observer: RegistryObserver | undefined
  readonly #log: Log
  readonly #clocks: Clocks
  readonly #records: Topic<StreamRecord>
  readonly #uses: UseTimes
  readonly #streams = new Map<string, StreamState>()
  /** Creations and deletions, by topic. */
  readonly #turns = new NamedTurns()
  #loading: Promise<void> | undefined
  #recordCount = 0
  #packing: Promise<void> | undefined

  constructor(log: Log, clocks: Clocks) {
    this.#log = log
    this.#clocks = clocks
    this.topics = new StreamTopics(log)
    this.#records = log.topic(registryTopic, { codec: json<StreamRecord>() })
    this.#uses = new UseTimes(clocks, (name) => this.#record(name, { used: true }))
  }

  get count(): number {
    return this.#streams.size
  }

  /** False: what is known of it is not true any more. */
  holds(stream: StreamState): boolean {
    return this.#streams.get(stream.topic) === stream
  }

  async find(name: string, isUse: boolean): Promise<StreamState | undefined> {
    const stream = await this.known(name, isUse)
    if (stream?.isHidden) throw new HttpError(410, 'the stream was deleted')
    return stream
  }

  /** The same, hidden ones too. */
  async known(name: string, isUse: boolean): Promise<StreamState | undefined> {
    await this.#loaded()
    const stream = this.#streams.get(name)
    if (stream === undefined || stream.isHidden) return stream
    const nowMs = this.#clocks.nowMs()
    if (stream.isOver(nowMs, this.#clocks.now())) {
      await this.delete(stream)
      return this.#streams.get(name)
    }
    if (isUse) this.#uses.note(stream)
    return stream
  }

  /** Those that anybody can find, as they are known in this turn of the event loop. */
  async all(): Promise<readonly StreamState[]> {
    await this.#loaded()
    return [...this.#streams.values()].filter(({ isHidden }) => !isHidden)
  }

  /** One of them, once they are known. */
  at(name: string): StreamState | undefined {
    const stream = this.#streams.get(name)
    return stream?.isHidden ? undefined : stream
  }

  /**
   * The same, when nothing is on its way that a copy would not tell, so that one may be given away in the same turn: see {@link Holders}.
   * @throws as {@link find}
   */
  async settled(name: string, isUse: boolean): Promise<StreamState | undefined> {
    for (;;) {
      const stream = await this.find(name, isUse)
      if (stream === undefined || stream.closed === undefined || stream.isEnded) return stream
      await stream.writing
    }
  }

  /** Ms since it was read or written. */
  idleMs(stream: StreamState): number {
    return this.#clocks.nowMs() - stream.usedMs
  }

  sourceOf({ fork }: StreamState): StreamState | undefined {
    return fork && this.#streams.get(fork.source)
  }

  /**
   * @param messages its first ones
   * @param fork its source is there, and is kept as long as it needs it
   * @returns undefined: somebody else has created it meanwhile
   * @throws HttpError 409 where the topic has messages that are no stream's
   */
  create(
    name: string,
    config: StreamConfig,
    messages: readonly Uint8Array[],
    isClosed: boolean,
    fork?: ForkPoint,
  ): Promise<StreamState | undefined> {
    const source = fork && this.#streams.get(fork.source)
    // From this turn on: it may be deleted, but not what stands in it.
    if (source !== undefined) source.forks += 1
    return this.#inTurn(name, () => this.#create(name, config, messages, isClosed, fork)).then(
      (stream) => {
        if (stream === undefined) this.#release(source)
        return stream
      },
      (error) => {
        this.#release(source)
        throw error
      },
    )
  }

  async #create(
    name: string,
    config: StreamConfig,
    messages: readonly Uint8Array[],
    isClosed: boolean,
    fork: ForkPoint | undefined,
  ): Promise<StreamState | undefined> {
    if (this.#streams.has(name)) return undefined
    const topic = this.topics.topic(name)
    const { first: readable, next: first } = await topic.bounds()
    if (readable < first) {
      if (!(await this.#wasStream(name)))
        throw new HttpError(409, `the log has a topic "${name}" that is no stream: it is not made one`)
      // Left over where the end came between the record and the trim.
      await topic.trim(first)
    }
    const change: StreamChange | undefined = isClosed ? { closed: true } : undefined
    await this.#log.transaction((tx) => {
      tx.append(this.#records, { created: config, first, fork, change }, { key: name })
      messages.forEach((message, index) => {
        tx.append(topic, message, index === 0 ? { expectedOffset: first } : {})
      })
    })
    this.#recordCount += 1
    const stream = new StreamState(name, { ...config, first, fork, producers: [] })
    stream.usedMs = stream.recordedMs = this.#clocks.nowMs()
    if (change !== undefined) noteWritten(stream, change, this.#clocks.now())
    this.#streams.set(name, stream)
    this.observer?.made(name)
    return stream
  }

  /** A fork less: the last one of a source that is deleted takes that with it, and so on. */
  #release(source: StreamState | undefined): void {
    if (source === undefined) return
    source.forks -= 1
    // What fails here is met by the next sweep.
    if (source.forks === 0 && source.isHidden) void this.delete(source).catch(() => {})
  }

  /** True: there was such a stream, and it has been deleted. Only asked where a topic has messages. */
  async #wasStream(name: string): Promise<boolean> {
    for await (const { keyText } of this.#records.read()) if (keyText === name) return true
    return false
  }

  /** @returns false: somebody else has deleted it meanwhile */
  delete(stream: StreamState): Promise<boolean> {
    const { topic: name } = stream
    return this.#inTurn(name, async () => {
      if (this.#streams.get(name) !== stream) return false
      if (stream.forks > 0) {
        if (stream.isHidden) return false
        stream.isHidden = true
        try {
          await this.holders.recall(name)
          await this.#record(name, { hidden: true })
        } catch (error) {
          stream.isHidden = false
          throw error
        }
        this.observer?.gone(name)
        return true
      }
      // From here on nobody finds it; what is under way is written and trimmed.
      this.#streams.delete(name)
      try {
        await this.holders.recall(name)
        await this.#record(name, { deleted: true })
      } catch (error) {
        this.#streams.set(name, stream)
        throw error
      }
      this.observer?.gone(name)
      const topic = this.topics.topic(name)
      await topic.trim((await topic.bounds()).next)
      this.topics.forget(name)
      this.#release(this.sourceOf(stream))
      return true
    })
  }

  append(stream: StreamState, messages: readonly Uint8Array[]): Promise<number> {
    return this.holds(stream) ? this.topics.append(stream, messages) : Promise.reject(goneMeanwhile())
  }

  /**
   * Appends, and changes what is known of the stream with that, at one moment. That is judged by what is known is the caller's affair: it is changed when
   * this returns.
   * @returns position behind the messages
   */
  write(stream: StreamState, messages: readonly Uint8Array[], change: StreamChange): Promise<number> {
    // What is known was lost meanwhile, see below: it is judged anew by what is found again.
    if (!this.holds(stream)) return Promise.reject(goneMeanwhile())
    const topic = this.topics.topic(stream.topic)
    stream.apply(change, this.#clocks.now())
    const written = this.#writeChange(topic, stream, messages, change)
    stream.writing = written.catch(() => {})
    return written
  }

  async #writeChange(
    topic: Topic<Uint8Array>,
    stream: StreamState,
    messages: readonly Uint8Array[],
    change: StreamChange,
  ): Promise<number> {
    try {
      // Before it is closed in the log: nobody appends behind that.
      if (change.closed === true) await this.holders.recall(stream.topic)
      const { offsets } = await this.#log.transaction((tx) => {
        tx.append(this.#records, { changed: change }, { key: stream.topic })
        for (const message of messages) tx.append(topic, message)
      })
      this.#recordCount += 1
      if (change.closed === true) stream.isEnded = true
      this.#packIfWorth()
      return messages.length === 0 ? this.topics.endOf(stream) : stream.positionOf(offsets[offsets.length - 1] + 1)
    } catch (error) {
      this.#forget()
      throw error
    }
  }

  /** What was to be known is not written. What is known comes from the log again, once all that is under way is there; until then nobody writes by it. */
  #forget(): void {
    const streams = [...this.#streams.values()]
    this.#streams.clear()
    this.#loading = Promise.all(streams.map(({ writing }) => writing)).then(() => this.#load(streams))
    this.#loading.catch(() => {
      this.#loading = undefined
    })
  }

  /** Those whose time is over go, though nobody asks for them. */
  async sweep(): Promise<void> {
    await this.#loaded()
    const [nowMs, now] = [this.#clocks.nowMs(), this.#clocks.now()]
    for (const stream of [...this.#streams.values()]) {
      const isLeft = stream.isHidden && stream.forks === 0
      if (isLeft || (!stream.isHidden && stream.isOver(nowMs, now))) await this.delete(stream)
    }
  }

  #loaded(): Promise<void> {
    this.#loading ??= this.#load([]).catch((error) => {
      this.#loading = undefined
      throw error
    })
    return this.#loading
  }

  /** @param before as they were known */
  async #load(before: readonly StreamState[]): Promise<void> {
    const { found, count } = await loadStreams(this.#records, this.#clocks)
    for (const { topic, usedMs } of before) {
      const again = found.get(topic)
      if (again !== undefined) again.usedMs = usedMs
    }
    for (const [name, stream] of found) this.#streams.set(name, stream)
    this.#recordCount = count
  }

  async #record(name: string, record: StreamRecord): Promise<void> {
    await this.#records.append(record, { key: name })
    this.#recordCount += 1
    this.#packIfWorth()
  }

  #packIfWorth(): void {
    if (this.#recordCount < 2 * this.#streams.size + spareRecords || this.#packing !== undefined) return
    this.#packing = this.#pack()
      .catch((error) => {
        // Tried again with the next write; that there is no space is told to who writes.
        if (!(error instanceof BookendError)) throw error
      })
      .finally(() => {
        this.#packing = undefined
      })
  }

  /** Each record says all of its stream as of its place in the topic. */
  async #pack(): Promise<void> {
    const { next: before } = await this.#records.bounds()
    const ends: Promise<unknown>[] = []
    for (const [name, stream] of this.#streams) {
      for (let writing: unknown; writing !== stream.writing; ) {
        writing = stream.writing
        await writing
      }
      // In the same turn: nothing is under way that may come to nothing, and it is not deleted.
      if (this.#streams.get(name) !== stream) continue
      ends.push(this.#records.append({ state: stream.stored(this.#uses.atOf(stream)) }, { key: stream.topic }))
    }
    await Promise.all(ends)
    await this.#records.trim(before)
    this.#recordCount = (await this.#records.count()) || 0
  }

  #inTurn<R>(name: string, work: () => Promise<R>): Promise<R> {
    return this.#turns.take(name, async () => {
      await this.#loaded()
      return work()
    })
  }
}
