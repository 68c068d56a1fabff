/**
 * A log in the test's own thread with a processor on it: real frames, real reading, real task loop and narrowing; only the threads are
 * missing. "Death" of a thread is a task that never goes on, whose caller is told that its thread has ended.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { GroupDesk } from '../../src/dispatcher/groups/group-desk.js'
import type { Lease } from '../../src/dispatcher/groups/lease.js'
import type { HandlerThreads } from '../../src/dispatcher/processing/handler-runner.js'
import { GroupProcessor, type ProcessorHost, type ProcessorOptions } from '../../src/dispatcher/processing/processor.js'
import type { HandlerContext } from '../../src/engine/handler.js'
import { BookendError } from '../../src/errors.js'
import type { Message } from '../../src/messages/message.js'
import type { MessageBatch } from '../../src/messages/message-batch.js'
import type { CallAppends, HandlerMeans } from '../../src/threads/reader/handler.js'
import { HandlerTasks } from '../../src/threads/reader/handler-run.js'
import type { ReadTask } from '../../src/threads/reader/reader.js'
import { Engine } from './engine.js'
import { fixtureUrl } from './fixtures.js'
import { storedGroup } from './stored-groups.js'
import { simulatedWorld } from './worlds.js'

export const handlerModule = fixtureUrl('handler-in-process.mjs')
const handlerKey = Symbol.for('bookend.test.handler')

type Handler = (messages: Message[], context: HandlerContext) => unknown

/** What the test's handler does from now on. */
export function setHandler(handler: Handler): void {
  const globals = globalThis as { [handlerKey]?: (batch: MessageBatch, context: HandlerContext) => unknown }
  globals[handlerKey] = (batch, context) => {
    // A dead thread runs nothing any more.
    if (thread.getStore()?.isDead === true) return never
    return handler([...batch], context)
  }
}

interface Thread {
  isDead: boolean
  die(): void
}

const thread = new AsyncLocalStorage<Thread>()
export const never = new Promise<never>(() => {})

/** Inside a handler: the thread ends. Return what this returns. */
export function die(): Promise<never> {
  thread.getStore()?.die()
  return never
}

/** Inside a handler: what ends this thread later, behind its back. */
export function deathOfThisThread(): () => void {
  const store = thread.getStore()
  return () => store?.die()
}

const nothing = () => {
  throw new Error('the handler of this test appends nothing')
}

/** The call of a handler that appends nothing. */
export const appendsNothing: CallAppends = {
  append: nothing,
  schedule: nothing,
  say: nothing,
  count: 0,
  write: async () => true,
  end: () => {},
}

/** A desk that writes down what it is told. */
export class RecordingDesk extends GroupDesk {
  readonly acknowledged: { first: number; end: number }[] = []
  onAcknowledge: (first: number, end: number) => void = () => {}

  override acknowledge(lease: Pick<Lease, 'generation'>, first: number, end: number): Promise<void> {
    this.acknowledged.push({ first, end })
    this.onAcknowledge(first, end)
    return super.acknowledge(lease, first, end)
  }
}

export interface DeadLetter {
  value: Uint8Array
  key: Uint8Array | undefined
  headers: Record<string, string>
}

export class ProcessingWorld {
  readonly engine: Engine
  readonly topic = { id: 0, name: 't' }
  readonly deadLetters: DeadLetter[] = []
  /** Where dead letters go; those that nobody else takes are kept here. */
  letters: ProcessorHost['store'] = async (_, { value, extras }) => {
    await this.beforeDeadLetter()
    const headers = JSON.parse(new TextDecoder().decode(extras.headers)) as Record<string, string>
    this.deadLetters.push({ value: value.slice(), key: extras.key?.slice(), headers })
    return true
  }
  /** Called before a dead letter is stored: may throw, or take its time. */
  beforeDeadLetter: () => void | Promise<void> = () => {}
  /** What processors have told that nobody has asked for. */
  readonly failures: Error[] = []
  /** What handlers have to work with. */
  means: HandlerMeans = { data: undefined, beginAppends: () => appendsNothing }
  /** Tasks given to threads. */
  tasks = 0
  readonly #waiting = new Set<{ offset: number; resolve: () => void }>()

  constructor() {
    this.engine = new Engine(simulatedWorld(), { ringBytes: 1 << 20 })
    this.engine.offer([{ declare: 't', topic: 0 }])
    this.engine.writer.doWork()
  }

  get next(): number {
    return this.engine.cells.next(0).load()
  }

  append(values: readonly { value: Uint8Array; key?: Uint8Array; headers?: Record<string, string> }[]): void {
    for (const { value, key, headers } of values) {
      const encoded = headers === undefined ? undefined : new TextEncoder().encode(JSON.stringify(headers))
      const extras = key === undefined && encoded === undefined ? undefined : { key, headers: encoded }
      if (this.engine.offer([{ topic: 0, value, extras }]) < 0) throw new Error('the ring of the test is full')
      this.engine.writer.doWork()
    }
    for (const waiter of this.#waiting) {
      if (waiter.offset >= this.next) continue
      this.#waiting.delete(waiter)
      waiter.resolve()
    }
  }

  desk(name = 'g'): RecordingDesk {
    // Written a little later, as in life.
    const commit = () => new Promise<void>((resolve) => setImmediate(resolve))
    return new RecordingDesk({
      ...storedGroup({ topic: this.topic, name }, commit),
      first: () => this.engine.cells.first(0).load(),
      next: () => this.next,
      whenNext: (offset, resolve) => {
        if (this.next > offset) {
          resolve()
          return () => {}
        }
        const waiter = { offset, resolve }
        this.#waiting.add(waiter)
        return () => this.#waiting.delete(waiter)
      },
      checkOpen: () => {},
      onSkipped: () => {},
    })
  }

  process(desk: GroupDesk, options: Partial<ProcessorOptions> = {}, deadLetter = true): GroupProcessor {
    const host: ProcessorHost = {
      maxMessageBytes: 1 << 20,
      next: () => this.next,
      record: async (_, offset) => {
        const bytes = this.engine.reader.readOne(0, offset)
        return { bytes: bytes ?? new Uint8Array(0), length: bytes?.length ?? 0 }
      },
      store: (...letter) => this.letters(...letter),
      threads: this.#threads(),
      deadLetter: deadLetter ? { id: 1, name: 'dead' } : undefined,
      onFailure: (error) => this.failures.push(error),
    }
    return new GroupProcessor(desk, host, handlerModule, {
      concurrency: 2,
      batchSize: 256,
      order: 'topic',
      views: 'copied',
      codec: undefined,
      timeoutMs: 60_000,
      from: 'first',
      signal: undefined,
      retries: 3,
      backoffMs: 1,
      ...options,
    })
  }

  #threads(): HandlerThreads {
    const tasks = new HandlerTasks((_, request) => this.engine.reader.readMapped(request), this.means)
    return {
      run: (task: ReadTask, signal) => {
        this.tasks += 1
        if (task.op !== 'process') throw new Error(`no processor gives a task like ${task.op}`)
        return new Promise((resolve, reject) => {
          const death = (cause: Error) => {
            store.isDead = true
            reject(new BookendError('BOOKEND_WORKER', `a reader thread died during a task: ${cause}`, { cause }))
          }
          const store: Thread = { isDead: false, die: () => death(new Error('worker exited with code: 7')) }
          signal.addEventListener('abort', () => death(new Error('The task has been aborted')))
          // A turn later, as from another thread.
          setImmediate(() => {
            void thread
              .run(store, () => tasks.run(task))
              .then((answer) => {
                if (!store.isDead) setImmediate(resolve, structuredClone(answer))
              }, reject)
          })
        })
      },
      ended: () => new Promise(setImmediate),
      close: () => Promise.resolve(),
    }
  }
}
