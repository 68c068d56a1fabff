/** A queue: one topic, one group, and the words people use for a queue. */
import type { GroupDesk } from '../dispatcher/groups/group-desk.js'
import type { Lease } from '../dispatcher/groups/group-ledger.js'
import type { Engine, EngineTopic } from '../engine/engine.js'
import { BookendError } from '../errors.js'
import type { ChunkCursor } from '../messages/chunk-cursor.js'
import { type MessageSource, StoredMessage } from '../messages/message.js'
import { whenAborted } from './abortable.js'
import { feedOf, type GroupFeed } from './group-feed.js'
import { type AppendOptions, appendOptionNames, type Topic } from './topic.js'
import { checkKeys, checkSignal, checkSpan } from './validate.js'

/** Name of the one group a queue has; `log.topic(name).group('queue')` is the same position. */
export const queueGroup = 'queue'

/** As for `Topic.append`: `key` and `headers` are seen by who reads the topic of that name. */
export type PushOptions = AppendOptions

export interface PopOptions {
  /** How long to wait for a message, in ms; 0 (the default): not at all. Infinity: for ever. */
  timeoutMs?: number
  signal?: AbortSignal
}

/**
 * A durable first-in-first-out queue. Iterating it pops, and waits for more: `for await (const value of queue)`.
 */
export interface Queue<T> extends AsyncIterable<T> {
  readonly name: string
  /** @returns the message's offset, once it is as durable as the log promises. @throws as `Topic.append` */
  push(value: T, options?: PushOptions): Promise<number>
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
  /** Messages not yet popped. */
  size(): Promise<number>
  /** Everything not yet popped when the iteration begins, oldest first, without consuming it. */
  browse(): AsyncIterableIterator<T>
  /** Drops everything that was pushed before this call, in one step: after a crash all of it is gone or none. */
  clear(): Promise<void>
}

const maxTimerMs = 2 ** 31 - 1

/** What `pop()` without options means, checked once. */
const popNow: PopOptions = {}

/** A message that was found, whose value may well be undefined. */
interface Popped<T> {
  readonly value: T
}

function checkPopOptions(options: PopOptions): PopOptions {
  checkKeys('pop()', options, ['timeoutMs', 'signal'])
  const { timeoutMs = 0 } = options
  if (timeoutMs !== Number.POSITIVE_INFINITY) checkSpan('timeoutMs', timeoutMs, 0, maxTimerMs)
  return { timeoutMs, signal: checkSignal(options.signal) }
}

/** Who asks in a loop until there is something must not keep the event loop from turning meanwhile. */
function nothing(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined))
}

export class TopicQueue<T> implements Queue<T> {
  readonly name: string
  readonly #engine: Engine
  readonly #messages: Topic<T>
  readonly #topic: EngineTopic
  readonly #desk: GroupDesk
  readonly #feed: GroupFeed
  readonly #source: MessageSource<T>

  constructor(engine: Engine, messages: Topic<T>, decode: ((encoded: Uint8Array) => T) | undefined) {
    this.name = messages.name
    this.#engine = engine
    this.#messages = messages
    this.#topic = engine.topic(messages.name)
    this.#desk = engine.group(this.#topic, queueGroup)
    this.#feed = feedOf(engine, this.#topic, this.#desk)
    this.#source = { topic: messages.name, decode }
  }

  push(value: T, options?: PushOptions): Promise<number> {
    if (options !== undefined) {
      try {
        checkKeys('push()', options, appendOptionNames)
      } catch (error) {
        return Promise.reject(error)
      }
    }
    return this.#messages.append(value, options)
  }

  async pop(options: PopOptions = popNow): Promise<T | undefined> {
    const { timeoutMs = 0, signal } = options === popNow ? options : checkPopOptions(options)
    signal?.throwIfAborted()
    this.#engine.checkWritable()
    const deadlineMs = timeoutMs === 0 ? 0 : performance.now() + timeoutMs
    if (this.#desk.needsOpen) await this.#desk.open('first')
    for (;;) {
      signal?.throwIfAborted()
      const lease = this.#desk.takeInTurn(1) ?? (await this.#wait(deadlineMs, signal))
      if (lease === undefined) return nothing()
      let popped: Popped<T> | undefined
      try {
        const found = this.#feed.message(lease.first, this.#read)
        popped = found instanceof Promise ? await found : found
        signal?.throwIfAborted()
      } catch (error) {
        // It stays where it is, for the next pop.
        this.#desk.giveBack(lease, lease.first, lease.end, lease.attempt, 0)
        if (error instanceof BookendError && error.code === 'BOOKEND_TRIMMED') continue
        throw error
      }
      // Acknowledged or cleared while it was looked up.
      if (!this.#desk.isWanted(lease)) continue
      await this.#desk.acknowledge(lease, lease.first, lease.end)
      // Otherwise it is gone, and there may be others.
      if (popped !== undefined) return popped.value
    }
  }

  async peek(): Promise<T | undefined> {
    this.#engine.checkOpen()
    const offset = await this.#first()
    return offset === undefined ? nothing() : (await this.#messages.get(offset))?.value
  }

  async size(): Promise<number> {
    this.#engine.checkOpen()
    const first = this.#engine.first(this.#topic)
    const next = this.#engine.next(this.#topic)
    if (!this.#desk.exists) return next - first
    await this.#desk.open('first')
    return this.#desk.refreshed().ledger.remaining(next)
  }

  async *browse(): AsyncIterableIterator<T> {
    this.#engine.checkOpen()
    const end = this.#engine.next(this.#topic)
    let from = (await this.#first()) ?? end
    if (from === end) return nothing()
    while (from < end) {
      try {
        for await (const message of this.#messages.read({ from, to: end })) {
          from = message.offset + 1
          if (!this.#desk.exists || !this.#desk.ledger.isDone(message.offset)) yield message.value
        }
        return
      } catch (error) {
        // What is popped meanwhile may be deleted meanwhile.
        if (!(error instanceof BookendError) || error.code !== 'BOOKEND_TRIMMED') throw error
        from = Math.max(from, this.#engine.first(this.#topic))
      }
    }
  }

  async clear(): Promise<void> {
    this.#engine.checkWritable()
    if (this.#desk.needsOpen) await this.#desk.open('first')
    // What was pushed before has its place in the log first, as far as a full disk lets it: clearing is what frees space.
    await this.#engine.flush('process').catch((error) => {
      if ((error as BookendError).code !== 'BOOKEND_NO_SPACE') throw error
    })
    await this.#desk.seek(this.#engine.next(this.#topic))
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) yield (await this.pop({ timeoutMs: Number.POSITIVE_INFINITY })) as T
  }

  async #first(): Promise<number | undefined> {
    const first = this.#engine.first(this.#topic)
    const next = this.#engine.next(this.#topic)
    if (!this.#desk.exists) return first < next ? first : undefined
    await this.#desk.open('first')
    return this.#desk.refreshed().ledger.peek(next, performance.now())
  }

  /** Waits in the row for a message; undefined: none came before the deadline. */
  #wait(deadlineMs: number, signal: AbortSignal | undefined): Promise<Lease | undefined> {
    const { lease, cancel } = this.#desk.request(1)
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined
      // Whichever comes first ends the others: a request that is given up is never settled.
      const end = () => {
        clearTimeout(timer)
        forget()
      }
      const giveUp = (then: () => void) => {
        // Served in the same moment: then the message is ours.
        if (!cancel()) return
        end()
        then()
      }
      const forget = whenAborted(signal, () => giveUp(() => reject(signal?.reason)))
      const onTimeout = () => giveUp(() => resolve(undefined))
      lease.then(resolve, reject).finally(end)
      const leftMs = deadlineMs - performance.now()
      if (leftMs === Number.POSITIVE_INFINITY) return
      // Not at once: somebody who stands before us in the row may need less than there is.
      if (leftMs <= 0) queueMicrotask(onTimeout)
      else timer = setTimeout(onTimeout, Math.min(maxTimerMs, Math.ceil(leftMs)))
    })
  }

  /** Decodes at once: what the codec refuses is not committed. */
  readonly #read = (cursor: ChunkCursor): Popped<T> => {
    return { value: new StoredMessage<T>(this.#source, cursor).value }
  }
}
