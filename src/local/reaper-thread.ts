/**
 * The reaper's thread, and the next one when it dies: nothing that the application waits for depends on a particular one.
 *
 * A call that the thread did not answer is made again to its successor; all of them may be made twice. A log whose reapers die
 * one after the other is not looked after: then the loss is announced, and appending ends.
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { assert, isThreadDeath } from '../errors.js'
import { closedError } from '../failures.js'
import { ControlChannel, type Remote } from '../threads/control-plane.js'
import { inheritedFlags, smallYoungGeneration } from '../threads/own-threads.js'
import type { OpenedLog, OpenRequest, ReaperControl, ReaperData, TakeOverRequest } from '../threads/protocol.js'
import type { ReaperEvent } from '../threads/reaper/reaper-event.js'
import type { SharedMemory } from '../threads/shared-memory.js'

/** More deaths than this within the period are not bad luck but a bug, or a device that ends whoever touches it. */
const maxDeaths = 12
const deathPeriodMs = 10_000
/** Before another try where the thread cannot even be started (no descriptor, no memory). */
const restartPauseMs = 50

export interface ReaperListener {
  onEvent(event: ReaperEvent): void
  /** A reaper has died; `isReplaced`: another goes on. Without: there will be none. */
  onDeath(exitCode: number, cause: unknown, isReplaced: boolean): void
  /** Makes the writer take the orders of the next reaper, which come through this port. */
  meetReaper(orders: MessagePort): Promise<void>
  /** What the next reaper cannot find in files and shared words. */
  remembered(): Pick<TakeOverRequest, 'retained' | 'indexed' | 'groups'>
}

/** What a reaper opened, and its successors take over. */
interface LogInCare {
  readonly request: OpenRequest
  readonly opened: OpenedLog
}

/**
 * ```
 * starting -> opened -> attended <-> replacing -> lost
 *                    -> orphaned  -> replacing
 * any -> closing
 * ```
 */
type Stage =
  /** The log is not open yet: a death fails the opening. */
  | { readonly name: 'starting' }
  /** Nobody attends to the thread yet. */
  | { readonly name: 'opened'; readonly log: LogInCare }
  /** Died before anybody attended to it. */
  | { readonly name: 'orphaned'; readonly log: LogInCare; readonly exitCode: number; readonly cause: unknown }
  /** At work; if it dies, it is replaced. */
  | { readonly name: 'attended'; readonly log: LogInCare; readonly listener: ReaperListener }
  | { readonly name: 'replacing'; readonly listener: ReaperListener; readonly done: Promise<void> }
  /** They died one after the other: there will be none. */
  | { readonly name: 'lost' }
  /** Whatever ends now ends because it shall. */
  | { readonly name: 'closing' }

const mayFollow: Readonly<Record<Stage['name'], readonly Stage['name'][]>> = {
  starting: ['opened', 'closing'],
  opened: ['attended', 'orphaned', 'closing'],
  orphaned: ['replacing', 'closing'],
  attended: ['replacing', 'closing'],
  replacing: ['attended', 'lost', 'closing'],
  lost: ['closing'],
  closing: ['closing'],
}

/** One thread, as long as it lives. */
interface Incarnation {
  readonly worker: Worker
  readonly control: ControlChannel<ReaperControl>
  readonly events: MessagePort
  readonly exited: Promise<void>
}

export class ReaperThread {
  readonly #shared: SharedMemory
  #thread: Incarnation
  #stage: Stage = { name: 'starting' }
  #deathTimes: number[] = []

  /** @param orders the reaper's end of the way to the writer; none for a log that is opened read-only */
  constructor(shared: SharedMemory, orders: MessagePort | undefined) {
    this.#shared = shared
    this.#thread = this.#start(orders)
  }

  get threadId(): number {
    return this.#thread.worker.threadId
  }

  /** Makes a log where there is none. */
  create(request: Pick<OpenRequest, 'segmentBytes' | 'locks'>): Promise<boolean> {
    return this.#thread.control.remote.create(request)
  }

  /** Recovers the log. A reaper that dies meanwhile fails the opening. */
  async open(request: OpenRequest): Promise<OpenedLog | false> {
    const opened = await this.#thread.control.remote.open(request)
    if (opened !== false) this.#enter({ name: 'opened', log: { request, opened } })
    return opened
  }

  /** From here on a dead reaper is replaced; one that has died since it opened the log is replaced at once. */
  attend(listener: ReaperListener): void {
    const stage = this.#stage
    assert(stage.name === 'opened' || stage.name === 'orphaned', 'a reaper is attended to once it has opened the log')
    this.#thread.worker.unref()
    this.#thread.events.unref()
    if (stage.name === 'opened') this.#enter({ name: 'attended', log: stage.log, listener })
    else this.#replaceWith(stage.log, listener, stage.exitCode, stage.cause)
  }

  /** Makes a call that may not be made twice: it fails if the reaper dies over it. */
  async callOnce<R>(call: (remote: Remote<ReaperControl>) => Promise<R>): Promise<R> {
    await this.#replaced()
    try {
      return await call(this.#thread.control.remote)
    } catch (error) {
      throw this.#outcome(error)
    }
  }

  /** Makes a call that may be made twice. */
  async call<R>(call: (remote: Remote<ReaperControl>) => Promise<R>): Promise<R> {
    for (;;) {
      await this.#replaced()
      try {
        return await call(this.#thread.control.remote)
      } catch (error) {
        const { name } = this.#stage
        const isAnsweredByNext = name === 'attended' || name === 'replacing'
        if (!isThreadDeath(error) || !isAnsweredByNext) throw this.#outcome(error)
      }
    }
  }

  /** A reaper that ends because the log is closed has not died: what was asked of it is pending in a log that closes. */
  #outcome(error: unknown): unknown {
    return this.#stage.name === 'closing' && isThreadDeath(error) ? closedError(this.#shared.directory) : error
  }

  /** True if the reaper has stopped in order. */
  async close(isClean: boolean): Promise<boolean> {
    await this.#replaced()
    this.#enter({ name: 'closing' })
    const isDone = await this.#thread.control.remote.close(isClean).then(
      () => true,
      () => false,
    )
    if (isDone) await this.#thread.exited
    return isDone
  }

  async terminate(): Promise<void> {
    this.#enter({ name: 'closing' })
    await this.#thread.worker.terminate()
    this.#thread.events.close()
  }

  #enter(next: Stage): void {
    const { name } = this.#stage
    assert(mayFollow[name].includes(next.name), `the reaper's thread does not go from ${name} to ${next.name}`)
    this.#stage = next
  }

  /** Resolves when no replacement is under way. */
  async #replaced(): Promise<void> {
    if (this.#stage.name === 'replacing') await this.#stage.done
  }

  #start(orders: MessagePort | undefined): Incarnation {
    const events = new MessageChannel()
    // A bare literal: bundlers find the worker by it.
    const worker = new Worker(new URL('../../workers/reaper.cjs', import.meta.url), {
      ...inheritedFlags(),
      name: 'bookend-reaper',
      resourceLimits: smallYoungGeneration,
      workerData: { isOwnThread: true, shared: this.#shared, events: events.port2, orders } satisfies ReaperData,
      transferList: orders === undefined ? [events.port2] : [events.port2, orders],
    })
    const control = new ControlChannel<ReaperControl>(worker, 'reaper')
    events.port1.on('message', (told: readonly ReaperEvent[]) => {
      for (const event of told) this.#listener?.onEvent(event)
    })
    let cause: unknown
    worker.once('error', (error) => {
      cause = error
    })
    const exited = new Promise<void>((resolve) => {
      worker.once('exit', (exitCode) => {
        events.port1.close()
        resolve()
        if (worker === this.#thread.worker) this.#died(exitCode, cause)
      })
    })
    return { worker, control, events: events.port1, exited }
  }

  get #listener(): ReaperListener | undefined {
    const stage = this.#stage
    return stage.name === 'attended' || stage.name === 'replacing' ? stage.listener : undefined
  }

  #died(exitCode: number, cause: unknown): void {
    const stage = this.#stage
    if (stage.name === 'opened') this.#enter({ name: 'orphaned', log: stage.log, exitCode, cause })
    else if (stage.name === 'attended') this.#replaceWith(stage.log, stage.listener, exitCode, cause)
    // Otherwise it ends as it shall, or fails the opening; and a successor that dies before it has taken over is the business of the
    // loop that started it.
  }

  #replaceWith(log: LogInCare, listener: ReaperListener, exitCode: number, cause: unknown): void {
    const done = this.#replace(log, listener).then((isReplaced) => {
      if (this.#stage.name === 'closing') return
      this.#enter(isReplaced ? { name: 'attended', log, listener } : { name: 'lost' })
      listener.onDeath(exitCode, cause, isReplaced)
    })
    this.#enter({ name: 'replacing', listener, done })
  }

  /** False: there will be no other, or the log closes. */
  async #replace(log: LogInCare, listener: ReaperListener): Promise<boolean> {
    // The last answers of the dead one have arrived by now, but not yet where they are waited for.
    await new Promise(setImmediate)
    for (;;) {
      const now = performance.now()
      this.#deathTimes = this.#deathTimes.filter((time) => now - time < deathPeriodMs)
      this.#deathTimes.push(now)
      if (this.#deathTimes.length > maxDeaths) return false
      if (await this.#succeed(log, listener)) return true
      if (this.#stage.name === 'closing') return false
      await new Promise((resolve) => setTimeout(resolve, restartPauseMs))
    }
  }

  async #succeed(log: LogInCare, listener: ReaperListener): Promise<boolean> {
    try {
      const orders = log.request.readOnly ? undefined : new MessageChannel()
      // Without a writer there is nobody to give orders to, and no more than reading.
      if (orders !== undefined) await listener.meetReaper(orders.port2).catch(() => {})
      // Nobody would end it.
      if (this.#stage.name === 'closing') return false
      this.#thread = this.#start(orders?.port1)
      const { worker, events, control } = this.#thread
      worker.unref()
      events.unref()
      await control.remote.takeOver({ ...log, ...listener.remembered() })
      return true
    } catch (error) {
      // An answer, not a death: the device failed while the log was taken over. The thread cannot be of use.
      if (!isThreadDeath(error)) await this.#thread.worker.terminate().catch(() => {})
      return false
    }
  }
}
