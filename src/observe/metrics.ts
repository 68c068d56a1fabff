/** The figures of an open log as Prometheus text. Names, types and escaping are prom-client's; what is counted is the log's. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Log } from '../log/log.js'
import { figures } from './figures.js'
import { observeFlushes } from './flush-times.js'

/** From a write into the cache of a good device to one that stalls, seconds. */
const flushBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** One for each log that was looked at, so that counters go on and no two logs are told as one. */
const known = new WeakMap<Log, LogMetrics>()

/**
 * The metrics of an open log in the text format of Prometheus (0.0.4), all with the label `log`: its directory. Counters count from the
 * opening of the log; the histogram of flushes from the first call of this function. Costs one pass over shared counters, and a few numbers
 * a topic and a group; nothing is paid between two calls but for one addition a flush.
 * @throws `BOOKEND_CLOSED`
 */
export function metrics(log: Log): Promise<string> {
  let found = known.get(log)
  if (found === undefined) {
    found = new LogMetrics(log.directory)
    known.set(log, found)
  }
  return found.text(log)
}

/**
 * A handler for `node:http`, Express, and whatever else calls with request and response: answers with {@link metrics} of the log, and with 503
 * once it is closed. Mount it where only your scraper can reach it: topics and groups are told by name.
 */
export function metricsHandler(log: Log): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end()
      return
    }
    metrics(log).then(
      (text) => {
        response.writeHead(200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE })
        response.end(request.method === 'HEAD' ? undefined : text)
      },
      (error: Error) => {
        response.writeHead(503, { 'content-type': 'text/plain; charset=utf-8' })
        response.end(request.method === 'HEAD' ? undefined : `${error.message}\n`)
      },
    )
  }
}

class LogMetrics {
  readonly #registry = new Registry()
  readonly #figures = figures.map((figure) => {
    const settings = { name: figure.name, help: figure.help, registers: [this.#registry] }
    return { figure, metric: figure.kind === 'counter' ? new Counter(settings) : new Gauge(settings) }
  })
  readonly #topicMessages = this.#gauge('bookend_topic_messages', 'Readable messages of a topic', ['topic'])
  readonly #topicNext = this.#counter('bookend_topic_offset_total', 'Offset of the next append to a topic', ['topic'])
  readonly #groupLag = this.#gauge('bookend_group_lag', 'Messages not acknowledged yet', ['topic', 'group'])
  readonly #groupCommitted = this.#gauge('bookend_group_committed', 'All below is acknowledged', ['topic', 'group'])
  readonly #groupConsumers = this.#gauge('bookend_group_consumers', 'Consumers of a group', ['topic', 'group'])
  readonly #groupProcessors = this.#gauge('bookend_group_processors', 'Processors of a group, by state', [
    'topic',
    'group',
    'state',
  ])
  /** Held here and nowhere else: with this object the observation ends. */
  readonly #observeFlush: (seconds: number) => void
  /** One after the other: a registry is filled anew by each. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(place: string) {
    this.#registry.setDefaultLabels({ log: place })
    const name = 'bookend_flush_seconds'
    const help = 'Time that flushes to the device took'
    const flushes = new Histogram({ name, help, buckets: flushBuckets, registers: [this.#registry] })
    this.#observeFlush = (seconds) => flushes.observe(seconds)
    observeFlushes(place, this.#observeFlush)
  }

  text(log: Log): Promise<string> {
    const mine = this.#turn.then(async () => {
      await this.#fill(log)
      return this.#registry.metrics()
    })
    this.#turn = mine.catch(() => {})
    return mine
  }

  async #fill(log: Log): Promise<void> {
    const stats = log.stats()
    for (const { figure, metric } of this.#figures) {
      metric.reset()
      metric.inc(figure.value(stats))
    }
    for (const each of [this.#topicMessages, this.#topicNext]) each.reset()
    for (const topic of await log.topics()) {
      const { first, next } = await log.topic(topic).bounds()
      this.#topicMessages.set({ topic }, next - first)
      this.#topicNext.inc({ topic }, next)
    }
    const ofGroups = [this.#groupLag, this.#groupCommitted, this.#groupConsumers, this.#groupProcessors]
    for (const each of ofGroups) each.reset()
    for (const { topic, name: group, lag, committed, consumers, processors } of await log.groups()) {
      this.#groupLag.set({ topic, group }, lag)
      this.#groupCommitted.set({ topic, group }, committed)
      this.#groupConsumers.set({ topic, group }, consumers)
      for (const { state } of processors) this.#groupProcessors.inc({ topic, group, state })
    }
  }

  #gauge<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] })
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }
}
