/** One topic of a log on JetStream: a stream, and the line of what goes into it. */
import type { EngineTopic, MessageReader, ReadRange, ScanRequest } from '../engine/engine.js'
import type { Bounds, Condition, Durability, Extras, Payload, Retention } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'
import { AppendLine, type LineOptions } from './appends/append-line.js'
import { ConsumedTrim, type ConsumedTrimHost } from './groups/consumed-trim.js'
import type { JetStreamGroup } from './groups/jetstream-group.js'
import { type LookupCounters, offsetAt, recordsAt } from './reads/lookups.js'
import { type ReaderHost, StreamReader } from './reads/stream-reader.js'
import { unsupported } from './server/server-facts.js'
import type { TopicStream } from './server/topic-stream.js'
import { outgoing } from './server/wire.js'
import type { ScanPool } from './threads/scan-pool.js'

/** What a topic needs of its log. */
export interface JetStreamTopicHost extends ReaderHost, ConsumedTrimHost {
  readonly lookups: LookupCounters
  readonly scans: Pick<ScanPool, 'scan'>
  checkWritable(): void
  group(topic: JetStreamTopic, name: string): JetStreamGroup
}

export class JetStreamTopic implements EngineTopic {
  readonly name: string
  readonly stream: TopicStream
  readonly line: AppendLine
  readonly #host: JetStreamTopicHost
  readonly #batchMessages: number
  readonly #groups = new Map<string, JetStreamGroup>()
  readonly #consumed: ConsumedTrim
  #retention: Retention

  constructor(stream: TopicStream, host: JetStreamTopicHost, options: LineOptions) {
    this.name = stream.topic
    this.stream = stream
    this.line = new AppendLine(stream, options)
    this.#host = host
    this.#batchMessages = options.batchMessages
    this.#consumed = new ConsumedTrim(stream, host)
    host.onClose.add(() => this.#consumed.stop())
    this.#retention = stream.retention ?? {}
    this.#consumed.want(this.#retention.consumed === true)
  }

  /** They have no `ttlMs` here. */
  readonly mayExpire = false

  append(value: Payload, extras: Extras | undefined, _?: Durability, condition?: Condition): Promise<number> {
    this.#host.checkWritable()
    this.#checkId(condition)
    return this.line.append([outgoing(value, extras)], condition)
  }

  async appendMany(
    values: readonly Payload[],
    extras: Extras | undefined,
    _?: Durability,
    condition?: Condition,
  ): Promise<number> {
    this.#host.checkWritable()
    this.#checkId(condition)
    if (values.length > this.#batchMessages) {
      const message = `appendMany takes ${this.#batchMessages} messages here, not ${values.length}: divide them, or raise limits { batch { max_msgs } } of the servers and batchMessages of open()`
      throw new BookendError('BOOKEND_TOO_LARGE', message, { topic: this.name })
    }
    return this.line.append(
      values.map((value) => outgoing(value, extras)),
      condition,
    )
  }

  /** @throws `BOOKEND_UNSUPPORTED` if the servers do not remember ids for as long as this topic is to */
  #checkId(condition: Condition | undefined): void {
    const { duplicateWindowMs, link } = this.stream
    const windowMs = condition?.id?.windowMs ?? 0
    if (windowMs <= duplicateWindowMs) return
    const what = `ids are remembered for ${duplicateWindowMs} ms, and topic "${this.name}" asks for ${windowMs} ms (dedupe.windowMs): open the log with duplicateWindowMs: ${windowMs} before the topic comes to be`
    throw unsupported(link.place, what)
  }

  offer(value: Payload, extras: Extras | undefined): boolean {
    this.#host.checkWritable()
    const length = typeof value === 'string' ? Buffer.byteLength(value) : value.length
    const more = (extras?.key?.length ?? 0) + (extras?.headers?.length ?? 0)
    return this.line.offer(() => outgoing(value, extras), length + more)
  }

  async ready(): Promise<void> {
    this.#host.checkWritable()
    return this.line.ready()
  }

  bounds(): Promise<Bounds> {
    return this.#host.reading(this.stream.bounds())
  }

  read(range: ReadRange): MessageReader {
    return new StreamReader(this.stream, this.#host, range)
  }

  records(offsets: readonly number[]): Promise<(RecordPlace | undefined)[]> {
    return this.#host.reading(recordsAt(this.stream, offsets, this.#host.lookups))
  }

  keyed(): Promise<never> {
    throw new Error('not supported: nobody asks')
  }

  offsetAt(time: number): Promise<number> {
    return this.#host.reading(offsetAt(this.stream, time))
  }

  async scan(request: ScanRequest): Promise<unknown> {
    // It may have closed since the face has looked: its threads end when what was under way then is over.
    this.#host.checkOpen()
    return this.#host.reading(this.#host.scans.scan(this.name, request))
  }

  async trim(before: number): Promise<void> {
    this.#host.checkWritable()
    // What was offered before has its place first; what cannot have one is told to whoever handed it over.
    await this.line.flush().catch(() => {})
    const { next } = await this.stream.bounds()
    // A topic that is not there has nothing to lose.
    if (next === 0) return
    if (before > next)
      throw new RangeError(`offset ${before} of topic "${this.name}" is not written yet: the next one is ${next}`)
    let trim = () => this.stream.purge(before)
    for (const group of this.#groups.values()) {
      const inner = trim
      trim = () => group.whileTrimming(before, inner)
    }
    await trim()
  }

  /** Nothing goes there because it is superseded. */
  keepState(): () => void {
    return () => {}
  }

  index(): void {
    throw new Error('not supported: nobody asks')
  }

  retain(retention: Retention, isAddition: boolean): void {
    this.#retention = isAddition ? { ...this.#retention, ...retention } : retention
    this.#consumed.want(this.#retention.consumed === true)
    // What is said in addition is not about age and size: whoever has said something of these is not overruled.
    if (isAddition) return
    this.#host.reading(this.stream.retain(this.#retention)).catch((error) => {
      if (this.#host.isOpen) this.#host.onError(`retention of topic "${this.name}"`, error)
    })
  }

  group(name: string): JetStreamGroup {
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = this.#host.group(this, name)
      group.share.books.changes.add(() => this.#consumed.lookSoon())
      this.#groups.set(name, group)
    }
    return group
  }
}
