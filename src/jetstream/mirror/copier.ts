/**
 * Copies a topic into another one, message by message at the same place, through any number of crashes on both sides. Where the copy goes on is
 * asked of the copy itself, at the beginning and after each failure: nothing that this process remembers has to be true.
 *
 * ```
 * starting -> copying -> starting: something failed that may pass        any -> stopping -> ended
 * ```
 */
import diagnostics from 'node:diagnostics_channel'
import { assert, BookendError, type ErrorCode } from '../../errors.js'
import type { Message } from '../../messages/message.js'

/** A topic that is copied. */
export interface CopySource {
  /** For messages to people. */
  readonly what: string
  bounds(): Promise<{ first: number; next: number }>
  /** Messages from that offset on, for ever. */
  follow(from: number, signal: AbortSignal): AsyncIterable<Message<Uint8Array>[]>
}

/** Where it is copied to. */
export interface CopyTarget {
  /**
   * @param first of the source: a copy that is begun begins there
   * @returns the offset of the source that comes next, by what is there
   */
  begin(first: number): Promise<number>
  /** Puts the messages right behind those before, all or none. Fails where the copy does not end there. */
  add(messages: readonly Message<Uint8Array>[]): Promise<void>
  /** Everything below is in the copy. */
  note(position: number): Promise<void>
  end(): Promise<void>
}

/** A copy that goes on by itself until it is stopped, or cannot. */
export interface Mirror extends AsyncDisposable {
  /** Everything below this offset is in the copy. */
  readonly position: number
  /** Messages that are not, as of a moment ago. */
  readonly lag: number
  /**
   * Resolves when it has ended because it was asked to, or because the local log was closed. Rejects with what ended it otherwise; that it rejects is no
   * unhandled rejection.
   */
  readonly finished: Promise<void>
  /** Resolves when everything that was there at the call is in the copy. @throws as {@link finished}; `BOOKEND_CLOSED` if it was stopped before */
  idle(): Promise<void>
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>
}

type Stage = 'starting' | 'copying' | 'stopping' | 'ended'

/** What no further attempt would change. */
const lasting: ReadonlySet<ErrorCode> = new Set([
  ...(['BOOKEND_TRIMMED', 'BOOKEND_CORRUPT', 'BOOKEND_FORMAT', 'BOOKEND_UNSUPPORTED'] as const),
  ...(['BOOKEND_TOO_LARGE', 'BOOKEND_READ_ONLY', 'BOOKEND_CLOSED'] as const),
])
const mostMessages = 500
const mostBytes = 1 << 20
const longestPauseMs = 1_000
const lookMs = 250
const errors = diagnostics.channel('bookend:error')

interface MirrorIdler {
  readonly target: number
  resolve(): void
  reject(error: unknown): void
}

export class Copier implements Mirror {
  readonly finished: Promise<void>
  readonly #source: CopySource
  readonly #target: CopyTarget
  readonly #abort = new AbortController()
  #stage: Stage = 'starting'
  #position = 0
  #next = 0
  #idlers: MirrorIdler[] = []
  readonly #looker: NodeJS.Timeout

  constructor(source: CopySource, target: CopyTarget) {
    this.#source = source
    this.#target = target
    this.#looker = setInterval(() => void this.#look(), lookMs)
    this.#looker.unref()
    this.finished = this.#run()
    // Whoever wants to know asks for it.
    this.finished.catch(() => {})
  }

  get position(): number {
    return this.#position
  }

  get lag(): number {
    return Math.max(0, this.#next - this.#position)
  }

  async idle(): Promise<void> {
    const { next } = await this.#source.bounds()
    return new Promise((resolve, reject) => {
      this.#idlers.push({ target: next, resolve, reject })
      this.#settleIdlers()
      if (this.#stage === 'ended') this.finished.then(() => this.#endIdlers(), reject)
    })
  }

  stop(): Promise<void> {
    if (this.#stage === 'starting' || this.#stage === 'copying') {
      this.#stage = 'stopping'
      this.#abort.abort()
    }
    return this.finished.catch(() => {})
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort
    let failures = 0
    try {
      while (!signal.aborted) {
        const before = this.#position
        try {
          await this.#copy(signal)
        } catch (error) {
          if (signal.aborted || isClosing(error)) break
          if (error instanceof BookendError && lasting.has(error.code)) throw error
          this.#tell(error)
        }
        failures = this.#position > before ? 0 : failures + 1
        await pause(Math.min(longestPauseMs, 20 * 2 ** failures), signal)
      }
    } catch (error) {
      this.#tell(error)
      for (const { reject } of this.#idlers.splice(0)) reject(error)
      throw error
    } finally {
      clearInterval(this.#looker)
      await this.#target.end().catch((error) => this.#tell(error))
      this.#stage = 'ended'
      this.#endIdlers()
    }
  }

  async #copy(signal: AbortSignal): Promise<void> {
    const { first } = await this.#source.bounds()
    const position = await this.#target.begin(first)
    if (signal.aborted) return
    const { next } = await this.#source.bounds()
    if (position > next) throw notACopy(this.#source.what, `it has ${position} messages, and there are ${next}`)
    if (position < first) {
      const message = `the copy of ${this.#source.what} ends at ${position}, and what comes next was deleted: it begins at ${first}. Copy into another topic`
      throw new BookendError('BOOKEND_TRIMMED', message, { offset: position, first })
    }
    this.#stage = 'copying'
    this.#next = next
    await this.#reached(position)
    for await (const batch of this.#source.follow(position, signal)) {
      this.#checkWhole(batch)
      for (const part of partsOf(batch)) {
        assert(part[0].offset === this.#position, 'messages are copied one behind the other')
        await this.#target.add(part)
        await this.#reached(this.#position + part.length)
      }
    }
  }

  /** Whoever reads passes over what has expired, and a copy has every message at its place. */
  #checkWhole(batch: readonly Message<Uint8Array>[]): void {
    const gap = batch.findIndex(({ offset }, index) => offset !== this.#position + index)
    if (gap < 0) return
    const message = `message ${this.#position + gap} of ${this.#source.what} has expired: a topic whose messages expire (ttlMs, expiresAt) cannot be copied`
    throw new BookendError('BOOKEND_UNSUPPORTED', message, { offset: this.#position + gap })
  }

  async #reached(position: number): Promise<void> {
    this.#position = position
    this.#next = Math.max(this.#next, position)
    // Behind the copy: what is noted is in it.
    await this.#target.note(position)
    this.#settleIdlers()
  }

  #settleIdlers(): void {
    this.#idlers = this.#idlers.filter(({ target, resolve }) => {
      if (this.#position < target) return true
      resolve()
      return false
    })
  }

  #endIdlers(): void {
    const error = new BookendError('BOOKEND_CLOSED', `the copy of ${this.#source.what} was stopped before it was whole`)
    for (const { reject } of this.#idlers.splice(0)) reject(error)
  }

  async #look(): Promise<void> {
    try {
      this.#next = Math.max(this.#position, (await this.#source.bounds()).next)
    } catch {
      // Who copies meets it as well.
    }
  }

  #tell(error: unknown): void {
    if (!errors.hasSubscribers) return
    const code = error instanceof BookendError ? error.code : 'BOOKEND_IO'
    const message = `the copy of ${this.#source.what}: ${error instanceof Error ? error.message : String(error)}`
    errors.publish({ code, message, error, position: this.#position })
  }
}

/** @throws never: it is an error to throw */
export function notACopy(what: string, why: string): BookendError {
  return new BookendError('BOOKEND_FORMAT', `what is there is no copy of ${what}: ${why}. Copy into another topic`)
}

/** Parts that are one write each. */
function partsOf(batch: readonly Message<Uint8Array>[]): Message<Uint8Array>[][] {
  const parts: Message<Uint8Array>[][] = []
  let bytes = 0
  for (const message of batch) {
    const last = parts.at(-1)
    bytes += message.value.length
    if (last === undefined || last.length >= mostMessages || bytes > mostBytes) {
      parts.push([message])
      bytes = message.value.length
    } else last.push(message)
  }
  return parts
}

function isClosing(error: unknown): boolean {
  return error instanceof BookendError && error.code === 'BOOKEND_CLOSED'
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}
