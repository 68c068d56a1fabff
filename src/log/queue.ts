/** A queue: one topic, one group, and the words people use for a queue. */
import type { Engine, EngineTopic } from '../engine/engine.js'
import type { EngineGroup, EngineLease, SubscribeOptions, Subscription } from '../engine/group-seat.js'
import type { Ticket } from '../engine/terms.js'
import type { BookendError } from '../errors.js'
import { maxTimerMs } from '../limits.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'
import { type MessageSource, StoredMessage } from '../messages/message.js'
import type { Decode } from '../messages/value-coding.js'
import { assertLeased } from './answers.js'
import { type AppendOptions, checkAppendOptions, pushOptionNames } from './append-options.js'
import { WaitingJobs } from './job-ids/waiting-jobs.js'
import { checkRepeat, type RepeatOptions } from './later/repeat-options.js'
import { checkScheduled, type DeliveryTime, deliveryTimeNames } from './later/schedule-options.js'
import { type ScheduledMessage, scheduledList } from './later/scheduled-list.js'
import type { LogTopic } from './log-topic.js'
import { type ProcessOptions, type Processor, processOptionNames } from './processor-options.js'
import { schedulesOf } from './supported.js'
import { undone } from './undone.js'
import { checkId, checkKeys, checkSignal, checkSpan } from './validate.js'
import type { MessageHandler } from './work/function-call.js'
import type { Turns } from './work/slots.js'

/** Name of the one group a queue has; `log.topic(name).group('queue')` is the same position. */
export const queueGroup = 'queue'

/** As for `Topic.append`: `key` and `headers` are seen by who reads the topic of that name. */
export interface PushOptions extends Omit<AppendOptions, 'expectedOffset' | 'expectedVersion'> {
  /** Of a queue with `priorities`: 0 unless said, the lowest; what has a higher one comes first. */
  priority?: number
}

/** A push that comes into the queue later: see `Topic.schedule`. */
export type DelayedPushOptions = Omit<PushOptions, 'signal'> & DeliveryTime

/** What goes with each push of `every`. */
export type RepeatedPushOptions = Pick<PushOptions, 'key' | 'headers' | 'durability' | 'priority'>

/** How long a pop waits. */
export interface PopOptions {
  /** How long to wait for a message, in ms; 0 (the default): not at all. Infinity: for ever. */
  timeoutMs?: number
  /** Ends the waiting with its reason; no message is taken then. */
  signal?: AbortSignal
}

/**
 * A durable first-in-first-out queue. Iterating it pops, and waits for more: `for await (const value of queue)`.
 */
export interface Queue<T> extends AsyncIterable<T> {
  /** Name of the queue, and of its topic. */
  readonly name: string
  /** @returns the message's offset, once it is as durable as the log promises. @throws as `Topic.append` */
  push(value: T, options?: PushOptions & { id?: undefined }): Promise<number>
  /**
   * It comes into the queue later, behind what is there then. Until that it is in `log.scheduled({ topic: name })`, and not in {@link size}.
   * @param options with `delayMs` or `deliverAt`
   * @returns its ticket, once it is as durable as the log promises. @throws as `Topic.schedule`
   */
  push(value: T, options: DelayedPushOptions & { id?: undefined }): Promise<Ticket>
  /**
   * The same, once under that id: while a job waits that was pushed under it, in the queue, for its time or for another attempt, and within the topic's window, nothing is pushed.
   * @returns where it stands, or its ticket; of the one that waits, where there is one
   */
  push(value: T, options?: PushOptions | DelayedPushOptions): Promise<number | Ticket>
  /** Takes back what was pushed with a delay, as `Topic.cancel`. @returns false: it came into the queue, or is about to */
  cancel(ticket: Ticket): Promise<boolean>
  /**
   * A job that comes again and again, by a rule of cron or every so many ms: one under each id, however often this is called and the log is opened. The same call again, as
   * at each start of a program, changes nothing; another rule, value or header takes the place of what was. Each time comes once, whatever crashes:
   * it is pushed in one transaction with the next one.
   * @param options `key` and `headers` of each, and `priority` where the queue has them: one that had another one moves, at one moment
   * @returns the ticket of the next time
   * @throws TypeError, RangeError for what is no rule; as `Topic.schedule`
   */
  every(id: string, rule: RepeatOptions, value: T, options?: RepeatedPushOptions): Promise<Ticket>
  /** Ends what {@link every} has begun. What was pushed stays. @returns false: there is none under this id */
  removeRepeat(id: string): Promise<boolean>
  /** What comes again, each with its rule, as it comes next: those of `log.scheduled` that do. */
  repeats(): Promise<ScheduledMessage[]>
  /**
   * Takes the oldest message. One message satisfies one `pop`; those who wait are served in the order of their calls. The message is
   * committed before this resolves, so it is delivered at most once: for work that must not be lost with its worker, use the
   * group (`consume`, `process`).
   * @returns undefined if there was none in time
   * @throws the signal's reason; `BOOKEND_DECODE` and `BOOKEND_CORRUPT`: the message then stays where it is
   */
  pop(options?: PopOptions): Promise<T | undefined>
  /** The message that the next `pop` would take, or undefined. Consumes nothing. */
  peek(): Promise<T | undefined>
  /**
   * Works through the queue: `Group.process` of its one group, with the order `none` unless said. At least once: a message is done when the handler
   * has returned, its promise has resolved; one that fails comes again after `backoffMs`, and ends in the topic `deadLetter`.
   * @param handler a function of this thread, or the URL of a module for threads of its own
   */
  work(handler: URL | string | MessageHandler<T>, options?: ProcessOptions): Processor
  /** Messages not yet popped. */
  size(): Promise<number>
  /** Everything not yet popped when the iteration begins, oldest first, without consuming it. */
  browse(): AsyncIterableIterator<T>
  /** Drops everything that was pushed before this call, in one step: after a crash all of it is gone or none. */
  clear(): Promise<void>
}

const allPushNames = [...pushOptionNames, ...deliveryTimeNames]

function checkNoPriority(options: unknown): void {
  if ('priority' in Object(options))
    throw new TypeError('priority is for queues that were asked for with the option priorities')
}

/** What `pop()` without options means, checked once. */
const popNow: PopOptions = {}

/** A message that was found, whose value may well be undefined. */
export interface Popped<T> {
  readonly value: T
  readonly lease: EngineLease
}

/** A pop holds its message only until it is committed, so it has no deadline, and there is no bound on their number. */
const popping: SubscribeOptions = {
  from: 'first',
  prefetch: Number.POSITIVE_INFINITY,
  ackTimeoutMs: Number.POSITIVE_INFINITY,
  signal: undefined,
}

export function checkPopOptions(options: PopOptions): PopOptions {
  checkKeys('pop()', options, ['timeoutMs', 'signal'])
  const { timeoutMs = 0 } = options
  if (timeoutMs !== Number.POSITIVE_INFINITY) checkSpan('timeoutMs', timeoutMs, 0, maxTimerMs)
  return { timeoutMs, signal: checkSignal(options.signal) }
}

/** Who asks in a loop until there is something must not keep the event loop from turning meanwhile. */
export function nothing(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined))
}

export class TopicQueue<T> implements Queue<T> {
  readonly name: string
  readonly #engine: Engine
  readonly #messages: LogTopic<T>
  readonly #topic: EngineTopic
  readonly #group: EngineGroup
  readonly #source: MessageSource<T>
  #jobs: WaitingJobs | undefined
  /** All pops of this queue share one. */
  #seat: Subscription<Popped<T>>

  constructor(engine: Engine, messages: LogTopic<T>, decode: Decode<T> | undefined) {
    this.name = messages.name
    this.#engine = engine
    this.#messages = messages
    this.#topic = engine.topic(messages.name)
    this.#group = this.#topic.group(queueGroup)
    this.#source = { topic: messages.name, decode }
    this.#seat = this.#group.subscribe(this.#read, popping)
  }

  push(value: T, options?: PushOptions & { id?: undefined }): Promise<number>
  push(value: T, options: DelayedPushOptions & { id?: undefined }): Promise<Ticket>
  push(value: T, options?: PushOptions | DelayedPushOptions): Promise<number | Ticket>
  push(value: T, options?: PushOptions & DeliveryTime): Promise<number | Ticket> {
    return options === undefined ? this.#messages.append(value) : this.pushBeside(value, options, [])
  }

  /** @param others queues in which no job may wait under its id either */
  pushBeside(
    value: T,
    options: PushOptions & DeliveryTime,
    others: readonly TopicQueue<T>[],
  ): Promise<number | Ticket> {
    try {
      checkNoPriority(options)
      checkKeys('push()', options, allPushNames)
      const isLater = options.deliverAt !== undefined || options.delayMs !== undefined
      if (isLater && options.signal !== undefined) throw new TypeError('push() with a delay has no option signal')
      if (options.id !== undefined && this.#engine.supports.schedules) {
        const given = { ...options, id: checkId(options.id) }
        // Before the wait, and before it is copied: what is not right would not be itself any more.
        if (isLater) checkScheduled(this.#engine, this.name, () => '', given, this.#messages.dedupe)
        else checkAppendOptions(this.#engine, given, this.#messages.dedupe)
        return this.#pushOnce(this.#messages.kept(value), given, isLater, others)
      }
      return isLater ? this.#messages.schedule(value, options) : this.#messages.append(value, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** @param value nobody changes it any more @param given checked */
  async #pushOnce(
    value: Uint8Array,
    given: PushOptions & DeliveryTime & { id: string },
    isLater: boolean,
    others: readonly TopicQueue<T>[],
  ): Promise<number | Ticket> {
    const { key, headers } = given
    const own = key instanceof Uint8Array ? new Uint8Array(key) : key
    const options = { ...given, ...(own !== undefined && { key: own }), ...(headers && { headers: { ...headers } }) }
    this.#engine.checkWritable()
    for (const { jobs } of [this, ...others]) {
      const waiting = await jobs.find(given.id)
      if (waiting !== undefined) return waiting
    }
    const { messages } = this.jobs
    return isLater ? messages.schedule(value, options) : messages.append(value, options)
  }

  /** Those that were pushed under ids. */
  get jobs(): WaitingJobs {
    this.#jobs ??= new WaitingJobs(this.#engine, this.name, queueGroup, this.#messages.dedupe)
    return this.#jobs
  }

  /** @param insteadOf names of topics in which it may have come by now */
  async every(
    id: string,
    rule: RepeatOptions,
    value: T,
    options: RepeatedPushOptions = {},
    insteadOf?: readonly string[],
  ): Promise<Ticket> {
    checkNoPriority(options)
    const name = checkId(id)
    const checked = checkRepeat(rule)
    checkKeys('options of every()', options, ['key', 'headers', 'durability'])
    return this.#messages.repeat(name, checked, value, options, insteadOf)
  }

  async removeRepeat(id: string): Promise<boolean> {
    const name = checkId(id)
    const schedules = schedulesOf(this.#engine, 'scheduled messages')
    this.#engine.checkWritable()
    return schedules.endRepeat(this.name, name, this.#engine.facts.durability)
  }

  async repeats(): Promise<ScheduledMessage[]> {
    const all = await scheduledList(this.#engine, { topic: this.name })
    return all.filter(({ repeat }) => repeat !== undefined)
  }

  cancel(ticket: Ticket): Promise<boolean> {
    return this.#messages.cancel(ticket)
  }

  async pop(options: PopOptions = popNow): Promise<T | undefined> {
    const { timeoutMs = 0, signal } = options === popNow ? options : checkPopOptions(options)
    signal?.throwIfAborted()
    const deadlineMs = timeoutMs === 0 ? 0 : performance.now() + timeoutMs
    const found = this.take(deadlineMs, signal)
    const popped = found instanceof Promise ? await found : found
    if (popped === undefined) return nothing()
    await popped.lease.acknowledge()
    return popped.value
  }

  /** The next one, held until its lease is settled. @param deadlineMs as `performance.now()`; 0: it does not wait */
  take(deadlineMs: number, signal: AbortSignal | undefined): Popped<T> | Promise<Popped<T> | undefined> {
    this.#engine.checkWritable()
    // The group was removed: who pops now begins anew with it.
    if (!this.#seat.isOpen) this.#seat = this.#group.subscribe(this.#read, popping)
    return this.#seat.next(deadlineMs, signal)
  }

  /** @param turns in which its calls are made, where others share them */
  work(handler: URL | string | MessageHandler<T>, options: ProcessOptions = {}, turns?: Turns): Processor {
    const group = this.#messages.group(queueGroup)
    checkKeys('work()', options, processOptionNames)
    // One that is said to be undefined is not said.
    const asked = { ...options, order: options.order ?? ('none' as const) }
    // What it cannot keep in the log it keeps in memory.
    const isAble = asked.order === 'none' && this.#engine.supports.schedules
    if (isAble && !this.#engine.facts.isReadOnly) asked.durableRetries ??= true
    return typeof handler === 'function' ? group.process(handler, asked, turns) : group.process(handler, asked)
  }

  async peek(): Promise<T | undefined> {
    this.#engine.checkOpen()
    const offset = await this.#group.peek()
    return offset === undefined ? nothing() : (await this.#messages.get(offset))?.value
  }

  async size(): Promise<number> {
    this.#engine.checkOpen()
    return (await this.#group.position()).lag
  }

  async *browse(): AsyncIterableIterator<T> {
    this.#engine.checkOpen()
    let isEmpty = true
    for await (const { value } of undone(this.#messages, this.#topic, queueGroup)) {
      isEmpty = false
      yield value
    }
    if (isEmpty) await nothing()
  }

  async clear(): Promise<void> {
    this.#engine.checkWritable()
    // What was pushed before has its place in the log first, as far as a full disk lets it: clearing is what frees space.
    await this.#engine.flush('process').catch((error) => {
      if ((error as BookendError).code !== 'BOOKEND_NO_SPACE') throw error
    })
    await this.#group.seek((await this.#topic.bounds()).next)
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) yield (await this.pop({ timeoutMs: Number.POSITIVE_INFINITY })) as T
  }

  /** Decodes at once: what the codec refuses is not committed. */
  readonly #read = (record: RecordPlace, lease: EngineLease): Popped<T> => {
    assertLeased(record, lease)
    return { value: new StoredMessage<T>(this.#source, record).value, lease }
  }
}
