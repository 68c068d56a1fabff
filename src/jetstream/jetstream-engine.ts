/** A log whose topics are streams of JetStream. */
import type { Engine, EngineFacts, Supports } from '../engine/engine.js'
import type { LogStats } from '../engine/stats.js'
import type { Durability, GroupInfo } from '../engine/terms.js'
import { closedError } from '../failures.js'
import type { AppendCounters } from './appends/append-line.js'
import { JetStreamGroup } from './groups/jetstream-group.js'
import { groupNames } from './groups/server-group.js'
import { JetStreamTopic, type JetStreamTopicHost } from './jetstream-topic.js'
import { type CompleteOptions, withoutCredentials } from './options.js'
import { JetStreamProcessors } from './processing/processors.js'
import { Link } from './server/link.js'
import { LinkEvents } from './server/link-events.js'
import { streamOf, subjectsOfLog, topicOf } from './server/names.js'
import { checkServer, levelsOf, messageBytesLimit, unsupported } from './server/server-facts.js'
import { type StreamInfo, TopicStream, wasWritten } from './server/topic-stream.js'
import { statsOf } from './stats.js'
import { ScanPool } from './threads/scan-pool.js'
import { isSendable } from './threads/thread-data.js'

/** `open -> closing -> closed`: while it closes, what was handed over is still written. */
type Stage = 'open' | 'closing' | 'closed'

/** @throws `BOOKEND_DISCONNECTED`, `BOOKEND_UNSUPPORTED`; RangeError */
export async function openJetStream(options: CompleteOptions): Promise<JetStreamEngine> {
  const place = `${options.servers.map(withoutCredentials).join(',')}/${options.name}`
  const events = new LinkEvents(place, Date.now)
  const { servers, client, giveUpMs } = options
  const link = await Link.open({ servers, client, giveUpMs, place }, events)
  try {
    checkServer(link.nc.info, place)
    const { levels, whyNoDisk } = await levelsOf(options.replicas, options.monitors, options.serverSyncs)
    if (!levels.includes(options.durability)) {
      const why = options.durability === 'disk' ? whyNoDisk : 'one replica does not keep it: replicas: 3'
      throw unsupported(place, `the level '${options.durability}' is not kept there: ${why}`)
    }
    if (options.replicas === 1) warnOfOneReplica(place)
    return new JetStreamEngine(link, events, options, levels)
  } catch (error) {
    await link.close()
    throw error
  }
}

let isWarned = false

/** Once in a process: what is promised with one replica is less than people expect. */
function warnOfOneReplica(place: string): void {
  if (isWarned) return
  isWarned = true
  const message = `the log at ${place} has one replica: a node that is killed takes back group acknowledgements that it has confirmed. That is for development; replicas: 3 keeps them`
  process.emitWarning(message, { type: 'BookendWarning', code: 'BOOKEND_ONE_REPLICA' })
}

export class JetStreamEngine implements Engine, JetStreamTopicHost {
  readonly facts: EngineFacts
  readonly supports: Supports
  readonly local = undefined
  readonly transactions = undefined
  readonly schedules = undefined
  readonly maxMessageBytes: number
  readonly ackWaitMs: number
  readonly onClose = new Set<() => void>()
  readonly lookups = { staleReads: 0 }
  readonly scans: ScanPool
  readonly processors: JetStreamProcessors
  readonly #link: Link
  readonly #events: LinkEvents
  readonly #options: CompleteOptions
  readonly #counters: AppendCounters = { batches: 0, messages: 0, messageBytes: 0, found: 0 }
  readonly #topics = new Map<string, JetStreamTopic>()
  readonly #everyGroup: JetStreamGroup[] = []
  readonly #reads = new Set<Promise<unknown>>()
  #stage: Stage = 'open'
  #closing: Promise<void> | undefined

  constructor(link: Link, events: LinkEvents, options: CompleteOptions, durabilities: readonly Durability[]) {
    const limit = messageBytesLimit(link.nc.info)
    if (options.isMaxMessageBytesGiven && options.maxMessageBytes > limit)
      throw new RangeError(
        `maxMessageBytes is at most ${limit} at ${link.place}, not ${options.maxMessageBytes}: raise max_payload of the servers`,
      )
    this.#link = link
    this.#events = events
    this.#options = options
    this.maxMessageBytes = Math.min(options.maxMessageBytes, limit)
    this.ackWaitMs = options.ackWaitMs
    this.facts = {
      place: link.place,
      durability: options.durability,
      maxMessageBytes: this.maxMessageBytes,
      messageBytesLimit: limit,
      beyondLimit: 'raise max_payload of the servers',
      isReadOnly: false,
    }
    const { servers, client, giveUpMs, name, readers } = options
    const { maxMessageBytes } = this
    const isScanning = isSendable(client)
    const { place } = link
    // Handlers get their messages from here; a scan connects.
    const threadData = { servers, client: isScanning ? client : {}, giveUpMs, place, log: name, maxMessageBytes }
    this.scans = new ScanPool(threadData, readers)
    this.processors = new JetStreamProcessors(this, { readers, threadData, events })
    this.supports = {
      durabilities,
      scan: isScanning,
      process: true,
      retention: true,
      compaction: false,
      expectedOffset: true,
      expectedVersion: false,
      id: true,
      expiry: false,
      keys: false,
      indexes: false,
      filteredGroups: false,
      transactions: false,
      schedules: false,
    }
  }

  topic(name: string): JetStreamTopic {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = this.#newTopic(name)
      this.#topics.set(name, topic)
    }
    return topic
  }

  #newTopic(name: string): JetStreamTopic {
    const { name: log, replicas, duplicateWindowMs, ringBytes, batchMessages, retention } = this.#options
    const messageBytes = this.facts.messageBytesLimit
    const stream = new TopicStream(this.#link, name, { log, replicas, duplicateWindowMs, messageBytes, retention })
    const onLost = (error: unknown) => this.#events.error(`a message offered to topic "${name}" was lost`, error)
    return new JetStreamTopic(stream, this, { ringBytes, batchMessages, counters: this.#counters, onLost })
  }

  group(topic: JetStreamTopic, name: string): JetStreamGroup {
    const group = new JetStreamGroup(topic.stream, name, this)
    this.#everyGroup.push(group)
    return group
  }

  async topicNames(): Promise<string[]> {
    return (await this.#streams()).filter(({ info }) => wasWritten(info)).map(({ topic }) => topic)
  }

  /** Of all topics, those included that nothing was appended to. */
  #streams(): Promise<{ topic: string; info: StreamInfo }[]> {
    const { name: log } = this.#options
    return this.#link.trying('listing topics', async () => {
      const found: { topic: string; info: StreamInfo }[] = []
      for await (const info of this.#link.jsm.streams.list(subjectsOfLog(log))) {
        const topic = topicOf(info.config)
        if (topic !== undefined && info.config.name === streamOf(log, topic)) found.push({ topic, info })
      }
      return found.sort((a, b) => (a.topic < b.topic ? -1 : 1))
    })
  }

  async groups(): Promise<GroupInfo[]> {
    const found: GroupInfo[] = []
    for (const { topic: name } of await this.#streams()) {
      const topic = this.topic(name)
      for (const group of await groupNames(topic.stream)) {
        const info = await topic.group(group).listed()
        if (info !== undefined) found.push(info)
      }
    }
    return found
  }

  /** Every level that is kept here is kept by every answer of the servers. */
  async flush(): Promise<void> {
    await Promise.all([
      ...[...this.#topics.values()].map(({ line }) => line.flush()),
      ...this.#everyGroup.map(({ share }) => share.books.acksSettled()),
    ])
  }

  noteProcessorFailure(topic: string, group: string, error: Error): void {
    this.#events.processor(topic, group, error)
  }

  stats(): LogStats {
    const lines = [...this.#topics.values()].map(({ line }) => line)
    return statsOf({
      counters: this.#counters,
      ringBytes: this.#options.ringBytes,
      usedBytes: lines.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
      pending:
        lines.reduce((sum, { pending }) => sum + pending, 0) +
        this.#everyGroup.reduce((sum, { share }) => sum + share.books.pendingAcks, 0),
      groups: this.#everyGroup.length,
      events: this.#events,
      retries: this.#link.retries,
      staleReads: this.lookups.staleReads,
    })
  }

  get isOpen(): boolean {
    return this.#stage === 'open'
  }

  checkOpen(): void {
    if (this.#stage !== 'open') throw closedError(this.facts.place)
  }

  checkWritable(): void {
    this.checkOpen()
  }

  reading<T>(work: Promise<T>): Promise<T> {
    this.#reads.add(work)
    const end = () => this.#reads.delete(work)
    work.then(end, end)
    return work
  }

  onError(what: string, error: unknown): void {
    this.#events.error(what, error)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#stage = 'closing'
    // Whoever waits for something to come is told; what was handed over still goes out.
    for (const end of [...this.onClose]) end()
    const scansEnd = this.scans.close(closedError(this.facts.place))
    await this.processors.stop()
    await this.flush().catch(() => {})
    await scansEnd
    await Promise.allSettled(this.#reads)
    await Promise.all(this.#everyGroup.map(({ share }) => share.shut()))
    if (this.#link.isUp) await this.#link.nc.flush().catch(() => {})
    this.#stage = 'closed'
    await this.#link.close()
  }
}
