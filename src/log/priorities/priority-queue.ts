/**
 * A queue with priorities: a lane for each, which is a queue of its own. Who takes looks from the top, and every {@link turnOfLowest}th time from below, so that nothing
 * waits for ever.
 */
import type { Ticket } from '../../engine/terms.js'
import type { RepeatOptions } from '../later/repeat-options.js'
import type { DeliveryTime } from '../later/schedule-options.js'
import type { ScheduledMessage } from '../later/scheduled-list.js'
import { checkProcessOptions, type ProcessOptions, type Processor, processOptionNames } from '../processor-options.js'
import {
  checkPopOptions,
  type DelayedPushOptions,
  nothing,
  type PopOptions,
  type Popped,
  type PushOptions,
  type Queue,
  type RepeatedPushOptions,
  type TopicQueue,
} from '../queue.js'
import { checkInteger, checkKeys } from '../validate.js'
import type { MessageHandler } from '../work/function-call.js'
import { Slots, turnOfLowest } from '../work/slots.js'
import { JoinedProcessor } from './joined-processor.js'

/** Name of the topic of a lane; the lowest has that of the queue. */
export function laneName(queue: string, priority: number): string {
  return priority === 0 ? queue : `${queue}.priority-${priority}`
}

export class PriorityQueue<T> implements Queue<T> {
  readonly name: string
  /** By their priorities. */
  readonly #lanes: readonly TopicQueue<T>[]
  #popped = 0

  constructor(name: string, lanes: readonly TopicQueue<T>[]) {
    this.name = name
    this.#lanes = lanes
  }

  push(value: T, options?: PushOptions & { id?: undefined }): Promise<number>
  push(value: T, options: DelayedPushOptions & { id?: undefined }): Promise<Ticket>
  push(value: T, options?: PushOptions | DelayedPushOptions): Promise<number | Ticket>
  push(value: T, options: PushOptions & DeliveryTime = {}): Promise<number | Ticket> {
    try {
      const { priority = 0, ...others } = options
      const lane = this.#laneOf(priority)
      const lanes = others.id === undefined ? [] : this.#lanes.filter((other) => other !== lane)
      return lane.pushBeside(value, others, lanes)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async every(id: string, rule: RepeatOptions, value: T, options: RepeatedPushOptions = {}): Promise<Ticket> {
    const { priority = 0, ...others } = options
    const lane = this.#laneOf(priority)
    // There is one under each id, whatever its priority was.
    const insteadOf = this.#lanes.filter((other) => other !== lane).map((other) => other.name)
    return lane.every(id, rule, value, others, insteadOf)
  }

  async removeRepeat(id: string): Promise<boolean> {
    const removed: boolean[] = []
    for (const lane of this.#lanes) removed.push(await lane.removeRepeat(id))
    return removed.includes(true)
  }

  async repeats(): Promise<ScheduledMessage[]> {
    return (await Promise.all(this.#lanes.map((lane) => lane.repeats()))).flat()
  }

  async cancel(ticket: Ticket): Promise<boolean> {
    for (const lane of this.#lanes) if (await lane.cancel(ticket)) return true
    return false
  }

  async pop(options: PopOptions = {}): Promise<T | undefined> {
    const { timeoutMs = 0, signal } = checkPopOptions(options)
    signal?.throwIfAborted()
    const deadlineMs = timeoutMs === 0 ? 0 : performance.now() + timeoutMs
    const found =
      (await this.#takeNow(signal)) ?? (deadlineMs === 0 ? undefined : await this.#await(deadlineMs, signal))
    if (found === undefined) return nothing()
    this.#popped += 1
    await found.lease.acknowledge()
    return found.value
  }

  /** All lanes work at a time, and share what they may do side by side. */
  work(handler: URL | string | MessageHandler<T>, options: ProcessOptions = {}): Processor {
    if (typeof handler !== 'function')
      throw new TypeError(
        'a queue with priorities is worked through by a function: threads of a module ask for no turn',
      )
    checkKeys('work()', options, processOptionNames)
    const { order = 'none' } = options
    if (order !== 'none')
      throw new TypeError("a queue with priorities has the order 'none': what is more urgent passes what is before it")
    const { concurrency = 1, limiter } = checkProcessOptions(options)
    const slots = new Slots(concurrency, this.#lanes.length, limiter)
    // The highest asks first for what is free.
    const ranks = [...this.#lanes.keys()].reverse()
    return new JoinedProcessor(ranks.map((rank) => this.#lanes[rank].work(handler, options, slots.ofRank(rank))))
  }

  async peek(): Promise<T | undefined> {
    for (const lane of this.#fromTop()) {
      const found = (await lane.size()) === 0 ? undefined : await lane.peek()
      if (found !== undefined) return found
    }
    return undefined
  }

  async size(): Promise<number> {
    return (await Promise.all(this.#lanes.map((lane) => lane.size()))).reduce((sum, size) => sum + size, 0)
  }

  async *browse(): AsyncIterableIterator<T> {
    for (const lane of this.#fromTop()) yield* lane.browse()
  }

  async clear(): Promise<void> {
    for (const lane of this.#lanes) await lane.clear()
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) yield (await this.pop({ timeoutMs: Number.POSITIVE_INFINITY })) as T
  }

  #laneOf(priority: number): TopicQueue<T> {
    return this.#lanes[checkInteger('priority', priority, 0, this.#lanes.length - 1)]
  }

  #fromTop(): TopicQueue<T>[] {
    return [...this.#lanes].reverse()
  }

  async #takeNow(signal: AbortSignal | undefined): Promise<Popped<T> | undefined> {
    const isTurnOfLowest = (this.#popped + 1) % turnOfLowest === 0
    for (const lane of isTurnOfLowest ? this.#lanes : this.#fromTop()) {
      const found = await lane.take(0, signal)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** All lanes are asked; what more than one has given goes back. */
  async #await(deadlineMs: number, signal: AbortSignal | undefined): Promise<Popped<T> | undefined> {
    const end = new AbortController()
    const onAbort = () => end.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort)
    try {
      const asked = this.#fromTop().map(async (lane) => {
        try {
          const found = await lane.take(deadlineMs, end.signal)
          if (found !== undefined) end.abort()
          return { found }
        } catch (error) {
          // That it ends is what the others are told.
          return end.signal.aborted ? {} : { error }
        }
      })
      // One that fails is told when the others have come to their ends: nothing is taken and lost.
      for (const each of asked) void each.then(({ error }) => error !== undefined && end.abort())
      const answers = await Promise.all(asked)
      const [first, ...more] = answers.flatMap(({ found }) => found ?? [])
      for (const { lease } of more) lease.giveBack(0)
      if (first !== undefined) return first
      signal?.throwIfAborted()
      const failed = answers.find(({ error }) => error !== undefined)
      if (failed !== undefined) throw failed.error
      return undefined
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }
}
