/** The options of `Group.process()`: documented, checked, completed; and what it returns. */
import type { ProcessOrder, ProcessorState, ProcessSettings } from '../engine/group-seat.js'
import { maxTimerMs } from '../limits.js'
import { checkBoolean, checkInteger, checkKeys, checkName, checkOneOf, checkSignal } from './validate.js'

/** How a processor goes to work. */
export interface ProcessOptions {
  /** Threads of this processor; `readers` of the log unless said. Of a function: calls side by side, 1 unless said. With order `topic` there is one, whatever is said. */
  concurrency?: number
  /** The most messages a call of the handler gets; 256 unless said. */
  batchSize?: number
  /**
   * `topic` (the default): strictly in order; a failing message holds up all behind it. `key`: messages of one key in order, keys in
   * parallel. `none`: everything in parallel, and a failing message comes again later.
   * Order is kept inside one processor: a group that needs it has one processor, and no other consumer.
   */
  order?: ProcessOrder
  /**
   * `copied` (the default): messages are the handler's own, and may be kept. `mapped`: they stand in the log's memory, read-only, and
   * without a copy; good until the call has settled, empty afterwards. Copy what is kept. A call that takes long keeps its segment
   * mapped, and from being deleted.
   */
  views?: 'copied' | 'mapped'
  /** Attempts at a failing message after the first one; 3 unless said. */
  retries?: number
  /** Pause before an attempt that follows a failed one, ms; doubled each time up to 30 s, less up to a half at random. 100 unless said. */
  backoffMs?: number
  /**
   * Attempts and pauses survive restarts: a message that failed is acknowledged and, in the same transaction, scheduled anew for the time when its pause is over
   * ({@link Topic.schedule}). It then stands at another offset, behind all others, and other groups of the topic see it once more; a dead letter says where it
   * stood first. With the order `none`, which a queue's `work` has unless said; there it is true unless said, otherwise false.
   */
  durableRetries?: boolean
  /**
   * At most `max` messages are begun in any `intervalMs`, however long that is; what is tried again counts again. For this processor: others of the group have their own. Of a
   * module it is messages that are taken which count.
   */
  limiter?: LimiterOptions
  /**
   * Topic that is told what becomes of each message: its result, in JSON, in one transaction with the acknowledgement where the log has transactions; what
   * `context.progress` says; that it was given up. A result is what a function returns; a module returns an array with that of each message of its batch, or nothing. The last
   * message there with a job's key, its `id` or its offset, is how it stands.
   */
  results?: string
  /** Topic that gets what cannot be handled. Without it the processor ends with the handler's error. */
  deadLetter?: string
  /** Where a group starts that has never been used: at the oldest readable message (the default), or at the next one. */
  from?: 'first' | 'next'
  /** A call that takes longer is ended with its thread, and counts as failed, ms; 60,000 unless said. A function is not ended: its signal fires. */
  timeoutMs?: number
  /** Heap of one thread, MiB; what Node gives it unless said. A handler that needs more is ended with its thread. */
  maxHeapMb?: number
  /** Handlers find a copy of it at `context.data`, one for each thread: what `structuredClone` copies. */
  data?: unknown
  /** Stops the processor, as {@link Processor.stop} does. */
  signal?: AbortSignal
}

/** How often a processor begins with a message. */
export interface LimiterOptions {
  /** So many, from 1 to 1,000,000, */
  max: number
  /** in any stretch of so long, ms. */
  intervalMs: number
}

/** A module, or a function, at work on the messages of a group. It keeps the process running until it is stopped. */
export interface Processor extends AsyncDisposable {
  /** Since it was started. */
  readonly stats: {
    /** Messages handled. */
    readonly processed: number
    /** Calls of the handler that failed. */
    readonly failed: number
    /** Messages stored as dead letters. */
    readonly deadLettered: number
  }
  /**
   * `stopped`: it has ended as it was asked to, by {@link stop}, its signal, the removal of its group or the closing of the log.
   * `failed`: by itself, and {@link error} says why; that is counted in `stats().errors` and told on the channel `bookend:error`.
   */
  readonly state: ProcessorState
  /** What {@link finished} rejects with. */
  readonly error: Error | undefined
  /**
   * Takes no more messages until {@link resume}. Messages it has not handled are for other consumers of the group meanwhile.
   * Resolves when no call of the handler is under way. As {@link stop} where the handler itself calls it.
   */
  pause(): Promise<void>
  /** Goes on where {@link pause} has stopped. */
  resume(): void
  /**
   * May be left alone: that it rejects is no unhandled rejection. Resolves when the processor has ended: by {@link stop}, its signal, the removal of its group or the closing of the log.
   * @throws `BOOKEND_HANDLER` if the module does not load or exports no function; what the handler threw, with `topic` and `offset`,
   *   if the message failed for good and there is no dead-letter topic; `BOOKEND_CORRUPT` likewise; `BOOKEND_IO`, `BOOKEND_WORKER`
   */
  readonly finished: Promise<void>
  /**
   * Resolves when everything that was published at the call is done: handled and acknowledged, or stored as a dead letter.
   * @throws as {@link finished}; `BOOKEND_CLOSED` if the processor was stopped before
   */
  idle(): Promise<void>
  /**
   * Ends within one call of the handler. What was handled is acknowledged when this resolves; the rest is for whoever comes next. Where the handler, a function, calls it itself,
   * it resolves at once, since it would wait for its own end: with Node below 24 only before the handler has waited for anything, later not before `timeoutMs`.
   */
  stop(): Promise<void>
}

export const processOptionNames = [
  'concurrency',
  'batchSize',
  'order',
  'views',
  'retries',
  'backoffMs',
  'durableRetries',
  'limiter',
  'results',
  'deadLetter',
  'from',
  'timeoutMs',
  'maxHeapMb',
  'data',
  'signal',
]
/** Of threads, and of what stands in the log's memory. */
const moduleOnly = ['batchSize', 'views', 'maxHeapMb'] as const
const maxLimit = 1_000_000
const maxConcurrency = 256
const maxHeapLimitMb = 1_048_576

/** @throws TypeError, RangeError */
export function checkProcessOptions(options: ProcessOptions): Omit<ProcessSettings, 'codec'> {
  checkKeys('process()', options, processOptionNames)
  const { concurrency, deadLetter, limiter, maxHeapMb, results } = options
  return {
    concurrency: concurrency === undefined ? undefined : checkInteger('concurrency', concurrency, 1, maxConcurrency),
    batchSize: checkInteger('batchSize', options.batchSize ?? 256, 1, 65_536),
    order: checkOneOf('order', options.order ?? 'topic', ['topic', 'key', 'none']),
    views: checkOneOf('views', options.views ?? 'copied', ['copied', 'mapped']),
    retries: checkInteger('retries', options.retries ?? 3, 0, 1_000_000),
    backoffMs: checkInteger('backoffMs', options.backoffMs ?? 100, 0, maxTimerMs),
    durableRetries: checkBoolean('durableRetries', options.durableRetries ?? false),
    limiter: limiter === undefined ? undefined : checkLimiter(limiter),
    results: results === undefined ? undefined : checkName('topic', results),
    deadLetter: deadLetter === undefined ? undefined : checkName('topic', deadLetter),
    from: checkOneOf('from', options.from ?? 'first', ['first', 'next']),
    timeoutMs: checkInteger('timeoutMs', options.timeoutMs ?? 60_000, 1, maxTimerMs),
    maxHeapMb: maxHeapMb === undefined ? undefined : checkInteger('maxHeapMb', maxHeapMb, 16, maxHeapLimitMb),
    signal: checkSignal(options.signal),
    data: checkCloneable(options.data),
  }
}

function checkLimiter(limiter: LimiterOptions): LimiterOptions {
  checkKeys('limiter', limiter, ['max', 'intervalMs'])
  const max = checkInteger('max of limiter', limiter.max, 1, maxLimit)
  return { max, intervalMs: checkInteger('intervalMs of limiter', limiter.intervalMs, 1, maxTimerMs) }
}

/** @throws TypeError where attempts cannot be kept in the log */
export function checkDurableRetries({ order = 'topic' }: ProcessOptions): void {
  if (order !== 'none')
    throw new TypeError("durableRetries: with the order 'none', since a message that failed comes again behind others")
}

/** For a function of this thread. @throws TypeError */
export function checkFunctionOptions(options: ProcessOptions): void {
  const wrong = moduleOnly.filter((name) => options?.[name] !== undefined)
  if (wrong.length > 0)
    throw new TypeError(
      `${wrong.join(', ')}: for handlers that are modules; a function gets one message a call, in this thread`,
    )
}

/** Now, and not in the thread that would not start: what cannot be sent there. */
function checkCloneable(data: unknown): unknown {
  try {
    return structuredClone(data)
  } catch (cause) {
    throw new TypeError('data is what structuredClone copies: no functions, no instances with methods', { cause })
  }
}
