/** What happens between a log and its servers, told to whoever listens: diagnostics channels, `NODE_DEBUG=bookend`, and `stats()`. */
import diagnostics from 'node:diagnostics_channel'
import { debuglog } from 'node:util'
import { BookendError } from '../../errors.js'

const debug = debuglog('bookend')
const channels = {
  connection: diagnostics.channel('bookend:connection'),
  error: diagnostics.channel('bookend:error'),
}

export class LinkEvents {
  readonly #place: string
  readonly #now: () => number
  #errorCount = 0
  #lastError: string | undefined
  #downSince: number | undefined
  /** How often the connection was lost. */
  losses = 0

  /** @param now the wall clock */
  constructor(place: string, now: () => number) {
    this.#place = place
    this.#now = now
  }

  /** As in `stats()`. */
  get errors(): { count: number; last: string | undefined } {
    return { count: this.#errorCount, last: this.#lastError }
  }

  /** Ms since the epoch; undefined: it is there. */
  get disconnectedSince(): number | undefined {
    return this.#downSince
  }

  down(): void {
    this.losses += 1
    this.#downSince = this.#now()
    this.#tell('disconnected', this.#downSince)
  }

  up(): void {
    const since = this.#downSince
    this.#downSince = undefined
    this.#tell('connected', since)
  }

  #tell(type: 'connected' | 'disconnected', since: number | undefined): void {
    debug('%s: %s', this.#place, type)
    if (channels.connection.hasSubscribers)
      channels.connection.publish({ directory: this.#place, type, disconnectedSince: since })
  }

  /** Met in the background: nobody else is told. */
  error(what: string, error: unknown, more: object = {}): void {
    const code = error instanceof BookendError ? error.code : 'BOOKEND_IO'
    const message = `${what}: ${error instanceof Error ? error.message : String(error)}`
    this.#note(code, message, error, more)
  }

  #note(code: string, message: string, error: unknown, more: object): void {
    this.#errorCount += 1
    this.#lastError = code
    debug('%s: %s', code, message)
    if (channels.error.hasSubscribers) channels.error.publish({ directory: this.#place, code, message, error, ...more })
  }

  /** A processor has ended by itself. What a handler throws need not have a code, and is none of ours if it has. */
  processor(topic: string, group: string, error: Error): void {
    const code = error instanceof BookendError ? error.code : 'BOOKEND_HANDLER'
    const message = `the processor of group "${group}" of topic "${topic}" has stopped: ${error.name}: ${error.message}`
    this.#note(code, message, error, { topic, group })
  }

  /** For `NODE_DEBUG` only. */
  note(when: string, error: unknown): void {
    debug('%s: %s', when, error)
  }
}
