/**
 * The reaper's thread, and the next one when it dies: nothing that the application waits for depends on a particular one.
 *
 * A call that the thread did not answer is made again to its successor; all of them may be made twice. A log whose reapers die
 * one after the other is not looked after: then the loss is announced, and appending ends.
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { BookendError, isThreadDeath } from '../errors.js'
import { closedError } from '../failures.js'
import { ControlChannel, type Remote } from '../threads/control-plane.js'
import { inheritedFlags } from '../threads/own-threads.js'
import type { OpenedLog, OpenRequest, ReaperControl, ReaperData, TakeOverRequest } from '../threads/protocol.js'
import type { ReaperEvent } from '../threads/reaper/reaper.js'
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
  remembered(): Pick<TakeOverRequest, 'retained' | 'groups'>
}

export class ReaperThread {
  readonly #shared: SharedMemory
  #worker: Worker
  #control: ControlChannel<ReaperControl>
  #events: MessagePort
  #exited: Promise<void>
  #opened: { request: OpenRequest; opened: OpenedLog } | undefined
  #listener: ReaperListener | undefined
  #isClosing = false
  #isLost = false
  #replacing: Promise<void> | undefined
  #deathTimes: number[] = []
  /** Died before anybody attended to it. */
  #earlyDeath: { exitCode: number; cause: unknown } | undefined

  /** @param orders the reaper's end of the way to the writer; none for a log that is opened read-only */
  constructor(shared: SharedMemory, orders: MessagePort | undefined) {
    this.#shared = shared
    const { worker, control, events, exited } = this.#start(orders)
    this.#worker = worker
    this.#control = control
    this.#events = events
    this.#exited = exited
  }

  get threadId(): number {
    return this.#worker.threadId
  }

  /** Makes a log where there is none. */
  create(request: Pick<OpenRequest, 'segmentBytes' | 'locks'>): Promise<boolean> {
    return this.#thread.control.remote.create(request)
  }

  /** Recovers the log. A reaper that dies meanwhile fails the opening. */
  async open(request: OpenRequest): Promise<OpenedLog | false> {
    const opened = await this.#control.remote.open(request)
    if (opened !== false) this.#opened = { request, opened }
    return opened
  }

  /** From here on a dead reaper is replaced; one that has died since it opened the log is replaced at once. */
  attend(listener: ReaperListener): void {
    this.#listener = listener
    this.#worker.unref()
    this.#events.unref()
    if (this.#earlyDeath !== undefined) this.#died(this.#earlyDeath.exitCode, this.#earlyDeath.cause)
  }

  /** Makes a call that may not be made twice: it fails if the reaper dies over it. */
  async callOnce<R>(call: (remote: Remote<ReaperControl>) => Promise<R>): Promise<R> {
    await this.#replacing
    try {
      return await call(this.#control.remote)
    } catch (error) {
      throw this.#outcome(error)
    }
  }

  /** Makes a call that may be made twice. */
  async call<R>(call: (remote: Remote<ReaperControl>) => Promise<R>): Promise<R> {
    for (;;) {
      await this.#replacing
      const control = this.#control
      try {
        return await call(control.remote)
      } catch (error) {
        if (!isThreadDeath(error) || this.#isClosing || this.#isLost || this.#listener === undefined)
          throw this.#outcome(error)
      }
    }
  }

  /** A reaper that ends because the log is closed has not died: what was asked of it is pending in a log that closes. */
  #outcome(error: unknown): unknown {
    return this.#isClosing && isThreadDeath(error) ? closedError(this.#shared.directory) : error
  }

  /** True if the reaper has stopped in order. */
  async close(isClean: boolean): Promise<boolean> {
    await this.#replacing
    this.#isClosing = true
    const isDone = await this.#control.remote.close(isClean).then(
      () => true,
      () => false,
    )
    if (isDone) await this.#exited
    return isDone
  }

  async terminate(): Promise<void> {
    this.#isClosing = true
    await this.#worker.terminate()
    this.#events.close()
  }

  #start(orders: MessagePort | undefined) {
    const events = new MessageChannel()
    // A bare literal: bundlers find the worker by it.
    const worker = new Worker(new URL('../../workers/reaper.js', import.meta.url), {
      ...inheritedFlags(),
      name: 'bookend-reaper',
      workerData: { isOwnThread: true, shared: this.#shared, events: events.port2, orders } satisfies ReaperData,
      transferList: orders === undefined ? [events.port2] : [events.port2, orders],
    })
    const control = new ControlChannel<ReaperControl>(worker, 'reaper')
    events.port1.on('message', (event: ReaperEvent) => this.#listener?.onEvent(event))
    let cause: unknown
    worker.once('error', (error) => {
      cause = error
    })
    const exited = new Promise<void>((resolve) => {
      worker.once('exit', (exitCode) => {
        events.port1.close()
        resolve()
        if (worker === this.#worker) this.#died(exitCode, cause)
      })
    })
    return { worker, control, events: events.port1, exited }
  }

  #died(exitCode: number, cause: unknown): void {
    // A successor that dies before it has taken over is the business of the loop that started it.
    if (this.#isClosing || this.#replacing !== undefined) return
    if (this.#listener === undefined) {
      this.#earlyDeath = { exitCode, cause }
      return
    }
    this.#replacing = this.#replace(exitCode, cause).finally(() => {
      this.#replacing = undefined
    })
  }

  async #replace(exitCode: number, cause: unknown): Promise<void> {
    const listener = this.#listener as ReaperListener
    // The last answers of the dead one have arrived by now, but not yet where they are waited for.
    await new Promise(setImmediate)
    for (;;) {
      const now = performance.now()
      this.#deathTimes = this.#deathTimes.filter((time) => now - time < deathPeriodMs)
      this.#deathTimes.push(now)
      if (this.#deathTimes.length > maxDeaths || this.#opened === undefined) {
        this.#isLost = true
        listener.onDeath(exitCode, cause, false)
        return
      }
      if (await this.#succeed(listener)) break
      if (this.#isClosing) return
      await new Promise((resolve) => setTimeout(resolve, restartPauseMs))
    }
    listener.onDeath(exitCode, cause, true)
  }

  async #succeed(listener: ReaperListener): Promise<boolean> {
    try {
      const { request, opened } = this.#opened as { request: OpenRequest; opened: OpenedLog }
      const orders = request.readOnly ? undefined : new MessageChannel()
      // Without a writer there is nobody to give orders to, and no more than reading.
      if (orders !== undefined) await listener.meetReaper(orders.port2).catch(() => {})
      const { worker, control, events, exited } = this.#start(orders?.port1)
      this.#worker = worker
      this.#control = control
      this.#events = events
      this.#exited = exited
      worker.unref()
      events.unref()
      await control.remote.takeOver({ request, opened, ...listener.remembered() })
      return true
    } catch (error) {
      // An answer, not a death: the device failed while the log was taken over. The thread cannot be of use.
      if (!isThreadDeath(error)) await this.#worker.terminate().catch(() => {})
      return false
    }
  }
}

export function reaperDeathError(exitCode: number, cause: unknown): BookendError {
  const message = `the reaper thread died (exit code ${exitCode}): the log can be read, but takes no more appends until it is opened again`
  return new BookendError('BOOKEND_WORKER', message, { cause })
}
