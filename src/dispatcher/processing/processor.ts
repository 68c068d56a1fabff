/**
 * A processor: takes messages of a group from its desk, has them handled in threads of its own, and acknowledges them.
 *
 * | order | takes | failing message |
 * | --- | --- | --- |
 * | topic | one window at a time, one lane | holds up everything behind it until it is done |
 * | key | windows in a row, all lanes walk the same ones, each seeing its own keys | holds up its lane |
 * | none | a window for each lane | is given back, to come again later, while the others go on |
 *
 * Invariants: an offset is acknowledged when every lane has passed it, and once; a lane passes a message when it was handled, or
 * stored as a dead letter, and not before; a window that is left behind unfinished is given back. A window grows only while all
 * its lanes are in it: what is published goes to threads that wait at its end, without a new task.
 */

import type { HandlerViews, ProcessOrder, ProcessorState } from '../../engine/group-seat.js'
import type { Durability } from '../../engine/terms.js'
import { assert, BookendError } from '../../errors.js'
import type { CodecName } from '../../messages/codec.js'
import { HandlerWords } from '../../ring/handler-words.js'
import { type GroupDesk, GroupRemovedError } from '../groups/group-desk.js'
import type { GroupLedger } from '../groups/group-ledger.js'
import type { Lease } from '../groups/lease.js'
import { type DeadLetterHost, DeadLetters } from './dead-letters.js'
import { HandlerRunner, type HandlerThreads, type Outcome } from './handler-runner.js'
import { type LaneTask, LeasedWindow } from './leased-window.js'
import { backoffAfter, mayRetry, type RetryPolicy } from './retry-policy.js'

/** How to process, complete and checked. */
export interface ProcessorOptions extends RetryPolicy {
  readonly concurrency: number
  readonly batchSize: number
  readonly order: ProcessOrder
  readonly views: HandlerViews
  /** Of the topic; undefined: handlers get bytes. */
  readonly codec: CodecName | undefined
  readonly timeoutMs: number
  readonly from: 'first' | 'next'
  readonly signal: AbortSignal | undefined
}

/** What a processor needs of its log. */
export interface ProcessorHost extends DeadLetterHost {
  readonly durability: Durability
  /** Offset of the topic's next message. */
  next(topic: { readonly id: number; readonly name: string }): number
  readonly threads: HandlerThreads
  readonly deadLetter: { readonly id: number; readonly name: string } | undefined
  /** Something has ended the processor that nobody has asked for. Told once, before {@link GroupProcessor.finished} rejects. */
  onFailure(error: Error): void
}

/** Windows grow from one batch up to this while their tasks are short. */
const maxWindowCount = 65_536
const shortTaskMs = 10
const longTaskMs = 50
/** How far the fastest lane may be ahead of the slowest. */
const maxRowCount = 2 * maxWindowCount
/** What a long task has done is acknowledged this often. */
const reportEveryMs = 50
/** The first pause after something that is nobody's fault. */
const shortPauseMs = 50
/** Threads that die with nothing in hand, one after the other, before the processor gives up. */
const maxLosses = 10

interface Idler {
  target: number
  resolve(): void
  reject(error: unknown): void
}

/** Messages that cannot be read, and that the processor goes on behind. */
interface MetDamage {
  first: number
  end: number
  /** Resolves when its dead letter is stored; false: it could not be, as the processor stops. */
  stored: Promise<boolean>
}

/**
 * A round is what all lanes do between two pauses: `working` in the middle of one, `pausing`, `resuming` and `stopping` while its lanes end,
 * and what they have done is committed.
 * ```
 * loading -> working -> pausing -> paused -> resuming -> working      pausing <-> resuming
 * any -> stopping -> ended        working -> ended: the group was removed
 * ```
 */
type Stage = 'loading' | 'working' | 'pausing' | 'paused' | 'resuming' | 'stopping' | 'ended'

const mayFollow: Readonly<Record<Stage, readonly Stage[]>> = {
  loading: ['working', 'pausing', 'stopping', 'ended'],
  working: ['pausing', 'stopping', 'ended'],
  pausing: ['paused', 'resuming', 'stopping'],
  paused: ['resuming', 'stopping', 'ended'],
  resuming: ['working', 'pausing', 'stopping', 'ended'],
  stopping: ['ended'],
  ended: [],
}

export class GroupProcessor implements AsyncDisposable {
  readonly stats = { processed: 0, failed: 0, deadLettered: 0 }
  /** Resolves when the processor has ended because it was asked to; rejects with what ended it otherwise. */
  readonly finished: Promise<void>
  readonly #desk: GroupDesk
  readonly #host: ProcessorHost
  readonly #module: string
  readonly #options: ProcessorOptions
  readonly #runner: HandlerRunner
  readonly #deadLetters: DeadLetters | undefined
  readonly #lanes: number
  #ledger: GroupLedger | undefined
  #stage: Stage = 'loading'
  #failure: { error: Error } | undefined
  #windowCount: number
  #losses = 0
  /** Windows that all lanes walk, in order; the first one is number `#rowStart`. */
  readonly #row: LeasedWindow[] = []
  #rowStart = 0
  #extending: Promise<boolean> | undefined
  /** Damage that was met. All lanes meet the same. */
  readonly #damages: MetDamage[] = []
  /** Acknowledgements that are not written yet. */
  readonly #commits = new Set<Promise<void>>()
  /** Windows that grow by what is published, and what gives that up. */
  readonly #growing = new Map<LeasedWindow, () => void>()
  #reportedMs = 0
  readonly #idlers: Idler[] = []
  /** Woken at a stop, a seek, an acknowledgement by others: each looks whether it is concerned. */
  readonly #sleepers = new Set<() => void>()

  constructor(desk: GroupDesk, host: ProcessorHost, module: string, options: ProcessorOptions) {
    this.#desk = desk
    this.#host = host
    this.#module = module
    this.#options = options
    this.#lanes = options.order === 'topic' ? 1 : options.concurrency
    this.#windowCount = options.batchSize
    this.#runner = new HandlerRunner(host.threads, options.timeoutMs)
    const { deadLetter } = host
    this.#deadLetters = deadLetter && new DeadLetters(host, desk.topic, desk.name, deadLetter)
    this.finished = this.#run()
    // Whoever wants to know asks for it.
    this.finished.catch(() => {})
  }

  get state(): ProcessorState {
    if (this.#failure !== undefined) return 'failed'
    if (this.#stage === 'ended') return 'stopped'
    return this.#stage === 'pausing' || this.#stage === 'paused' ? 'paused' : 'running'
  }

  get error(): Error | undefined {
    return this.#failure?.error
  }

  /**
   * Takes no more messages until {@link resume}. What is not handled is given back, for other processors of the group. Resolves
   * when no call of the handler is under way.
   */
  async pause(): Promise<void> {
    if (this.#stage === 'loading' || this.#stage === 'working' || this.#stage === 'resuming') this.#endRound('pausing')
    await this.#until(() => this.#stage !== 'pausing' && this.#stage !== 'stopping')
  }

  resume(): void {
    if (this.#stage !== 'pausing' && this.#stage !== 'paused') return
    this.#enter('resuming')
    this.#wake()
  }

  /**
   * Resolves when everything that is published now is done: handled, or stored as a dead letter.
   * @throws what ended the processor before that
   */
  idle(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#idlers.push({ target: this.#host.next(this.#desk.topic), resolve, reject })
      // Tasks that wait for more would be in the way: what they have done is acknowledged when they end.
      for (const window of [...this.#growing.keys()]) this.#stopGrowing(window)
      this.#settleIdlers()
    })
  }

  /** Ends within one batch. What was handled is acknowledged when this resolves, the rest stays for whoever comes next. */
  stop(): Promise<void> {
    this.#askStop()
    return this.finished.catch(() => {})
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #askStop(): void {
    if (this.#stage !== 'stopping' && this.#stage !== 'ended') this.#endRound('stopping')
  }

  #enter(next: Stage): void {
    assert(mayFollow[this.#stage].includes(next), `a processor does not go from ${this.#stage} to ${next}`)
    this.#stage = next
  }

  #endRound(next: 'pausing' | 'stopping'): void {
    this.#enter(next)
    this.#runner.stop()
    this.#wake()
  }

  async #run(): Promise<void> {
    const { from, signal, order } = this.#options
    const onAbort = () => this.#askStop()
    signal?.addEventListener('abort', onAbort)
    if (signal?.aborted) onAbort()
    this.#desk.changes.add(this.#onChange)
    try {
      // A module that does not load is told at once, not with the first message.
      await Promise.all([this.#desk.open(from), this.#loadModule()])
      this.#ledger = this.#desk.ledger
      this.#settleIdlers()
      const serve = order === 'key' ? (lane: number) => this.#serveRow(lane) : () => this.#serveWindows()
      while (await this.#beginRound()) {
        const lanes = Array.from({ length: this.#lanes }, (_, lane) => serve(lane))
        // Nothing is under way when the processor has ended, so all lanes end before the first failure is told.
        await Promise.all(lanes.map((lane) => lane.catch((error) => this.#end(error))))
        for (const window of this.#row.splice(0)) this.#giveBack(window)
        this.#rowStart = 0
        await Promise.all(this.#commits)
        // A round that nobody has ended is over because the group is gone.
        if (this.#stage === 'working') break
      }
    } catch (error) {
      this.#end(error)
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#desk.changes.delete(this.#onChange)
      await this.#host.threads.close()
      this.#enter('ended')
      this.#settleIdlers()
      this.#wake()
    }
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** A new round only when all lanes have left the one before: none may be ahead of what another has given back. False: there is none. */
  async #beginRound(): Promise<boolean> {
    for (;;) {
      if (this.#stage === 'pausing') {
        this.#enter('paused')
        this.#wake()
      }
      await this.#until(() => this.#stage !== 'paused' || !this.#isOurs())
      if (this.#stage === 'pausing') continue
      if (this.#stage === 'stopping' || !this.#isOurs()) return false
      this.#enter('working')
      this.#runner.resume()
      return true
    }
  }

  /** No more messages, for this reason. That the log or the group ends is not a failure. */
  #end(error: unknown): void {
    if (this.#failure === undefined && !(error instanceof GroupRemovedError) && !isClosed(error)) {
      this.#failure = { error: error instanceof Error ? error : new Error(String(error)) }
      this.#host.onFailure(this.#failure.error)
    }
    this.#askStop()
  }

  readonly #onChange = (): void => {
    // The change is made, but its commit is handed over only now.
    if (this.#idlers.length > 0) queueMicrotask(() => this.#settleIdlers())
    this.#wake()
  }

  #wake(): void {
    for (const look of this.#sleepers) look()
  }

  /** Resolves when the condition holds, looking whenever something has changed, or after so long. */
  #until(condition: () => boolean, timeoutMs?: number): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined
      const done = () => {
        clearTimeout(timer)
        this.#sleepers.delete(look)
        resolve()
      }
      const look = () => {
        if (condition()) done()
      }
      if (timeoutMs !== undefined) timer = setTimeout(done, timeoutMs)
      this.#sleepers.add(look)
    })
  }

  #settleIdlers(): void {
    const committed = this.#ledger !== undefined && this.#isOurs() ? this.#ledger.committed : -1
    for (const idler of this.#idlers.splice(0)) {
      if (committed >= idler.target) {
        void Promise.all(this.#commits).then(() =>
          this.#failure === undefined ? idler.resolve() : idler.reject(this.#failure.error),
        )
      } else if (this.#stage === 'ended')
        idler.reject(this.#failure === undefined ? this.#stoppedError() : this.#failure.error)
      else this.#idlers.push(idler)
    }
  }

  #stoppedError(): unknown {
    const { signal } = this.#options
    if (signal?.aborted) return signal.reason
    const message = `the processor of group "${this.#desk.name}" was stopped before everything was done`
    return new BookendError('BOOKEND_CLOSED', message)
  }

  /** A task without messages. */
  async #loadModule(): Promise<void> {
    const { topic, name: group } = this.#desk
    await this.#runner.run(
      {
        ...{ topic: { id: topic.id, name: topic.name }, from: 0, lane: 0, lanes: 1, resume: undefined },
        ...{
          module: this.#module,
          codec: this.#options.codec,
          group,
          batchSize: 1,
          views: 'copied',
          attempt: 1,
          firstAttempt: 0,
        },
      },
      HandlerWords.allocate(0, 0, 0, false),
    )
  }

  /** Orders `topic` and `none`: a lane works on windows of its own. */
  async #serveWindows(): Promise<void> {
    for (let lease = await this.#lease(); lease !== undefined; lease = await this.#lease()) {
      const window = new LeasedWindow(lease, 1)
      // Where there is no order the free lanes come first.
      if (this.#lanes === 1) this.#grow(window)
      await this.#work(window, 0)
    }
  }

  /** Order `key`: every lane walks every window. */
  async #serveRow(lane: number): Promise<void> {
    let index = 0
    for (let window = await this.#inRow(index); window !== undefined; window = await this.#inRow(index)) {
      await this.#work(window, lane)
      index += 1
    }
  }

  /** The window with that number; undefined: there will be none. */
  async #inRow(index: number): Promise<LeasedWindow | undefined> {
    for (;;) {
      assert(index >= this.#rowStart, 'a window stays in the row until all lanes have left it')
      const window = this.#row[index - this.#rowStart]
      if (window !== undefined) return window
      await this.#until(() => this.#stage !== 'working' || this.#rowCount() < maxRowCount)
      this.#extending ??= this.#extendRow().finally(() => {
        this.#extending = undefined
      })
      if (!(await this.#extending)) return undefined
    }
  }

  async #extendRow(): Promise<boolean> {
    const lease = await this.#lease()
    if (lease === undefined) return false
    const window = new LeasedWindow(lease, this.#lanes)
    this.#row.push(window)
    this.#grow(window)
    return true
  }

  /** Adds to the window what is published from now on, as long as all its lanes are in it and keep up. */
  #grow(window: LeasedWindow): void {
    const { lease } = window
    if (lease.attempt > 1 || this.#stage !== 'working' || this.#idlers.length > 0) return
    window.open()
    const stop = this.#desk.extend({
      lease,
      get end() {
        return window.end
      },
      room: () => Math.min(this.#windowCount - window.ahead, maxWindowCount - window.count),
      onExtended: (end) => {
        window.grow(end)
        this.#report(window)
      },
      onOver: () => {
        this.#growing.delete(window)
        window.close()
      },
    })
    if (window.isOpen) this.#growing.set(window, stop)
  }

  #stopGrowing(window: LeasedWindow): void {
    const stop = this.#growing.get(window)
    this.#growing.delete(window)
    window.close()
    stop?.()
  }

  /** Acknowledges now and then what tasks have done that go on and on. */
  #report(window: LeasedWindow): void {
    const nowMs = performance.now()
    if (nowMs - this.#reportedMs < reportEveryMs) return
    this.#reportedMs = nowMs
    for (let lane = 0; lane < this.#lanes; lane++) {
      const task = window.task(lane)
      if (task === undefined) continue
      this.#count(task, task.words)
      this.#pass(window, lane, task.words.progress)
    }
  }

  /** Adds what a task has done since the last look. */
  #count(task: LaneTask, { handled, failed }: { readonly handled: number; readonly failed: number }): void {
    if (handled > task.handled) this.#losses = 0
    this.stats.processed += handled - task.handled
    this.stats.failed += failed - task.failed
    task.handled = handled
    task.failed = failed
  }

  #rowCount(): number {
    return this.#row.reduce((sum, window) => sum + window.count, 0)
  }

  /** Messages, as soon as there are any; undefined: no more are to be begun. */
  async #lease(): Promise<Lease | undefined> {
    if (this.#stage !== 'working' || !this.#isOurs()) return undefined
    const taken = this.#desk.takeInTurn(this.#nextCount())
    if (taken !== undefined) return taken
    const { lease, cancel } = this.#desk.request(this.#options.batchSize)
    const isSettled = { now: false }
    const settle = () => {
      isSettled.now = true
      this.#wake()
    }
    lease.then(settle, settle)
    await this.#until(() => isSettled.now || this.#stage !== 'working')
    if (this.#stage === 'working') return lease
    // Given up, unless it was served in the same moment.
    if (!cancel()) await lease.then((late) => this.#desk.giveBack(late, late.first, late.end, late.attempt, 0), ignore)
    return undefined
  }

  /** As many messages as a task is likely to get done, and not more than this lane's share of those that are there. */
  #nextCount(): number {
    const { order, batchSize } = this.#options
    if (order !== 'none') return this.#windowCount
    const waiting = this.#desk.ledger.remaining(this.#host.next(this.#desk.topic))
    return Math.min(this.#windowCount, Math.max(batchSize, Math.ceil(waiting / this.#lanes)))
  }

  /** False once the group was removed. */
  #isOurs(): boolean {
    return !this.#desk.needsOpen && this.#desk.ledger === this.#ledger
  }

  /** False once a seek or a removal has made the window meaningless. */
  #isCurrent({ lease }: LeasedWindow): boolean {
    return this.#isOurs() && this.#ledger?.generation === lease.generation
  }

  /** Takes one lane through a window, as far as it is to go. */
  async #work(window: LeasedWindow, lane: number): Promise<void> {
    const { order, batchSize, views, codec } = this.#options
    const { topic, name: group } = this.#desk
    const { attempt } = window.lease
    let aloneTo = 0
    let firstAttempt = 0
    let resume: Outcome['resume']
    try {
      while (window.cursor(lane) < window.end && this.#stage === 'working' && this.#isCurrent(window)) {
        const from = window.cursor(lane)
        const words = HandlerWords.allocate(from, window.end, aloneTo, window.isOpen)
        const task = { words, handled: 0, failed: 0 }
        window.setTask(lane, task)
        const outcome = await this.#runner
          .run(
            {
              topic: { id: topic.id, name: topic.name },
              ...{ from, lane, lanes: order === 'key' ? this.#lanes : 1, resume },
              ...{ module: this.#module, codec, group, batchSize, views, attempt, firstAttempt },
            },
            words,
          )
          .finally(() => window.setTask(lane, undefined))
        this.#adapt(outcome.busyMs, outcome.done - from)
        this.#count(task, outcome)
        this.#pass(window, lane, outcome.done)
        aloneTo = outcome.aloneTo
        resume = outcome.resume
        firstAttempt = await this.#settle(window, lane, outcome, outcome.done === from ? firstAttempt : 0)
        // Others may be free. Messages that have to be handled one by one are not sent round.
        if (order === 'none' && outcome.end.kind === 'paused' && aloneTo <= window.cursor(lane)) break
      }
    } finally {
      // Whoever leaves would not see what comes.
      this.#stopGrowing(window)
      if (window.leave()) this.#finish(window)
    }
  }

  /** Does what the end of a task demands. Returns the attempt that comes next for the message the lane stands at; 0: the usual one. */
  async #settle(window: LeasedWindow, lane: number, { done, end }: Outcome, firstAttempt: number): Promise<number> {
    switch (end.kind) {
      case 'paused':
        return firstAttempt
      case 'failed':
        return this.#settleFailure(window, lane, done, end.attempt, end.error)
      case 'unreadable':
        await this.#passUnreadable(window, lane, done, end.to, end.error)
        return 0
      case 'lost':
        await this.#bearLoss(window, end.error)
        return firstAttempt
    }
  }

  async #settleFailure(
    window: LeasedWindow,
    lane: number,
    offset: number,
    attempt: number,
    error: Error,
  ): Promise<number> {
    if (!mayRetry(this.#options, attempt)) {
      const store = () => this.#storeDeadLetter(offset, attempt, error)
      if (this.#deadLetters === undefined) {
        // A processor started anew begins anew with it.
        window.noteAttempt(offset, 1)
        throw Object.assign(error, { topic: this.#desk.topic.name, offset })
      }
      if (this.#isCurrent(window) && (await this.#whileNoSpace(window, store))) this.#pass(window, lane, offset + 1)
      return 0
    }
    const pauseMs = backoffAfter(this.#options, attempt)
    if (this.#options.order === 'none') {
      if (this.#isCurrent(window)) this.#desk.giveBack(window.lease, offset, offset + 1, attempt + 1, pauseMs)
      window.drop()
      return 0
    }
    window.noteAttempt(offset, attempt + 1)
    await this.#pause(window, pauseMs)
    return attempt + 1
  }

  async #storeDeadLetter(offset: number, attempt: number, error: Error): Promise<void> {
    try {
      if (await this.#deadLetters?.addMessage(offset, attempt, error)) this.stats.deadLettered += 1
    } catch (cause) {
      // It could be read when it was handled. Now it stands for itself.
      if (!hasCode(cause, 'BOOKEND_CORRUPT')) throw cause
      await this.#deadLetters?.addDamage(offset, offset + 1, cause as BookendError)
      this.stats.deadLettered += 1
    }
  }

  async #passUnreadable(window: LeasedWindow, lane: number, offset: number, to: number, error: Error): Promise<void> {
    const { first, next } = error as BookendError
    if (hasCode(error, 'BOOKEND_TRIMMED') && first !== undefined) return this.#pass(window, lane, first)
    if (!hasCode(error, 'BOOKEND_CORRUPT')) return this.#bearLoss(window, error)
    if (this.#deadLetters === undefined) throw error
    let damage = this.#damages.find((known) => offset >= known.first && offset < known.end)
    if (damage === undefined) {
      // Nothing known behind it that can be read: everything that was there when it was looked for. What is appended meanwhile is not
      // damage. Others may have met its end before we met its beginning.
      const known = this.#damages.filter(({ first: other }) => other > offset).map(({ first: other }) => other)
      const end = Math.min(next ?? to, ...known)
      const store = async () => {
        await this.#deadLetters?.addDamage(offset, end, error as BookendError)
        this.stats.deadLettered += 1
      }
      const met: MetDamage = { first: offset, end, stored: this.#whileNoSpace(window, store) }
      damage = met
      this.#damages.push(met)
      // Not stored: whoever meets it in a later round has to.
      if (!(await met.stored)) this.#damages.splice(this.#damages.indexOf(met), 1)
    }
    if (await damage.stored) this.#pass(window, lane, damage.end)
  }

  /** Repeats what a full disk refuses. False: it was not done, as the processor stops or goes on elsewhere. */
  async #whileNoSpace(window: LeasedWindow, store: () => Promise<void>): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await store()
        return true
      } catch (error) {
        if (isClosed(error)) return false
        if (!hasCode(error, 'BOOKEND_NO_SPACE')) throw error
      }
      await this.#pause(window, backoffAfter({ backoffMs: shortPauseMs }, attempt))
      if (this.#stage !== 'working' || !this.#isCurrent(window)) return false
    }
  }

  /** A thread has died for nothing that is known, or reading has failed for a reason that may pass. */
  async #bearLoss(window: LeasedWindow, error: Error): Promise<void> {
    this.#losses += 1
    if (this.#losses > maxLosses) throw error
    await this.#pause(window, backoffAfter({ backoffMs: shortPauseMs }, this.#losses))
  }

  #pause(window: LeasedWindow, pauseMs: number): Promise<void> {
    return this.#until(() => this.#stage !== 'working' || !this.#isCurrent(window), pauseMs)
  }

  #pass(window: LeasedWindow, lane: number, to: number): void {
    const { first, end } = window.pass(lane, to)
    if (first === end || !this.#isCurrent(window)) return
    const commit = this.#desk
      .acknowledge(window.lease, first, end)
      .catch((error) => this.#end(error))
      .finally(() => this.#commits.delete(commit))
    this.#commits.add(commit)
    if (this.#idlers.length > 0) this.#settleIdlers()
  }

  /** All lanes have left the window. */
  #finish(window: LeasedWindow): void {
    this.#giveBack(window)
    if (this.#options.order !== 'key') return
    assert(this.#row[0] === window, 'windows are left in their order')
    this.#row.shift()
    this.#rowStart += 1
    this.#wake()
  }

  #giveBack(window: LeasedWindow): void {
    if (!this.#isCurrent(window)) return
    for (const { first, end, attempt } of window.rest()) this.#desk.giveBack(window.lease, first, end, attempt, 0)
  }

  #adapt(elapsedMs: number, count: number): void {
    const { batchSize } = this.#options
    if (elapsedMs > longTaskMs) this.#windowCount = Math.max(batchSize, Math.floor(this.#windowCount / 2))
    else if (elapsedMs < shortTaskMs && count >= this.#windowCount)
      this.#windowCount = Math.min(Math.max(batchSize, maxWindowCount), this.#windowCount * 2)
  }
}

function isClosed(error: unknown): boolean {
  return hasCode(error, 'BOOKEND_CLOSED')
}

function hasCode(error: unknown, code: BookendError['code']): boolean {
  return error instanceof BookendError && error.code === code
}

function ignore(): void {}
